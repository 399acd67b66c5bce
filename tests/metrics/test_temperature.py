"""Temperature scaling from stored numbers, against the softmax itself and simulated truth."""

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from bench.errors import DataError
from bench.metrics.temperature import TEMPERATURES, StoredLogits, fit_temperature


def stored(logits, labels):
    grid = np.stack([logsumexp(logits / t, axis=1) for t in TEMPERATURES], axis=1)
    return StoredLogits(logits[np.arange(len(labels)), labels], logits.max(axis=1), grid)


def draw(probabilities, generator):
    return (probabilities.cumsum(axis=1) > generator.random((len(probabilities), 1))).argmax(axis=1)


@pytest.mark.parametrize("n_classes", [2, 10, 1000])
def test_loss_and_confidence_are_those_of_the_softmax(n_classes):
    generator = np.random.default_rng(n_classes)
    logits = generator.normal(0, 4, (200, n_classes))
    labels = generator.integers(0, n_classes, 200)
    own = stored(logits, labels)
    for temperature in (*TEMPERATURES, 0.3, 0.77, 1.1, 2.9):
        exact = log_softmax(logits / temperature, axis=1)
        loss = -exact[np.arange(200), labels]
        assert own.log_loss(temperature).mean() == pytest.approx(loss.mean(), abs=2e-4)
        assert np.allclose(own.log_loss(temperature), loss, atol=0.01)
        assert np.allclose(own.confidence(temperature), np.exp(exact.max(axis=1)), atol=0.005)
    assert np.allclose(own.log_loss(1.0), -log_softmax(logits, axis=1)[np.arange(200), labels], atol=1e-12)


def test_two_classes_worked_by_hand():
    # three of four right at a margin of 2: the best probability is 3/4, so 2 / T = ln 3
    logits = np.tile([2.0, 0.0], (4, 1))
    assert fit_temperature(stored(logits, np.array([0, 0, 0, 1]))) == pytest.approx(2 / np.log(3), rel=1e-3)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.3])
def test_it_finds_the_temperature_that_the_labels_were_drawn_at(true):
    generator = np.random.default_rng(7)
    logits = generator.normal(0, 3, (20_000, 10))
    labels = draw(np.exp(log_softmax(logits / true, axis=1)), generator)
    own = stored(logits, labels)
    found = fit_temperature(own)
    assert found == pytest.approx(true, rel=0.03)
    right = logits.argmax(axis=1) == labels
    assert own.confidence(found).mean() == pytest.approx(right.mean(), abs=0.01)
    grid = np.linspace(0.8 * true, 1.2 * true, 41)
    assert own.log_loss(found).mean() <= min(own.log_loss(t).mean() for t in grid) + 1e-6


def test_labels_that_are_always_right_reach_the_end_of_the_range():
    logits = np.array([[3.0, 0.0], [0.0, 2.0]])
    assert fit_temperature(stored(logits, np.array([0, 1]))) == pytest.approx(min(TEMPERATURES), rel=0.01)


def test_columns_of_other_images_are_refused():
    with pytest.raises(DataError, match="not those of the same images"):
        StoredLogits(np.zeros(3), np.zeros(2), np.zeros((3, len(TEMPERATURES))))
    with pytest.raises(DataError, match="empty"):
        StoredLogits(np.zeros(0), np.zeros(0), np.zeros((0, len(TEMPERATURES))))

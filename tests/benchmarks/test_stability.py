"""Flip probability worked by hand; the top-5 distance against the paper's double sum and the authors' script."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from bench.benchmarks import Batch, NonFiniteLogitsError
from bench.benchmarks import stability as module
from bench.benchmarks.stability import Stability, ranking, ranking_distance
from bench.errors import ConfigurationError
from bench.records import Condition


def double_sum(before, after):
    """Section 4.2: sum over i = 1..5 of sum over j = min(i, s(i)) + 1 .. max(i, s(i)) of 1(1 <= j - 1 <= 5)."""
    total = 0
    for i in range(1, min(5, len(before)) + 1):
        s = list(after).index(before[i - 1]) + 1
        total += sum(1 for j in range(min(i, s) + 1, max(i, s) + 1) if 1 <= j - 1 <= 5)
    return total


def script_distance(first, second):
    """ImageNet-P/test.py, from two rows of logits."""
    ranks = [rankdata(-row, method="ordinal") for row in (first, second)]
    capped = np.minimum(np.arange(len(first)), 5)
    sigma = ranks[1][np.argsort(ranks[0])]
    return np.sum(np.abs(capped[:5] - capped[sigma - 1][:5]))


@given(st.integers(1, 12).flatmap(lambda k: st.tuples(st.permutations(range(k)), st.permutations(range(k)))))
def test_the_distance_is_the_papers_double_sum(pair):
    before, after = (torch.tensor([order]) for order in pair)
    assert ranking_distance(before, after).tolist() == [double_sum(*pair)]


@given(st.integers(0, 10_000), st.integers(6, 40), st.booleans())
def test_the_distance_is_the_authors_scripts(seed, classes, ties):
    logits = torch.randn(2, 3, classes, generator=torch.Generator().manual_seed(seed))
    logits = logits.round() if ties else logits
    ours = ranking_distance(ranking(logits[0]), ranking(logits[1]))
    assert ours.tolist() == [script_distance(a.numpy(), b.numpy()) for a, b in zip(*logits, strict=True)]


def test_distances_by_hand():
    order = torch.arange(8)[None]
    assert ranking_distance(order, order).item() == 0
    assert ranking_distance(order, torch.tensor([[1, 0, 2, 3, 4, 5, 6, 7]])).item() == 2  # the first two swapped
    assert ranking_distance(order, torch.tensor([[0, 1, 2, 3, 5, 4, 6, 7]])).item() == 1  # the fifth left the five
    assert ranking_distance(order, torch.tensor([[0, 1, 2, 3, 4, 7, 6, 5]])).item() == 0  # only below the five
    assert ranking_distance(order, torch.tensor([[5, 6, 7, 0, 1, 2, 3, 4]])).item() == 3 + 3 + 3 + 2 + 1
    far = torch.tensor([[5, 6, 7, 8, 9, 0, 1, 2, 3, 4]])
    assert ranking_distance(torch.arange(10)[None], far).item() == 15  # all five left


class OneHot(torch.nn.Module):
    """Shows the class that each picture's first byte names."""

    def forward(self, images):
        return torch.nn.functional.one_hot((images[:, 0, 0, 0] * 255).round().long(), 10).float() * 9


def shown_as(monkeypatch, name, columns):
    """Makes the sequence ``name`` show frames of the classes in ``columns``, one row a frame."""

    def frames(images, _seeds):
        for row in columns:
            yield torch.tensor(row, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)

    monkeypatch.setattr(module, "SEQUENCES", {name: frames})


def run(name, count, classifier=None):
    batch = Batch(
        torch.zeros(count, 3, 2, 2, dtype=torch.uint8),
        torch.zeros(count, dtype=torch.int64),
        np.array([str(i) for i in range(count)]),
    )
    return Stability().run(classifier or OneHot(), batch, Condition(name, 1.0), seed=0)


FRAMES = [[0, 3], [1, 3], [0, 3], [0, 4], [2, 4]]


def test_sequences_compare_each_frame_with_the_one_before(monkeypatch):
    shown_as(monkeypatch, "tilt", FRAMES)
    outcomes = run("tilt", 2)
    assert outcomes.extra["flip_probability"].tolist() == [3 / 4, 1 / 4]
    assert outcomes.prediction.tolist() == [0, 3]
    assert outcomes.correct.tolist() == [True, False]
    confidence = np.exp(9) / (np.exp(9) + 9)
    assert outcomes.confidence == pytest.approx(np.full(2, confidence))
    # rankings are the named class, then the others in order: 0123.., 1023.., 0123.., 0123.., 2013..
    orders = {c: [c, *(k for k in range(10) if k != c)] for c in range(10)}
    first = np.mean([double_sum(orders[a], orders[b]) for a, b in [(0, 1), (1, 0), (0, 0), (0, 2)]])
    second = np.mean([double_sum(orders[a], orders[b]) for a, b in [(3, 3), (3, 3), (3, 4), (4, 4)]])
    assert outcomes.extra["top5_distance"] == pytest.approx([first, second])


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise"])
def test_noise_compares_each_frame_with_the_first(monkeypatch, name):
    shown_as(monkeypatch, name, FRAMES)
    assert run(name, 2).extra["flip_probability"].tolist() == [2 / 4, 2 / 4]


def test_a_constant_classifier_never_flips(channel_means, make_crops):
    class Constant(torch.nn.Module):
        def forward(self, images):
            return torch.arange(7.0).expand(len(images), 7)

    crops = make_crops(2, side=32)
    batch = Batch(crops.read(range(2)), torch.as_tensor(crops.labels), crops.image_ids)
    for condition in Stability().conditions():
        outcomes = Stability().run(Constant(), batch, condition, seed=0)
        assert not outcomes.extra["flip_probability"].any()
        assert not outcomes.extra["top5_distance"].any()


def test_the_seed_changes_the_noise(channel_means, make_crops):
    crops = make_crops(3, side=32)
    batch = Batch(crops.read(range(3)), torch.as_tensor(crops.labels), crops.image_ids)
    condition = Condition("gaussian_noise", 1.0)
    runs = [Stability().run(channel_means, batch, condition, seed=seed) for seed in (0, 1)]
    assert not np.array_equal(runs[0].extra["top5_distance"], runs[1].extra["top5_distance"])
    assert np.array_equal(runs[0].confidence, runs[1].confidence)  # the first frame is the image itself


def test_a_frame_without_a_decision_is_no_stable_frame(monkeypatch):
    class LateNan(OneHot):
        def forward(self, images):
            logits = super().forward(images)
            return logits.masked_fill(logits[:, 4:5] > 0, float("nan"))

    shown_as(monkeypatch, "tilt", FRAMES)
    with pytest.raises(NonFiniteLogitsError):
        run("tilt", 2, LateNan())


def test_an_unknown_perturbation_names_the_nearest():
    with pytest.raises(ConfigurationError, match=r"'rotat'.*'rotate'"):
        Stability(perturbations=("rotat",))

"""Selective prediction against its definition, hand-worked examples, scikit-learn, and simulated truth."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from sklearn.metrics import auc

from bench.errors import DataError
from bench.metrics.estimates import proportion
from bench.metrics.selective import (
    accuracy_at_coverage,
    accuracy_at_coverage_values,
    aurc,
    aurc_values,
    aurra,
    excess_aurc,
    limit_of_best_aurc,
    overconfidence,
    risk_coverage,
)

CONFIDENCE = np.array([0.9, 0.8, 0.7, 0.6])
CORRECT = np.array([True, False, True, False])


def area_by_definition(confidence, correct):
    """Mean over coverages of the risk among the images answered, one loop and no ties."""
    order = sorted(range(len(confidence)), key=lambda i: -confidence[i])
    risks = [np.mean([not correct[i] for i in order[:k]]) for k in range(1, len(order) + 1)]
    return float(np.mean(risks))


def test_a_curve_worked_by_hand():
    curve = risk_coverage(CONFIDENCE, CORRECT)
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert np.allclose(curve.risk, [0, 1 / 2, 1 / 3, 1 / 2])
    assert aurc(CONFIDENCE, CORRECT).value == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    # the best order has both errors last: risks 0, 0, 1/3, 1/2
    assert excess_aurc(CONFIDENCE, CORRECT).value == pytest.approx((1 / 2) / 4)
    assert aurra(CONFIDENCE, CORRECT).value == pytest.approx(1 - (1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert accuracy_at_coverage(CONFIDENCE, CORRECT, 0.75).value == pytest.approx(2 / 3)
    assert accuracy_at_coverage(CONFIDENCE, CORRECT, 0.5).n == 2
    assert overconfidence(CONFIDENCE, CORRECT).value == pytest.approx(0.75 - 0.5)


def test_tied_images_count_as_the_mean_over_their_orders():
    confidence = np.array([0.9, 0.5, 0.5, 0.5, 0.2])
    correct = np.array([True, False, True, False, True])
    orders = list(itertools.permutations([1, 2, 3]))
    areas = [area_by_definition(confidence + 1e-6 * np.array([0, *(np.argsort(o)), 0]), correct) for o in orders]
    assert aurc(confidence, correct).value == pytest.approx(np.mean(areas))
    halves = [np.mean(correct[[0, *order]][:3]) for order in orders]
    assert accuracy_at_coverage(confidence, correct, 0.6).value == pytest.approx(np.mean(halves))


def test_large_random_columns_agree_with_the_definition_and_do_not_depend_on_the_order():
    generator = np.random.default_rng(0)
    confidence = generator.random(300)
    correct = generator.random(300) < confidence
    area = aurc(confidence, correct)
    assert area.value == pytest.approx(area_by_definition(confidence, correct))
    assert aurc_values(confidence, correct).mean() == pytest.approx(area.value)
    shuffled = generator.permutation(300)
    tied = np.round(confidence, 1)
    for figure in (aurc, excess_aurc, aurra, lambda a, b: accuracy_at_coverage(a, b, 0.33)):
        one, other = figure(tied, correct), figure(tied[shuffled], correct[shuffled])
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_it_is_the_area_of_the_curve_of_many_images():
    generator = np.random.default_rng(1)
    confidence = generator.random(40_000)
    correct = generator.random(40_000) < confidence
    curve = risk_coverage(confidence, correct)
    assert aurc(confidence, correct).value == pytest.approx(auc(curve.coverage, curve.risk), abs=2e-4)
    # P(wrong | confidence u) = 1 - u: the risk at coverage c is c / 2, and the area 1/4
    assert aurc(confidence, correct).value == pytest.approx(0.25, abs=0.005)
    # the best area at error rate 1/2
    assert excess_aurc(confidence, correct).value == pytest.approx(0.25 - (0.5 + 0.5 * np.log(0.5)), abs=0.005)


@pytest.mark.parametrize("risk", [0.0, 0.05, 0.3, 1.0])
def test_the_best_order_has_no_excess(risk):
    n = 2000
    correct = np.arange(n) >= risk * n
    confidence = np.where(correct, 0.9, 0.1) + np.arange(n) * 1e-6
    assert excess_aurc(confidence, correct).value == pytest.approx(0, abs=1e-12)
    assert aurc(confidence, correct).value == pytest.approx(limit_of_best_aurc(risk), abs=1e-3)
    by_integral = quad(lambda c: max(0, 1 - (1 - risk) / c), 0, 1, points=[max(1e-9, 1 - risk)])[0]
    assert limit_of_best_aurc(risk) == pytest.approx(by_integral, abs=1e-6)


def test_full_coverage_is_the_accuracy_with_its_interval():
    correct = np.arange(50) % 3 > 0
    whole = accuracy_at_coverage(np.linspace(0, 1, 50), correct, 1)
    plain = proportion(correct)
    assert (whole.value, whole.low, whole.high, whole.n) == (plain.value, plain.low, plain.high, plain.n)


@pytest.mark.parametrize("coverage", [0.1, 0.3, 0.7, 0.8, 1.0])
def test_values_average_to_the_accuracy_on_the_images_answered(coverage):
    generator = np.random.default_rng(2)
    confidence, correct = generator.random(10), generator.random(10) < 0.6
    answered = accuracy_at_coverage(confidence, correct, coverage)
    assert answered.n == round(10 * coverage)
    assert accuracy_at_coverage_values(confidence, correct, coverage).mean() == pytest.approx(answered.value)


@pytest.mark.parametrize("figure", [aurc, excess_aurc, overconfidence])
def test_intervals_hold_the_truth_as_often_as_they_say(figure):
    generator = np.random.default_rng(3)
    # P(wrong | u) = (1 - u) / 2: risk 1/4; the risk at coverage c is c / 4; mean confidence 1/2
    truth = {"aurc": 1 / 8, "excess_aurc": 1 / 8 - limit_of_best_aurc(0.25), "overconfidence": -0.25}[figure.__name__]
    held = 0
    for _ in range(600):
        confidence = generator.random(400)
        estimate = figure(confidence, generator.random(400) < (1 + confidence) / 2)
        held += estimate.low <= truth <= estimate.high
    assert 0.92 < held / 600 < 0.98


def test_wrong_columns_are_refused():
    with pytest.raises(DataError, match="2 confidences but 1 decisions"):
        aurc(np.array([0.1, 0.2]), np.array([True]))
    with pytest.raises(DataError, match="empty"):
        risk_coverage(np.array([]), np.array([], dtype=bool))
    with pytest.raises(DataError, match="coverage"):
        accuracy_at_coverage(CONFIDENCE, CORRECT, 0)


def test_a_single_image_has_no_interval():
    assert np.isnan(aurc(np.array([0.5]), np.array([False])).low)

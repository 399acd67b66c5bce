"""Calibration errors worked by hand, and against their definitions as plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from bench.metrics.calibration import (
    adaptive_calibration_error,
    classwise_calibration_error,
    expected_calibration_error,
    mean_confidence,
    top_label_brier_score,
)

ROWS = st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans()), min_size=1, max_size=80)


def columns(rows):
    return np.array([row[0] for row in rows], dtype=np.float32), np.array([row[1] for row in rows])


def ece_by_loop(confidence, correct, bins):
    total = 0.0
    for b in range(bins):
        inside = [
            i for i, c in enumerate(confidence) if b / bins < float(c) <= (b + 1) / bins or (b == 0 and float(c) == 0)
        ]
        if inside:
            accuracy = sum(bool(correct[i]) for i in inside) / len(inside)
            mean = sum(float(confidence[i]) for i in inside) / len(inside)
            total += len(inside) / len(confidence) * abs(accuracy - mean)
    return total


def adaptive_by_loop(confidence, correct, bins):
    order = sorted(range(len(confidence)), key=lambda i: float(confidence[i]))
    total = 0.0
    for part in np.array_split(np.array(order), bins):
        if len(part):
            accuracy = sum(bool(correct[i]) for i in part) / len(part)
            mean = sum(float(confidence[i]) for i in part) / len(part)
            total += len(part) / len(confidence) * abs(accuracy - mean)
    return total


def test_by_hand():
    confidence = np.array([0.95, 0.85, 0.85, 0.3], dtype=np.float64)
    correct = np.array([True, True, False, False])
    # ten bins: |1 - .95| / 4 + 2 |.5 - .85| / 4 + |0 - .3| / 4
    assert expected_calibration_error(confidence, correct, bins=10).value == pytest.approx((0.05 + 0.7 + 0.3) / 4)
    # two bins of two: .3 and a .85 (the first in order: right), then a .85 (wrong) and .95
    assert adaptive_calibration_error(confidence, correct, bins=2).value == pytest.approx((0.15 + 0.8) / 4)
    assert top_label_brier_score(confidence, correct).value == pytest.approx((0.05**2 + 0.15**2 + 0.85**2 + 0.3**2) / 4)
    assert mean_confidence(confidence).value == pytest.approx(2.95 / 4)


def test_the_edge_of_a_bin_belongs_to_the_lower_one():
    # (0.5, 1] would hold both and cancel to 0; (0, 0.5] and (0.5, 1] give 1/4 + 1/4
    confidence, correct = np.array([0.5, 0.75]), np.array([True, False])
    value = expected_calibration_error(confidence, correct, bins=2).value
    assert value == pytest.approx((0.5 + 0.75) / 2)
    assert expected_calibration_error(confidence, correct, bins=1).value == pytest.approx(0.125)


@given(ROWS)
def test_ece_is_its_definition(rows):
    confidence, correct = columns(rows)
    # the definition's bins; a confidence within rounding of an edge may fall to either side
    if any(0 < abs(float(c) * 15 - round(float(c) * 15)) < 1e-5 for c in confidence):
        return
    value = expected_calibration_error(confidence, correct, resamples=2).value
    assert value == pytest.approx(ece_by_loop(confidence, correct, 15), abs=1e-9)


@given(ROWS, st.integers(1, 20))
def test_adaptive_ece_is_its_definition(rows, bins):
    confidence, correct = columns(rows)
    value = adaptive_calibration_error(confidence, correct, bins=bins, resamples=2).value
    assert value == pytest.approx(adaptive_by_loop(confidence, correct, bins), abs=1e-9)


@given(ROWS)
def test_the_brier_score_is_its_definition(rows):
    confidence, correct = columns(rows)
    by_loop = sum((float(c) - float(r)) ** 2 for c, r in zip(confidence, correct, strict=True)) / len(rows)
    assert top_label_brier_score(confidence, correct).value == pytest.approx(by_loop, abs=1e-9)


def test_known_extremes():
    sure, right = np.ones(40), np.ones(40, dtype=bool)
    for error in (expected_calibration_error, adaptive_calibration_error, top_label_brier_score):
        assert error(sure, right).value == 0
        assert error(sure, ~right).value == 1


@pytest.mark.parametrize("error", [expected_calibration_error, adaptive_calibration_error])
def test_intervals_cover_the_true_error(error):
    # the probability of being right is the confidence less 0.1, so that the true error is 0.1
    generator, covered = np.random.default_rng(5), 0
    for _ in range(60):
        confidence = generator.uniform(0.3, 1, 800)
        correct = generator.random(800) < confidence - 0.1
        estimate = error(confidence, correct, resamples=200)
        assert estimate.n == 800
        assert estimate.low <= estimate.high
        covered += estimate.low <= 0.1 <= estimate.high
    assert covered >= 50


def test_one_image_has_no_interval():
    estimate = expected_calibration_error(np.array([0.7]), np.array([True]))
    assert estimate.value == pytest.approx(0.3)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)


def test_what_cannot_be_measured_is_refused():
    for error in (expected_calibration_error, adaptive_calibration_error, top_label_brier_score):
        with pytest.raises(DataError, match="empty"):
            error(np.array([]), np.array([], dtype=bool))
        with pytest.raises(DataError, match="2 confidences but 1 decisions"):
            error(np.array([0.5, 0.5]), np.array([True]))
        for wrong in (-0.1, 1.1, float("nan")):
            with pytest.raises(DataError, match=r"in \[0,1\]"):
                error(np.array([0.5, wrong]), np.array([True, False]))


def test_errors_of_classes_do_not_cancel():
    # class 0 is too sure by .2, class 1 not sure enough by .2: together they are calibrated
    confidence = np.full(20, 0.7)
    prediction = np.repeat([0, 1], 10)
    correct = np.r_[np.arange(10) < 5, np.arange(10) < 9]
    assert expected_calibration_error(confidence, correct).value == pytest.approx(0)
    assert classwise_calibration_error(confidence, correct, prediction).value == pytest.approx(0.2)


def test_the_classwise_error_is_the_weighted_mean_of_the_classes_own_errors():
    generator = np.random.default_rng(3)
    confidence, correct = generator.random(400), generator.random(400) < 0.5
    prediction = generator.integers(0, 3, 400) * 7
    own = [expected_calibration_error(confidence[prediction == k], correct[prediction == k]).value for k in (0, 7, 14)]
    shares = [(prediction == k).mean() for k in (0, 7, 14)]
    assert classwise_calibration_error(confidence, correct, prediction).value == pytest.approx(np.dot(own, shares))
    with pytest.raises(DataError, match="400 confidences but 3 predictions"):
        classwise_calibration_error(confidence, correct, prediction[:3])

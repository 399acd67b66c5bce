"""Figures of the audit by hand: what is absent is left out, and two signs are needed before anyone is caught."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from bench.errors import DataError
from bench.metrics.audit import hit_rate, linearised, mean_change, mean_present, relies_on
from bench.records import Estimate

NAN = math.nan


def test_absent_images_are_left_out_and_never_zero():
    estimate = mean_present(np.array([0.2, NAN, 0.6, 0.7, NAN]))
    assert (estimate.value, estimate.n) == (pytest.approx(0.5), 3)
    assert 0.2 <= estimate.low < 0.5 < estimate.high <= 0.7001


def test_hits_are_a_proportion_of_what_was_measured():
    estimate = hit_rate(np.array([1, 1, NAN, 0, 1, 1.0]))
    interval = binomtest(4, 5).proportion_ci(method="exact")
    assert (estimate.value, estimate.n) == (0.8, 5)
    assert (estimate.low, estimate.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_changes_are_paired():
    estimate = mean_change(np.array([0.5, 0.9, NAN, 0.1]), np.array([0.4, 0.7, 0.2, NAN]))
    assert (estimate.value, estimate.n) == (pytest.approx(0.15), 2)
    assert estimate.low > 0, "each image rises, however far apart they are"


def test_contributions_have_the_mean_and_the_variance_of_the_ratio():
    generator = np.random.default_rng(0)
    values = generator.uniform(size=400)
    values[generator.uniform(size=400) < 0.3] = NAN
    contributions = linearised(values)
    assert contributions.mean() == pytest.approx(np.nanmean(values))
    resampled = [np.nanmean(values[generator.integers(0, 400, 400)]) for _ in range(3000)]
    assert contributions.std() / 20 == pytest.approx(np.std(resampled), rel=0.05)
    whole = np.array([0.1, 0.4])
    assert np.allclose(linearised(whole), whole)


@pytest.mark.parametrize("metric", [mean_present, hit_rate, linearised])
def test_nothing_measured_has_no_figure(metric):
    with pytest.raises(DataError):
        metric(np.array([NAN, NAN]))


@pytest.mark.parametrize(
    ("change", "moved", "caught"),
    [((-0.3, -0.1), (0.1, 0.3), True), ((-0.3, 0.1), (0.1, 0.3), False), ((-0.3, -0.1), (-0.1, 0.3), False)],
)
def test_accuracy_must_fall_and_attribution_must_move(change, moved, caught):
    def estimate(ends):
        return Estimate(sum(ends) / 2, *ends, 10)

    assert relies_on(estimate(change), estimate(moved)) is caught
    assert not relies_on(estimate(change), Estimate(0.2, NAN, NAN, 1)), "one image proves nothing"

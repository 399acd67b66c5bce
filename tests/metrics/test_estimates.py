"""Intervals against scipy, and the bootstrap against its brute-force definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from bench.errors import DataError
from bench.metrics import estimates
from bench.metrics.estimates import bootstrap_mean, bootstrap_means, proportion


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_the_exact_interval_is_scipys(hits):
    estimate = proportion(np.array(hits))
    interval = binomtest(sum(hits), len(hits)).proportion_ci(0.95, method="exact")
    assert estimate.value == pytest.approx(sum(hits) / len(hits))
    assert (estimate.low, estimate.high) == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert estimate.n == len(hits)


def test_an_empty_set_has_no_accuracy():
    with pytest.raises(DataError, match="empty set has no accuracy"):
        proportion(np.array([], dtype=bool))
    with pytest.raises(DataError, match="empty"):
        bootstrap_mean(np.array([]))


@pytest.mark.parametrize("n", [7, estimates.BLOCK - 1, estimates.BLOCK, 3 * estimates.BLOCK + 5])
def test_every_resample_draws_as_many_images_as_there_are(n):
    assert bootstrap_means(np.ones((n, 1)), resamples=20)[:, 0] == pytest.approx(np.ones(20))


def test_the_interval_agrees_with_a_loop_over_resamples():
    generator = np.random.default_rng(3)
    values = generator.exponential(size=150)
    means = [generator.choice(values, size=150).mean() for _ in range(4000)]
    estimate = bootstrap_mean(values, resamples=4000)
    expected = np.quantile(means, [0.025, 0.975])
    assert estimate.value == pytest.approx(values.mean())
    assert (estimate.low, estimate.high) == pytest.approx(tuple(expected), abs=0.02)


def test_blocks_leave_the_law_alone(monkeypatch):
    values = np.random.default_rng(0).normal(size=300)
    whole = bootstrap_means(values[:, None], resamples=3000)[:, 0]
    monkeypatch.setattr(estimates, "BLOCK", 64)
    estimates._weights.cache_clear()
    blocks = bootstrap_means(values[:, None], resamples=3000)[:, 0]
    estimates._weights.cache_clear()
    assert blocks.mean() == pytest.approx(whole.mean(), abs=4 * whole.std() / np.sqrt(1500))
    assert blocks.std() == pytest.approx(whole.std(), rel=0.08)


def test_equal_seeds_mean_paired_resamples():
    left, right = np.random.default_rng(1).normal(size=(2, 500))
    together = bootstrap_means(np.stack([left, right, left + right], axis=1), resamples=50)
    assert together[:, 2] == pytest.approx(together[:, 0] + together[:, 1])
    assert bootstrap_means(left[:, None], resamples=50)[:, 0] == pytest.approx(together[:, 0])
    assert not np.allclose(bootstrap_means(left[:, None], seed=1, resamples=50)[:, 0], together[:, 0])


def test_coverage_is_what_the_interval_claims():
    generator = np.random.default_rng(7)
    covered = [
        estimate.low <= 1.0 <= estimate.high
        for estimate in (bootstrap_mean(generator.normal(1, 2, size=200), resamples=400) for _ in range(400))
    ]
    assert 0.92 <= np.mean(covered) <= 0.98

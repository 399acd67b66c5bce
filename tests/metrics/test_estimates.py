"""Intervals against scipy, and the bootstrap against its brute-force definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, t

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


@pytest.mark.parametrize("resamples", [1, estimates.BLOCK - 1, estimates.BLOCK, 2 * estimates.BLOCK + 5])
def test_every_resample_draws_as_many_images_as_there_are(resamples):
    means = bootstrap_means(np.ones((7, 1)), resamples=resamples)
    assert means.shape == (resamples, 1)
    assert means[:, 0] == pytest.approx(np.ones(resamples))


def test_the_interval_agrees_with_a_loop_over_resamples():
    generator = np.random.default_rng(3)
    values = generator.exponential(size=150)
    means = [generator.choice(values, size=150).mean() for _ in range(4000)]
    estimate = bootstrap_mean(values, resamples=4000)
    tail = norm.cdf(t.ppf(0.025, df=149) * np.sqrt(150 / 149))  # a little less than 2.5 % at each end
    expected = np.quantile(means, [tail, 1 - tail])
    assert estimate.value == pytest.approx(values.mean())
    assert (estimate.low, estimate.high) == pytest.approx(tuple(expected), abs=0.02)


def test_resamples_follow_the_multinomial_law():
    counts = bootstrap_means(np.eye(6), resamples=20_000) * 6
    # each image is drawn Binomial(6, 1/6) times: mean 1, variance 5/6, covariance -1/6 with any other
    assert counts.mean(axis=0) == pytest.approx(np.ones(6), abs=0.03)
    expected = np.full((6, 6), -1 / 6) + np.eye(6)
    assert np.cov(counts.T) == pytest.approx(expected, abs=0.04)


def test_equal_seeds_mean_paired_resamples():
    left, right = np.random.default_rng(1).normal(size=(2, 500))
    together = bootstrap_means(np.stack([left, right, left + right], axis=1), resamples=50)
    assert together[:, 2] == pytest.approx(together[:, 0] + together[:, 1])
    assert bootstrap_means(left[:, None], resamples=50)[:, 0] == pytest.approx(together[:, 0])
    assert not np.allclose(bootstrap_means(left[:, None], seed=1, resamples=50)[:, 0], together[:, 0])


@pytest.mark.parametrize("n", [20, 200])
def test_coverage_is_what_the_interval_claims(n):
    generator = np.random.default_rng(7)
    covered = [
        estimate.low <= 1.0 <= estimate.high
        for estimate in (bootstrap_mean(generator.normal(1, 2, size=n), resamples=500) for _ in range(1500))
    ]
    assert 0.93 <= np.mean(covered) <= 0.97


def test_a_single_image_has_a_value_but_no_interval():
    estimate = bootstrap_mean(np.array([3.0]))
    assert estimate.value == 3.0
    assert np.isnan([estimate.low, estimate.high]).all()

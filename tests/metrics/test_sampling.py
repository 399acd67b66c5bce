"""Figures of sampled conditions: hand-worked columns, and simulated sweeps whose intervals must cover."""

import numpy as np
import pytest
from scipy.special import expit

from bench.errors import DataError
from bench.metrics.adversarial import robust_accuracy
from bench.metrics.paired import paired_difference
from bench.metrics.sampling import completed, sampled_estimate, standard_error
from tests.metrics.simulated_sweeps import CONDITIONS, WEIGHTS, Population, Sweep, window_places

SWEEPS = 400


def test_a_completed_column_by_hand() -> None:
    column = completed(np.array([True, False, False, True]), np.array([0, 2, 5, 7]), 8)
    # mean 1/2; deviations of 1/2 times N / k = 2 times sqrt(4 / 3)
    step = 0.5 * 2 * np.sqrt(4 / 3)
    expected = [0.5 + step, 0.5, 0.5 - step, 0.5, 0.5, 0.5 - step, 0.5, 0.5 + step]
    np.testing.assert_allclose(column, expected)
    assert standard_error(column) ** 2 == pytest.approx(np.var([1, 0, 0, 1], ddof=1) / 4)


def test_the_whole_set_is_an_ordinary_mean() -> None:
    values = np.random.default_rng(0).normal(size=50)
    column = completed(values, np.arange(50), 50)
    estimate = sampled_estimate(column, 50)
    half_width = 1.959964 * values.std(ddof=1) / np.sqrt(50)
    assert (estimate.value, estimate.n) == (pytest.approx(values.mean()), 50)
    assert (estimate.low, estimate.high) == (
        pytest.approx(estimate.value - half_width),
        pytest.approx(estimate.value + half_width),
    )


def test_shared_images_enter_the_variance() -> None:
    """Against the textbook variance of a sum of two means of overlapping samples."""
    generator = np.random.default_rng(1)
    n, k = 40, 12
    first, second = np.arange(12), np.arange(6, 18)
    x, y = generator.normal(size=k), generator.normal(size=k)
    column = completed(x, first, n) + completed(y, second, n)
    dx, dy = (x - x.mean())[6:], (y - y.mean())[:6]
    covariance = np.sum(dx * dy) / (k - 1) / k
    assert standard_error(column) ** 2 == pytest.approx((x.var(ddof=1) + y.var(ddof=1)) / k + 2 * covariance)


@pytest.mark.parametrize(
    ("values", "positions"),
    [([True], [0]), ([True, False], [0]), ([True, False], [1, 1]), ([True, False], [0, 4]), ([True, False], [-1, 0])],
)
def test_what_is_no_sample_is_refused(values: list[bool], positions: list[int]) -> None:
    with pytest.raises(DataError, match="sample"):
        completed(np.array(values), np.array(positions), 4)


def test_an_empty_column_has_no_mean() -> None:
    with pytest.raises(DataError, match="no mean"):
        sampled_estimate(np.array([]), 0)


def coverage(n: int, k: int, sweeps: int) -> dict[str, float]:
    """Of the mCE, the relative mCE, and the paired differences of two classifiers in both."""
    population, generator = Population(), np.random.default_rng([n, k])
    advantages = 0.0, 0.4
    truths = [population.truth(advantage) for advantage in advantages]
    relative = [population.relative_truth(advantage) for advantage in advantages]
    hits = {"mce": 0, "difference": 0, "relative": 0, "relative difference": 0}
    for _ in range(sweeps):
        sweep = Sweep(generator, n, k, advantages)
        own, clean_size = sweep.columns(k), min(n, len(CONDITIONS) * k)  # as many as the conditions have together
        less = [
            column - WEIGHTS.sum() * clean for column, clean in zip(own, sweep.clean_error(clean_size), strict=True)
        ]
        for name, column, true in (
            ("mce", own[0], truths[0]),
            ("difference", own[1] - own[0], truths[1] - truths[0]),
            ("relative", less[0], relative[0]),
            ("relative difference", less[1] - less[0], relative[1] - relative[0]),
        ):
            estimate = sampled_estimate(column, k)
            hits[name] += estimate.low <= true <= estimate.high
    return {name: count / sweeps for name, count in hits.items()}


def robust_coverage(k: int, sweeps: int) -> dict[str, float]:
    """Of the robust accuracy under one attack on ``k`` images, and of the paired difference of two classifiers."""
    population, generator = Population(), np.random.default_rng([7, k])
    truths = [population.robust_truth(advantage) / 100 for advantage in (0.0, 0.4)]
    hits = {"robust": 0, "difference": 0}
    for _ in range(sweeps):
        difficulty, draws = population.spread * generator.normal(size=k), generator.random(k)
        one, other = (draws >= expit(difficulty + 3.0 - advantage) for advantage in (0.0, 0.4))
        estimate, difference = robust_accuracy(one), paired_difference(one, other)
        hits["robust"] += estimate.low <= truths[0] <= estimate.high
        hits["difference"] += difference.low <= truths[1] - truths[0] <= difference.high
    return {name: count / sweeps for name, count in hits.items()}


@pytest.mark.parametrize("k", [10, 65, 500])
def test_intervals_of_robust_accuracy_cover(k: int) -> None:
    # both are exact, or nearly so, and cover more than they must where images are few
    for share in robust_coverage(k, SWEEPS).values():
        assert share >= 0.92


@pytest.mark.parametrize("k", [10, 20, 65, 200])
def test_intervals_cover_with_and_without_shared_images(k: int) -> None:
    for share in coverage(5000, k, SWEEPS).values():
        assert 0.92 <= share <= 0.98  # 3 standard errors of 400 sweeps around 0.95


def test_taking_shared_images_for_independent_covers_too_little() -> None:
    """The negative control: the plain stratified interval where conditions overlap."""
    population, generator = Population(), np.random.default_rng(3)
    n, k, hits = 1000, 500, 0
    for _ in range(100):
        difficulty = population.spread * generator.normal(size=n)
        value = variance = 0.0
        for cell, (shift, weight) in enumerate(zip(population.shifts, WEIGHTS, strict=True)):
            places = window_places(cell, k, n)
            wrong = generator.random(k) < expit(difficulty[places] + shift)
            value += weight * wrong.mean()
            variance += weight**2 * wrong.var(ddof=1) / k
        hits += abs(value - population.truth(0.0)) <= 1.96 * np.sqrt(variance)
    assert hits / 100 < 0.6


@pytest.mark.proof
@pytest.mark.parametrize(("n", "k"), [(5000, 5000), (50000, 50), (50000, 200), (50000, 650), (50000, 5000)])
def test_intervals_cover_in_large_sweeps(n: int, k: int) -> None:
    shares = coverage(n, k, 1000)
    print(f"N={n} k={k}: {shares}")
    for share in shares.values():
        assert 0.93 <= share <= 0.97

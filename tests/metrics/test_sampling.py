"""Figures of sampled conditions: hand-worked columns, and simulated sweeps whose intervals must cover."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.data.order import window
from bench.errors import DataError
from bench.metrics.corruption import ALEXNET_ERROR
from bench.metrics.sampling import completed, sampled_estimate, standard_error

CONDITIONS = [(name, severity) for name in CORRUPTIONS for severity in SEVERITIES]
WEIGHTS = np.array([100 / ALEXNET_ERROR[name] / len(CONDITIONS) for name, _ in CONDITIONS])
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


def window_places(cell: int, k: int, n: int) -> NDArray[np.int64]:
    return np.concatenate([np.arange(*part) for part in window(cell, len(CONDITIONS), k, n)])


class Population:
    """Images of normally distributed difficulty, which two classifiers share."""

    spread = 2.5
    shifts = np.linspace(-2.5, 2.5, len(CONDITIONS))

    def truth(self, advantage: float) -> float:
        """The mCE of a classifier, by Gauss-Hermite quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        chances = expit(self.spread * nodes[:, None] + self.shifts - advantage)
        return float(WEIGHTS @ (weights / weights.sum() @ chances))

    def columns(
        self, generator: np.random.Generator, n: int, k: int, advantages: tuple[float, ...]
    ) -> list[NDArray[np.float64]]:
        """The mCE's column of each classifier in one sweep of ``k`` images a condition."""
        difficulty = self.spread * generator.normal(size=n)
        total = [np.zeros(n) for _ in advantages]
        for cell, (shift, weight) in enumerate(zip(self.shifts, WEIGHTS, strict=True)):
            places = window_places(cell, k, n)
            draws = generator.random(k)  # shared: what is hard on an image is hard for both
            for column, advantage in zip(total, advantages, strict=True):
                wrong = draws < expit(difficulty[places] + shift - advantage)
                column += weight * completed(wrong, places, n)
        return total


def coverage(n: int, k: int, sweeps: int) -> tuple[float, float]:
    """Of the mCE and of the paired difference of two classifiers."""
    population, generator = Population(), np.random.default_rng([n, k])
    truths = population.truth(0.0), population.truth(0.4)
    hits = np.zeros(2)
    for _ in range(sweeps):
        one, other = population.columns(generator, n, k, (0.0, 0.4))
        for index, (column, true) in enumerate([(one, truths[0]), (other - one, truths[1] - truths[0])]):
            estimate = sampled_estimate(column, k)
            hits[index] += estimate.low <= true <= estimate.high
    mean, difference = hits / sweeps
    return float(mean), float(difference)


@pytest.mark.parametrize("k", [10, 20, 65, 500])
def test_intervals_cover_with_and_without_shared_images(k: int) -> None:
    for share in coverage(5000, k, SWEEPS):
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
    for share in coverage(n, k, 1000):
        assert 0.93 <= share <= 0.97

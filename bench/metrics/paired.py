"""Do two classifiers differ on the same images? McNemar, paired differences, Holm, the smallest visible difference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import bdtr, ndtri, stdtr
from scipy.stats import binom

from bench.errors import DataError
from bench.metrics.estimates import CONFIDENCE, bootstrap_columns

POWER = 0.8
"""Chance of seeing a difference that is there, for the minimum detectable difference."""


@dataclass(frozen=True)
class McNemar:
    """The images on which exactly one of two classifiers is right, and whether they fall evenly (McNemar 1947)."""

    n: int
    """Images."""
    only_first: int
    """Right by the first alone."""
    only_second: int
    """Right by the second alone."""
    exact: float
    """Two-sided p-value of the binomial test: never too small, often too large."""
    mid: float
    """Two-sided mid-p value (Fagerland, Lydersen & Laake 2013): closer to its nominal level; what we test with."""


@dataclass(frozen=True)
class Difference:
    """Second minus first on the same images."""

    value: float
    """Difference of the means."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end."""
    p_value: float
    """Two-sided, uncorrected."""
    detectable: float
    """Smallest true difference that these images would show in 4 of 5 experiments; NaN where no image differs."""
    n: int
    """Images."""


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> McNemar:
    """Compare two classifiers on the same images.

    Args:
        first: ``(N,)`` whether each image is right.
        second: ``(N,)`` the same images in the same order.

    Raises:
        DataError: no images, or different numbers of them.
    """
    _require_pairs(first, second)
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    one, other = np.array([only_first]), np.array([only_second])
    exact, mid = float(mcnemar_exact(one, other)[0]), float(mcnemar_mid(one, other)[0])
    return McNemar(len(first), only_first, only_second, exact, mid)


def mcnemar_exact(only_first: NDArray[np.int64], only_second: NDArray[np.int64]) -> NDArray[np.float64]:
    """Two-sided exact p-values of many pairs from their discordant counts, each of any one shape."""
    fewer, total = np.minimum(only_first, only_second), only_first + only_second
    p_values: NDArray[np.float64] = np.minimum(1.0, 2 * bdtr(fewer, total, 0.5))
    return p_values


def mcnemar_mid(only_first: NDArray[np.int64], only_second: NDArray[np.int64]) -> NDArray[np.float64]:
    """Two-sided mid-p values of many pairs from their discordant counts: half of what is as extreme counts."""
    fewer, total = np.minimum(only_first, only_second), only_first + only_second
    p_values: NDArray[np.float64] = 2 * bdtr(fewer, total, 0.5) - binom.pmf(fewer, total, 0.5)
    return np.where(only_first == only_second, 1.0, np.minimum(1.0, p_values))


def paired_t(mean: NDArray[np.float64], variance: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Two-sided p-values of the paired t-test, from the moments of the per-image differences.

    Never below 2^(1-n), the least that flipping the signs of ``n`` differences could give: differences that are all
    equal would otherwise be infinitely significant.

    Args:
        mean: mean differences, of any shape.
        variance: of the differences, with ``n - 1`` in the denominator; not of their mean.
        n: images.

    Returns:
        1 where the mean difference is 0, and everywhere for a single image.
    """
    if n < 2:
        return np.ones_like(mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(mean) / np.sqrt(np.maximum(variance, 0) / n)
    p_values = np.maximum(2 * stdtr(n - 1, -statistic), 2.0 ** (1 - n))
    return np.where(mean == 0, 1.0, np.minimum(p_values, 1.0))


def paired_difference(first: NDArray[np.generic], second: NDArray[np.generic], *, seed: int = 0) -> Difference:
    """Difference of two means over the same images: second minus first.

    Where both are right-or-wrong, the interval is Tango's and the p-value McNemar's mid-p. Otherwise they are a paired
    bootstrap's and the paired t-test's: a bootstrap p-value cannot fall below one over the resamples, and so would
    not survive a correction for many tests.

    Args:
        first: ``(N,)`` booleans or floats, one an image, whose mean is the figure.
        second: ``(N,)`` the same of the other classifier.
        seed: of the resamples.

    Raises:
        DataError: no images, or different numbers of them.
    """
    _require_pairs(first, second)
    n = len(first)
    differences = second.astype(np.float64) - first.astype(np.float64)
    spread = float(differences.std(ddof=1)) if n > 1 else float("nan")
    if first.dtype == np.bool_ and second.dtype == np.bool_:
        counts = mcnemar(first.astype(np.bool_), second.astype(np.bool_))
        value, p_value = (counts.only_second - counts.only_first) / n, counts.mid
        low, high = tango_interval(counts.only_first, counts.only_second, n)
    else:
        estimate = bootstrap_columns(differences[:, None], seed=seed)[0]
        value, low, high = estimate.value, estimate.low, estimate.high
        p_value = float(paired_t(np.array(value), np.array(spread**2), n))
    detectable = minimum_detectable_difference(spread, n) if spread > 0 else float("nan")
    return Difference(value, low, high, p_value, detectable, n)


def tango_interval(only_first: int, only_second: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a difference of paired proportions, second minus first (Tango 1998).

    Unlike a bootstrap's it has a width where no image differs: two classifiers that agree on ten images may differ on
    the eleventh.

    Args:
        only_first: images that the first alone is right on.
        only_second: images that the second alone is right on.
        n: all images, at least 1.
    """
    critical = float(ndtri((1 + CONFIDENCE) / 2))
    estimate = (only_second - only_first) / n

    def beyond(difference: float) -> float:
        """How far the score lies beyond its critical value: zero at either end of the interval."""
        linear = (2 * n - only_second + only_first) * difference - only_second - only_first
        constant = -only_first * difference * (1 - difference)
        share = (math.sqrt(max(linear**2 - 8 * n * constant, 0.0)) - linear) / (
            4 * n
        )  # of the first alone, if that is true
        variance = n * (2 * share + difference * (1 - difference))
        return abs(only_second - only_first - n * difference) - critical * math.sqrt(max(variance, 0.0))

    aside = 1e-12  # where no image differs the score is 0/0 at the estimate itself
    low = -1.0 if estimate == -1 else float(brentq(beyond, -1, estimate - aside))
    high = 1.0 if estimate == 1 else float(brentq(beyond, estimate + aside, 1))
    return low, high


def loss_beyond(losses: NDArray[np.float64], tolerance: float) -> float:
    """One-sided p-value that the true mean loss exceeds ``tolerance``, by the paired t-test.

    Where every loss is 0, +1 or -1 (right-or-wrong images) the one-sided exact sign test of McNemar must agree that
    there is a loss at all, since the t-test is too quick at few discordant images: the larger of the two is returned.

    Args:
        losses: ``(N,)`` how much worse each image became.
        tolerance: in the same unit, at least 0.

    Raises:
        DataError: no images.
    """
    n = len(losses)
    if n == 0:
        raise DataError("an empty set cannot be compared")
    excess = float(losses.mean()) - tolerance
    if excess <= 0 or n < 2:
        return 1.0
    p_value = float(paired_t(np.array(excess), np.array(losses.var(ddof=1)), n)) / 2
    if np.isin(losses, (-1, 0, 1)).all():
        worse, better = int(np.sum(losses > 0)), int(np.sum(losses < 0))
        p_value = max(p_value, float(bdtr(better, worse + better, 0.5)))
    return p_value


def holm(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """P-values corrected for having looked at all of them (Holm 1979): at most 5 % of such families raise one alarm.

    Args:
        p_values: ``(M,)`` in [0,1].

    Returns:
        ``(M,)`` in the given order.

    Raises:
        DataError: one of them is NaN: a test that was not made has no place in the family.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if np.isnan(values).any():
        raise DataError("a p-value is missing: leave out the tests that could not be made")
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def minimum_detectable_difference(spread: float, n: int, *, alpha: float = 0.05, power: float = POWER) -> float:
    """The true mean difference that a two-sided paired test finds with the given power.

    (z_{1-alpha/2} + z_power) x spread / sqrt(n). For right-or-wrong images the spread is about the square root of the
    share of images on which exactly one classifier is right (Connor 1987).

    Args:
        spread: standard deviation of the per-image differences.
        n: images.
        alpha: level of the test.
        power: chance of finding it.

    Raises:
        DataError: no images.
    """
    if n == 0:
        raise DataError("an empty set shows no difference")
    return float((ndtri(1 - alpha / 2) + ndtri(power)) * spread / np.sqrt(n))


def _require_pairs(first: NDArray[np.generic], second: NDArray[np.generic]) -> None:
    if len(first) != len(second):
        raise DataError(f"paired tests need the same images: {len(first)} and {len(second)} were given")
    if len(first) == 0:
        raise DataError("an empty set cannot be compared")

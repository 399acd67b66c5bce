"""Estimates with 95 % intervals: exact for one proportion, paired bootstrap for whatever combines several."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr, stdtrit

from bench.errors import DataError
from bench.records import Estimate

CONFIDENCE = 0.95
RESAMPLES = 2000
BLOCK = 100
"""Resamples multiplied at once: bounds memory to 40 MB at 50,000 images."""


def proportion(hits: NDArray[np.bool_]) -> Estimate:
    """Share of true values with the exact interval of Clopper & Pearson (1934).

    Args:
        hits: ``(N,)`` one an image.

    Raises:
        DataError: no images.
    """
    n = len(hits)
    if n == 0:
        raise DataError("an empty set has no accuracy")
    k = int(np.count_nonzero(hits))
    low, high = exact_interval(np.array([k]), n)
    return Estimate(k / n, float(low[0]), float(high[0]), n)


def exact_interval(
    hits: NDArray[np.int64], n: int | NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the exact 95 % interval (Clopper & Pearson 1934) of many proportions at once.

    Args:
        hits: ``(M,)`` counts, each in [0, n].
        n: trials behind every count, or behind each, at least 1.

    Returns:
        Low and high ends, ``(M,)`` each, in [0,1].
    """
    tail = (1 - CONFIDENCE) / 2
    low = np.where(hits > 0, betaincinv(np.maximum(hits, 1), n - hits + 1, tail), 0.0)
    high = np.where(hits < n, betaincinv(hits + 1, np.maximum(n - hits, 1), 1 - tail), 1.0)
    return low, high


def bootstrap_mean(values: NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Mean of per-image values with a bootstrap interval over images (Efron 1979).

    A statistic that is linear in per-image values (corruption error, mCE, their relative forms) is such a mean, so
    one matrix product gives all its resamples. Equal ``seed`` and ``N`` mean equal resamples: estimates of several
    conditions and classifiers on one dataset are paired.

    The interval is the expanded percentile interval (Hesterberg 2015, What Teachers Should Know About the Bootstrap):
    the plain one is too narrow at few images, and the two agree at many.

    Args:
        values: ``(N,)`` the statistic's contribution of each image.
        seed: of the resamples.
        resamples: bootstrap repetitions.

    Returns:
        The estimate. A single image has nothing to resample: its ends are NaN.

    Raises:
        DataError: no images.
    """
    return bootstrap_columns(values[:, None], seed=seed, resamples=resamples)[0]


def bootstrap_columns(values: NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES) -> list[Estimate]:
    """``bootstrap_mean`` of each column of ``(N, M)`` values: much faster together than one by one.

    Raises:
        DataError: no images.
    """
    resampled = bootstrap_means(values, seed=seed, resamples=resamples)
    n = len(values)
    if n == 1:
        return [Estimate(float(value), float("nan"), float("nan"), 1) for value in values[0]]
    low, high = expanded_interval(resampled, n)
    columns = zip(values.mean(axis=0), low, high, strict=True)
    return [Estimate(float(value), float(lower), float(upper), n) for value, lower, upper in columns]


def bootstrap_means(values: NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES) -> NDArray[np.float64]:
    """Resampled means of several columns with the same resamples.

    Args:
        values: ``(N, M)`` per-image values of ``M`` statistics.
        seed: of the resamples.
        resamples: ``R`` repetitions.

    Returns:
        ``(R, M)``.

    Raises:
        DataError: no images.
    """
    n = len(values)
    if n == 0:
        raise DataError("an empty set has no mean")
    counts = _counts(n, seed, resamples)
    blocks = [counts[start : start + BLOCK].astype(np.float64) @ values for start in range(0, resamples, BLOCK)]
    return np.concatenate(blocks) / n


def expanded_interval(resampled: NDArray[np.float64], n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of the expanded percentile interval (Hesterberg 2015) of resampled statistics.

    Args:
        resampled: ``(R, ...)`` the statistic of each resample.
        n: images, at least 2.

    Returns:
        Low and high ends, ``(...)`` each.
    """
    tail = _expanded_tail(n)
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    return low, high


@lru_cache(maxsize=2)
def _counts(n: int, seed: int, resamples: int) -> NDArray[np.uint16]:
    """``(R, n)``: how often each resample drew each image. Kept, since every figure of a dataset needs the same."""
    generator = np.random.default_rng([seed, n])
    counts = np.empty((resamples, n), dtype=np.uint16)
    for row in counts:
        row[:] = np.bincount(generator.integers(0, n, n), minlength=n)
    return counts


def _expanded_tail(n: int) -> float:
    """Share of the resamples to leave out at each end, so that the interval is as wide as Student's t asks for."""
    t = stdtrit(n - 1, (1 - CONFIDENCE) / 2)
    return float(ndtr(t * np.sqrt(n / (n - 1))))

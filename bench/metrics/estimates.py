"""Estimates with 95 % intervals: exact for one proportion, paired bootstrap for whatever combines several."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from bench.errors import DataError
from bench.records import Estimate

CONFIDENCE = 0.95
RESAMPLES = 2000
BLOCK = 4096
"""Images whose resampling weights are held at once: bounds memory at 50,000 images."""


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
    tail = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, k, n - k + 1)) if k > 0 else 0.0
    high = float(beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0
    return Estimate(k / n, low, high, n)


def bootstrap_mean(values: NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Mean of per-image values with a percentile bootstrap interval over images (Efron 1979).

    A statistic that is linear in per-image values (corruption error, mCE, their relative forms) is such a mean, so
    one matrix product gives all its resamples. Equal ``seed`` and ``N`` mean equal resamples: estimates of several
    conditions and classifiers on one dataset are paired.

    Args:
        values: ``(N,)`` the statistic's contribution of each image.
        seed: of the resamples.
        resamples: bootstrap repetitions.

    Raises:
        DataError: no images.
    """
    means = bootstrap_means(values[:, None], seed=seed, resamples=resamples)[:, 0]
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(values.mean()), float(low), float(high), len(values))


def bootstrap_means(values: NDArray[np.float64], *, seed: int = 0, resamples: int = RESAMPLES) -> NDArray[np.float64]:
    """Resampled means of several columns with the same resamples.

    Args:
        values: ``(N, M)`` per-image values of ``M`` statistics.
        seed: of the resamples.
        resamples: ``R`` repetitions.

    Returns:
        ``(R, M)``.
    """
    n = len(values)
    if n == 0:
        raise DataError("an empty set has no mean")
    totals = np.zeros((resamples, values.shape[1]))
    for start, stop in _blocks(n):
        totals += _weights(n, start, stop, seed, resamples).astype(np.float64) @ values[start:stop]
    return totals / n


def _blocks(n: int) -> Sequence[tuple[int, int]]:
    return [(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


@lru_cache(maxsize=16)
def _weights(n: int, start: int, stop: int, seed: int, resamples: int) -> NDArray[np.uint16]:
    """``(R, stop - start)``: how often each resample of ``n`` images drew each image of the block.

    Multinomial counts, block by block: how many draws fall into the block, then where in it.
    """
    left = np.full(resamples, n)
    for low, high in _blocks(n):
        generator = np.random.default_rng([seed, n, low])
        inside = generator.binomial(left, (high - low) / (n - low)) if high < n else left
        if low == start:
            return generator.multinomial(inside, np.full(stop - start, 1 / (stop - start))).astype(np.uint16)
        left = left - inside
    raise ValueError(f"no block starts at image {start} of {n}")

"""Ranks with ties: every pair of classifiers is tested on the same images, corrected for the number of pairs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.paired import holm, mcnemar_mid, minimum_detectable_difference, paired_t

ALPHA = 0.05


@dataclass(frozen=True)
class Ranking:
    """Where each of ``A`` classifiers stands by one figure."""

    rank: NDArray[np.int64]
    """``(A,)`` 1 + the number of classifiers that the corrected test finds better: the best rank it can have."""
    last: NDArray[np.int64]
    """``(A,)`` ``A`` - the number that are worse: the worst rank it can have. The intervals hold jointly at 95 %."""
    corrected: NDArray[np.float64]
    """``(A, A)`` Holm-corrected p-values of the pairs; 1 on the diagonal."""
    detectable: float
    """Minimum detectable difference of a typical pair (the median spread) before correction; NaN without a pair."""

    @property
    def separated(self) -> NDArray[np.bool_]:
        """``(A, A)`` which pairs differ significantly after the correction."""
        return self.corrected < ALPHA

    @property
    def ties(self) -> NDArray[np.int64]:
        """``(A,)`` how many others each does not differ significantly from."""
        others: NDArray[np.int64] = np.sum(~self.separated, axis=1) - 1
        return others


def rank_classifiers(values: NDArray[np.generic], *, higher_is_better: bool) -> Ranking:
    """Rank classifiers by the mean of their per-image values.

    Pairs are tested by McNemar's mid-p where the values are booleans and by the paired t-test otherwise, from one
    matrix product; Holm's correction runs over all pairs. Ties are not transitive (A may be tied with B and
    B with C, while A beats C), so ranks are those of Mogstad, Romano, Shaikh & Wilhelm (2024): the first rank
    that the separated pairs leave open, with the last beside it. Classifiers that differ significantly from no other
    share rank 1, and two copies of one classifier always share theirs.

    Args:
        values: ``(N, A)`` the same images for every classifier; booleans (right or wrong) or floats.
        higher_is_better: whether a larger mean is the better one.

    Raises:
        DataError: no images, or no classifiers.
    """
    n, count = values.shape
    if n == 0 or count == 0:
        raise DataError("nothing to rank: no images or no classifiers")
    means = values.mean(axis=0, dtype=np.float64)
    p_values, variance = _pairwise(values, means)
    upper = np.triu_indices(count, 1)
    corrected = np.ones((count, count))
    corrected[upper] = holm(p_values[upper])
    corrected = np.minimum(corrected, corrected.T)
    ahead = means[None, :] > means[:, None] if higher_is_better else means[None, :] < means[:, None]
    separated = corrected < ALPHA
    better = np.sum(separated & ahead, axis=1)
    worse = np.sum(separated & ahead.T, axis=1)
    spreads = np.sqrt(np.maximum(variance[upper], 0))
    typical = float(np.median(spreads)) if len(spreads) else 0.0
    detectable = minimum_detectable_difference(typical, n) if typical > 0 else float("nan")
    return Ranking(1 + better, count - worse, corrected, detectable)


def _pairwise(
    values: NDArray[np.generic], means: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P-values and variances of the differences of all pairs, ``(A, A)`` each."""
    n = len(values)
    if n == 1:
        return np.ones((len(means), len(means))), np.zeros((len(means), len(means)))
    difference = means[:, None] - means[None, :]
    if values.dtype == np.bool_:
        floats = values.astype(np.float32)  # whole numbers up to 2^24 are exact
        both = np.rint(floats.T @ floats).astype(np.int64)
        alone = np.diag(both)[:, None] - both
        variance = (alone + alone.T - n * difference**2) / (n - 1)
        return mcnemar_mid(alone, alone.T), variance
    centred = values.astype(np.float64) - means
    products = centred.T @ centred / (n - 1)
    own = np.diag(products)
    variance = own[:, None] + own[None, :] - 2 * products
    return paired_t(difference, variance, n), variance

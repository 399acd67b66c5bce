"""Accuracy by group of images: intervals, error ratios, and tests corrected for many groups."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from bench.errors import DataError
from bench.metrics.estimates import exact_interval
from bench.metrics.paired import holm


@dataclass(frozen=True)
class Slices:
    """The accuracy of ``C`` cells on ``G`` groups of the same images."""

    n: NDArray[np.int64]
    """``(G,)`` images of each group."""
    overall: NDArray[np.float64]
    """``(C,)`` accuracy on all grouped images."""
    accuracy: NDArray[np.float64]
    """``(C,G)``; NaN of a group without images."""
    low: NDArray[np.float64]
    """``(C,G)`` lower end of the exact 95 % interval."""
    high: NDArray[np.float64]
    """``(C,G)`` its upper end."""
    error_ratio: NDArray[np.float64]
    """``(C,G)`` (1 - accuracy of the group) / (1 - accuracy of all) (Idrissi et al. 2022); NaN where all are right."""
    p_value: NDArray[np.float64]
    """``(C,G)`` of Fisher's exact test, two-sided, that the group's errors are a random draw of all errors."""
    p_corrected: NDArray[np.float64]
    """``(C,G)`` corrected by Holm over the groups of each cell."""


def slice_accuracies(correct: NDArray[np.bool_], members: NDArray[np.bool_]) -> Slices:
    """Accuracy by group.

    Args:
        correct: ``(C,N)`` whether each cell is right on each image.
        members: ``(N,G)`` which groups each image is in.

    Raises:
        DataError: no images.
    """
    n_images = correct.shape[1]
    if not n_images:
        raise DataError("an empty set has no accuracy")
    n = members.sum(axis=0).astype(np.int64)
    # counts are whole numbers below 2**24, which float32 holds exactly
    hits = np.rint(correct.astype(np.float32) @ members.astype(np.float32)).astype(np.int64)
    overall = correct.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        accuracy = np.where(n > 0, hits / n, np.nan)
        ratio = (1 - accuracy) / (1 - overall)[:, None]
    ratio[~np.isfinite(ratio)] = np.nan
    low, high = exact_interval(hits, np.maximum(np.broadcast_to(n, hits.shape), 1).astype(np.int64))
    empty = np.broadcast_to(n == 0, hits.shape)
    p_value = _p_values(hits, n, correct.sum(axis=1), n_images)
    p_value[empty] = np.nan
    return Slices(
        n=n,
        overall=overall,
        accuracy=accuracy,
        low=np.where(empty, np.nan, low),
        high=np.where(empty, np.nan, high),
        error_ratio=ratio,
        p_value=p_value,
        p_corrected=np.stack([_corrected(row) for row in p_value]),
    )


def _p_values(
    hits: NDArray[np.int64], n: NDArray[np.int64], right: NDArray[np.int64], n_images: int
) -> NDArray[np.float64]:
    """Twice the smaller tail of the hypergeometric distribution, at most 1."""
    law = hypergeom(n_images, right[:, None], n[None, :])
    tails = np.minimum(law.cdf(hits), law.sf(hits - 1))
    doubled: NDArray[np.float64] = np.minimum(1.0, 2 * tails)
    return doubled


def _corrected(row: NDArray[np.float64]) -> NDArray[np.float64]:
    known = ~np.isnan(row)
    corrected = np.full(len(row), np.nan)
    corrected[known] = holm(row[known])
    return corrected

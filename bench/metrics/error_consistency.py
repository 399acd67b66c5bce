"""Error consistency (Geirhos, Meding & Wichmann 2020): do two decision makers err on the same images?"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.estimates import bootstrap_means, expanded_interval
from bench.records import Estimate


@dataclass(frozen=True)
class ErrorConsistency:
    """How alike two decision makers err."""

    kappa: Estimate
    """Cohen's kappa of being right: 1 = the same errors, 0 = as independent ones, below = systematically others."""
    observed: float
    """Share of images on which both are right or both are wrong."""
    expected: float
    """The same share, were they independent with their accuracies."""


def error_consistency(first: NDArray[np.bool_], second: NDArray[np.bool_], *, seed: int = 0) -> ErrorConsistency:
    """``kappa = (o - e) / (1 - e)``, ``e = p1 p2 + (1 - p1)(1 - p2)``, with a bootstrap interval over images.

    Args:
        first: ``(N,)`` whether the one was right about each image.
        second: ``(N,)`` whether the other was, about the same images in the same order.
        seed: of the resamples.

    Returns:
        The estimate. The interval's ends are NaN where kappa is undefined in some resample, as it is when both are
        right, or both wrong, about every image.

    Raises:
        DataError: no images, not the same number of them, or nothing to tell the two apart from chance.
    """
    if len(first) != len(second):
        raise DataError(f"error consistency needs the same images of both, not {len(first)} and {len(second)}")
    if len(first) == 0:
        raise DataError("no images: error consistency is not defined")
    columns = np.stack([first, second, first == second], axis=1).astype(float)
    p1, p2, observed = columns.mean(axis=0).tolist()
    expected = p1 * p2 + (1 - p1) * (1 - p2)
    if expected == 1:
        raise DataError("both are right, or both wrong, about every image: error consistency is not defined")
    kappa = (observed - expected) / (1 - expected)
    if len(first) == 1:
        return ErrorConsistency(Estimate(kappa, math.nan, math.nan, 1), observed, expected)
    low, high = expanded_interval(_kappas(bootstrap_means(columns, seed=seed)), len(first))
    return ErrorConsistency(Estimate(kappa, float(low), float(high), len(first)), observed, expected)


def _kappas(means: NDArray[np.float64]) -> NDArray[np.float64]:
    p1, p2, observed = means.T
    expected = p1 * p2 + (1 - p1) * (1 - p2)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappas: NDArray[np.float64] = (observed - expected) / (1 - expected)
    return kappas


def mean_consistency(kappas: Mapping[frozenset[str], float], group: Sequence[str], others: Sequence[str]) -> float:
    """Mean kappa between the members of ``group`` and those of ``others``, each pair counted once, none with itself.

    Args:
        kappas: pair of names -> kappa; pairs that have none may be absent.
        group: names, models say.
        others: names, humans say; the same as ``group`` for the mean within it.

    Raises:
        DataError: there is no such pair.
    """
    pairs = {frozenset((one, other)) for one in group for other in others if one != other}
    known = [kappas[pair] for pair in pairs if pair in kappas]
    if not known:
        raise DataError("no pair of decision makers has an error consistency")
    return math.fsum(known) / len(known)

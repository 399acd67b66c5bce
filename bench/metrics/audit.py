"""Figures of the attribution audit and of planted shortcuts, from per-image columns in which NaN means absent."""

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.estimates import bootstrap_mean, proportion
from bench.records import Estimate


def mean_present(values: NDArray[np.float64]) -> Estimate:
    """Mean over the images that have a value, with its bootstrap interval; absent ones are left out, never zero.

    Args:
        values: ``(N,)``, NaN where absent.

    Raises:
        DataError: no image has a value.
    """
    present = values[~np.isnan(values)]
    if not len(present):
        raise DataError("no image has a value: there is no mean")
    return bootstrap_mean(present)


def linearised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each image contributes to the mean of those that have a value (the delta method for a ratio).

    Their mean is that mean exactly, and the variance of their mean its variance to first order, so that two classifiers
    can be compared image by image although different images are absent.

    Args:
        values: ``(N,)``, NaN where absent.

    Returns:
        ``(N,)`` without NaN; ``values`` themselves where none is absent.

    Raises:
        DataError: no image has a value.
    """
    present = ~np.isnan(values)
    mean = mean_present(values).value
    contributions: NDArray[np.float64] = mean + np.where(present, values - mean, 0) / present.mean()
    return contributions


def hit_rate(hits: NDArray[np.float64]) -> Estimate:
    """Share of hits among the images that have an outcome, with its exact interval.

    Args:
        hits: ``(N,)`` 1 a hit, 0 a miss, NaN absent.

    Raises:
        DataError: no image has an outcome.
    """
    return proportion(hits[~np.isnan(hits)] == 1)


def mean_change(after: NDArray[np.float64], before: NDArray[np.float64]) -> Estimate:
    """Mean of ``after - before`` over the images that have both, with its bootstrap interval: a paired comparison.

    Args:
        after: ``(N,)``, NaN where absent.
        before: ``(N,)`` of the same images.

    Raises:
        DataError: no image has both.
    """
    return mean_present(after - before)


def relies_on(accuracy_change: Estimate, mass_change: Estimate) -> bool:
    """Whether a classifier is caught relying on what was added to its images.

    Both must be beyond chance at 95 %: accuracy falls, and attribution moves onto the addition. Either alone has
    harmless causes: an object that is covered, a bright edge that any map picks up.
    """
    return bool(accuracy_change.high < 0 < mass_change.low)

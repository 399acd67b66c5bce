"""Figures of conditions that were each shown a sample of the images, with intervals that hold.

A figure such as the mCE is a weighted sum of the means of many conditions. Where each condition is shown images of its
own, the mean of a condition is that of its sample, and images that several conditions share make these means
correlated. Both are covered by one device, the values of the influence function (Hampel 1974): a column of one value an
image whose mean is the sample's mean and whose variance over images is that of the sample's mean. Such columns may be
added, weighted and subtracted as if every image had an outcome. So the figures of a full set and of a sample are
computed by the same functions, and classifiers that saw the same images are compared in pairs.

Intervals are for the population that the images were drawn from, as those of the full set are. There is no
finite-population correction: it needs the covariance of every two conditions, which conditions without a shared image
do not show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bench.errors import DataError
from bench.metrics.estimates import CONFIDENCE
from bench.records import Estimate

FEWEST = 2
"""Images of a condition below which its spread is not known."""


def completed(values: NDArray[np.generic], positions: NDArray[np.int64], n_images: int) -> NDArray[np.float64]:
    """A value for every image of the set, from the outcomes of a sample.

    Each image of the sample gets ``mean + N / k * sqrt(k / (k - 1)) * (value - mean)``, every other one the sample's
    mean. The mean over the set is the sample's mean; the variance of that mean, taken over the set, is the unbiased
    ``s^2 / k``. For a whole set these are, but for ``sqrt(N / (N - 1))``, the values themselves.

    Args:
        values: ``(k,)`` outcomes of the sample: booleans or floats.
        positions: ``(k,)`` which images these are, each once.
        n_images: images in the set, ``N``.

    Returns:
        ``(N,)``.

    Raises:
        DataError: fewer than 2 outcomes, an image that is there twice, or one outside the set.
    """
    k = len(values)
    if k < FEWEST or k != len(positions):
        raise DataError(f"{k} outcomes of {len(positions)} images: a sample needs at least {FEWEST}, one an image")
    if len(np.unique(positions)) != k or positions.min() < 0 or positions.max() >= n_images:
        raise DataError(f"a sample of a set of {n_images} images holds an image twice, or one outside the set")
    sample = values.astype(np.float64)
    mean = float(sample.mean())
    column = np.full(n_images, mean)
    column[positions] += n_images / k * np.sqrt(k / (k - 1)) * (sample - mean)
    return column


@dataclass(frozen=True)
class Hits:
    """Which of the sampled images of a set are classified correctly."""

    right: NDArray[np.bool_]
    """``(k,)`` whether each of them is, in the order of the set."""
    positions: NDArray[np.int64]
    """``(k,)`` where each stands in the set, ascending."""
    n_images: int
    """Images of the whole set."""


def on_shared_images(cells: Sequence[Hits]) -> list[NDArray[np.bool_]]:
    """Whether each image is right that all of several conditions were shown: ``(m,)`` for each of ``cells``.

    Raises:
        DataError: the sets differ in size, or no image is shared.
    """
    if len({cell.n_images for cell in cells}) != 1:
        raise DataError("the conditions were not shown the images of one set")
    shared = reduce(np.intersect1d, [cell.positions for cell in cells])
    if not len(shared):
        raise DataError("the samples of the conditions share no image: a larger budget makes them overlap")
    return [cell.right[np.searchsorted(cell.positions, shared)] for cell in cells]


def wrong(correct: NDArray[Any]) -> NDArray[Any]:
    """Of a column that says of each image whether it is right, booleans or ``completed``: whether it is wrong."""
    return ~correct if correct.dtype == np.bool_ else 1 - correct


def sampled_estimate(column: NDArray[np.float64], n: int) -> Estimate:
    """The figure of a column that was made of completed ones, with its 95 % interval (normal approximation).

    A difference of two classifiers on the same images is such a column too: that of one less that of the other.

    Args:
        column: ``(N,)`` a weighted sum of columns of ``completed``.
        n: images that the figure rests on.

    Raises:
        DataError: no images.
    """
    if len(column) == 0:
        raise DataError("an empty set has no mean")
    value = float(column.mean())
    half_width = -float(ndtri((1 - CONFIDENCE) / 2)) * standard_error(column)
    return Estimate(value, value - half_width, value + half_width, n)


def standard_error(column: NDArray[np.float64]) -> float:
    """Standard error of the mean of a column that was made of completed ones: images in two conditions count once.

    Args:
        column: ``(N,)`` as of ``sampled_estimate``.
    """
    return float(column.std() / np.sqrt(len(column)))

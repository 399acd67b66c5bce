"""Stability along perturbation sequences (ImageNet-P; Hendrycks & Dietterich 2019), from per-image means over frames.

The paper's mFR and mT5D divide by AlexNet's values on the published videos. We have no source for those values, so
neither is here, and no unnormalised mean may bear their names.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bench.corruptions.sequences import PERTURBATIONS
from bench.errors import DataError
from bench.metrics.estimates import bootstrap_mean
from bench.records import Estimate

Sequences = Mapping[str, NDArray[np.float64]]
"""Perturbation -> ``(N,)`` a mean over the pairs of frames of each image; the same images in the same order."""


def flip_probability(flips: NDArray[np.float64]) -> Estimate:
    """Share of the pairs of frames between which the prediction changes, in [0,1]; the lower, the more stable.

    Args:
        flips: ``(N,)`` the benchmark's column ``flip_probability`` of one perturbation.

    Raises:
        DataError: no images.
    """
    return bootstrap_mean(flips)


def top5_distance(distances: NDArray[np.float64]) -> Estimate:
    """Mean top-5 distance between the rankings of two frames, in [0,15]; the lower, the more stable.

    Args:
        distances: ``(N,)`` the benchmark's column ``top5_distance`` of one perturbation.

    Raises:
        DataError: no images.
    """
    return bootstrap_mean(distances)


def mean_flip_probability(flips: Sequences) -> Estimate:
    """Unnormalised: the mean flip probability over the ten perturbations, in [0,1]. Never to be called mFR.

    Raises:
        DataError: a perturbation is missing, or they cover different numbers of images.
    """
    return bootstrap_mean(mean_over_perturbations(flips))


def mean_top5_distance(distances: Sequences) -> Estimate:
    """Unnormalised: the mean top-5 distance over the ten perturbations, in [0,15]. Never to be called mT5D.

    Raises:
        DataError: a perturbation is missing, or they cover different numbers of images.
    """
    return bootstrap_mean(mean_over_perturbations(distances))


def mean_over_perturbations(values: Sequences) -> NDArray[np.float64]:
    """``(N,)`` the mean over the ten perturbations of each image.

    Raises:
        DataError: a perturbation is missing, or they cover different numbers of images.
    """
    missing = [perturbation for perturbation in PERTURBATIONS if perturbation not in values]
    if missing:
        raise DataError(f"no outcomes for {', '.join(missing)}")
    lengths = {len(values[perturbation]) for perturbation in PERTURBATIONS}
    if len(lengths) != 1:
        raise DataError(f"perturbations cover different numbers of images: {sorted(lengths)}")
    means: NDArray[np.float64] = np.mean([values[perturbation] for perturbation in PERTURBATIONS], axis=0)
    return means

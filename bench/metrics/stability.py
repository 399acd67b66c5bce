"""Stability along perturbation sequences (ImageNet-P; Hendrycks & Dietterich 2019), from per-image means over frames.

The paper's mFR and mT5D divide by AlexNet's values on the published videos. We have no source for those values, so
neither is here, and no unnormalised mean may bear their names.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bench.corruptions.sequences import PERTURBATIONS
from bench.errors import DataError

Sequences = Mapping[str, NDArray[np.float64]]
"""Perturbation -> ``(N,)`` a mean over the pairs of frames of each image; the same images in the same order."""


def mean_over_perturbations(values: Sequences) -> NDArray[np.float64]:
    """``(N,)`` the mean over the ten perturbations of each image. It is not normalised: never to be called mFR or mT5D.

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

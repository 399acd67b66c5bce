"""Robust accuracy over all images, attack success over those that were right to begin with."""

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.estimates import proportion
from bench.records import Estimate


def robust_accuracy(correct_under_attack: NDArray[np.bool_]) -> Estimate:
    """Share of **all** images that stay correct: one that was wrong without an attack is not robust.

    Args:
        correct_under_attack: ``(N,)``.
    """
    return proportion(correct_under_attack)


def attack_success(correct_clean: NDArray[np.bool_], correct_under_attack: NDArray[np.bool_]) -> Estimate:
    """Share of the correctly classified images that the attack breaks.

    Raises:
        DataError: no image was classified correctly, so there is nothing to attack.
    """
    if not correct_clean.any():
        raise DataError("no image is classified correctly, so attack success is not defined")
    return proportion(~correct_under_attack[correct_clean])

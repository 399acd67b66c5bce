"""ReaL: ImageNet's validation images with every label that people accept (Beyer et al. 2020), on stored predictions."""

import json
import re
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from bench.benchmarks.metric import Measured
from bench.benchmarks.words import CLEAN
from bench.errors import DataError
from bench.records import RunSpec

VALIDATION = re.compile(r"ILSVRC2012_val_(\d{8})")
N_IMAGES = 50_000


@cache
def real_labels() -> tuple[frozenset[int], ...]:
    """Accepted classes of each of the 50,000 validation images, by number; 46,837 sets are not empty (timm's file)."""
    listed = json.loads((files("timm.data") / "_info" / "imagenet_real_labels.json").read_text())
    return tuple(frozenset(labels) for labels in listed)


def applies_to(spec: RunSpec) -> bool:
    """Whether a cell may be on the 50,000 validation images with ImageNet's 1,000 classes."""
    return (spec.label_space, spec.n_classes, spec.n_images) == ("imagenet", 1000, N_IMAGES)


def validation_numbers(image_ids: NDArray[np.str_]) -> NDArray[np.int64] | None:
    """``(N,)`` numbers, 1 to 50,000, of validation images by their published names; None where one is none."""
    matches = [VALIDATION.search(name) for name in image_ids.tolist()]
    if any(match is None for match in matches):
        return None
    return np.array([int(match[1]) for match in matches if match is not None], dtype=np.int64)


def real_values(measured: Measured) -> NDArray[np.bool_]:
    """``(46837,)`` whether the prediction is an accepted class; images without any are left out.

    Raises:
        DataError: the images are not the 50,000 validation images under their published names.
    """
    if not applies_to(measured.spec):
        raise DataError("ReaL labels are of ImageNet's 50,000 validation images")
    rows = measured.outcomes(CLEAN)
    numbers = validation_numbers(rows["image_id"].to_numpy(dtype=str))
    if numbers is None or not np.array_equal(np.sort(numbers), np.arange(1, N_IMAGES + 1)):
        raise DataError("ReaL labels need the images under their published names, ILSVRC2012_val_00000001.JPEG, ...")
    accepted = real_labels()
    right = [
        prediction in accepted[number - 1]
        for number, prediction in zip(numbers.tolist(), rows["prediction"].tolist(), strict=True)
        if accepted[number - 1]
    ]
    return np.array(right, dtype=np.bool_)

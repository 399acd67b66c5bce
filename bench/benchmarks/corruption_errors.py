"""Figures of the corruption benchmark: mCE, relative mCE and mean accuracy, and where AlexNet's errors apply."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from bench.benchmarks.metric import Measured
from bench.benchmarks.protocol import PUBLISHED
from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.errors import DataError
from bench.metrics.corruption import (
    mean_corruption_accuracy_values,
    mean_corruption_error_values,
    relative_mean_corruption_error_values,
)
from bench.metrics.sampling import wrong
from bench.records import Condition, RunSpec

SPACE, N_CLASSES, SIZE = "imagenet", 1000, (224, 224)
"""What AlexNet was measured on (Hendrycks & Dietterich 2019)."""
INSTEAD = "the mean corruption accuracy needs no normaliser"


def mce_values(measured: Measured) -> NDArray[np.float64]:
    """``(N,)`` what each image contributes to the mCE.

    Raises:
        DataError: AlexNet's errors do not apply, or a condition of the 15 x 5 is missing.
    """
    check_alexnet_applies(measured.spec)
    return mean_corruption_error_values(corruption_errors(measured))


def relative_mce_values(measured: Measured) -> NDArray[np.float64]:
    """``(N,)`` what each image contributes to the relative mCE.

    Raises:
        DataError: as ``mce_values``, or the clean images are missing.
    """
    check_alexnet_applies(measured.spec)
    return relative_mean_corruption_error_values(corruption_errors(measured), wrong(measured.clean()))


def mean_accuracy_values(measured: Measured) -> NDArray[np.float64]:
    """``(N,)`` the share of the 15 x 5 conditions under which each image is right.

    Raises:
        DataError: a condition is missing.
    """
    return mean_corruption_accuracy_values(corruption_errors(measured))


def published_as(figure: str) -> Callable[[RunSpec], str]:
    """The name of a published figure, of cells under the published protocol alone."""
    return lambda spec: figure if spec.image_protocol == PUBLISHED else ""


def corruption_errors(measured: Measured) -> Mapping[tuple[str, int], NDArray[np.bool_]]:
    """Whether each image was misclassified, for every condition of the 15 x 5.

    Raises:
        DataError: naming how many conditions are missing, and the first.
    """
    needed = [(name, level) for name in CORRUPTIONS for level in SEVERITIES]
    present = set(measured.conditions)
    missing = [Condition(name, level) for name, level in needed if Condition(name, level) not in present]
    if missing:
        first = measured.describe(missing[0])
        raise DataError(f"it needs all 75 corruption conditions and lacks {len(missing)}, such as {first}")
    return {(name, level): wrong(measured.correct(Condition(name, level))) for name, level in needed}


def check_alexnet_applies(spec: RunSpec) -> None:
    """Refuse to divide errors by AlexNet's where these mean nothing.

    Args:
        spec: the identity of a cell of the corruption benchmark.

    Raises:
        DataError: saying why.
    """
    reason = _why_not(spec)
    if reason:
        raise DataError(f"AlexNet's errors normalise ImageNet-C only, and {reason}: {INSTEAD}")


def alexnet_applies(spec: RunSpec) -> bool:
    """Whether ``check_alexnet_applies`` lets the cell pass."""
    return not _why_not(spec)


def _why_not(spec: RunSpec) -> str:
    """What is different from how AlexNet was measured, in words; empty where nothing is."""
    if (spec.label_space, spec.n_classes) != (SPACE, N_CLASSES):
        space = "" if spec.label_space.endswith(" classes") else f" of {spec.label_space}"
        return f"these decisions are among {spec.n_classes:,} classes{space}"
    if spec.parameters.get("definition") == "cifar10_c":
        return "these images are corrupted as those of CIFAR-10-C"
    if spec.image_protocol == "native" and spec.image_size != SIZE:
        return f"these images are corrupted at {spec.image_size[0]}x{spec.image_size[1]} pixels"
    return ""

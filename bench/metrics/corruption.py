"""Corruption error (Hendrycks & Dietterich 2019): per corruption, mean (mCE), relative, and unnormalised."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.errors import DataError
from bench.metrics.estimates import bootstrap_columns
from bench.records import Estimate

ALEXNET_ERROR: Mapping[str, float] = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
    "speckle_noise": 0.845388,
    "gaussian_blur": 0.787108,
    "spatter": 0.717512,
    "saturate": 0.658248,
}
"""AlexNet's top-1 error, mean over the 5 severities: ImageNet-C's published normaliser (hendrycks/robustness)."""

ALEXNET_CLEAN_ERROR = 0.4348
"""AlexNet's top-1 error on clean images (hendrycks/robustness)."""

ALEXNET_ERROR_3D: Mapping[str, float] = {
    "near_focus": 0.61068,
    "far_focus": 0.65152,
    "bit_error": 0.68336,
    "color_quant": 0.5962,
    "flash": 0.80124,
    "fog_3d": 0.77356,
    "h265_abr": 0.5674,
    "h265_crf": 0.5252,
    "iso_noise": 0.93152,
    "low_light": 0.82248,
    "xy_motion_blur": 0.82484,
    "z_motion_blur": 0.79588,
}
"""AlexNet's top-1 error under ImageNet-3DCC, mean over the 5 severities, on RobustBench's 5,000 images
(RobustBench/robustbench, model_info/imagenet/corruptions/unaggregated_results_3d.csv)."""

Errors = Mapping[tuple[str, int], NDArray[np.bool_]]
"""(corruption, severity) -> ``(N,)`` whether each image was misclassified; the same images in the same order."""


def _severity_weights(corruption: str, scale: float) -> dict[tuple[str, int], float]:
    return {(corruption, severity): scale / len(SEVERITIES) for severity in SEVERITIES}


def corruption_error_weights(
    corruption: str, normaliser: Mapping[str, float] = ALEXNET_ERROR
) -> dict[tuple[str, int], float]:
    """CE_c = sum_s E_s / sum_s E_AlexNet,s as a weighted sum of error rates, in percent."""
    return _severity_weights(corruption, 100 / normaliser[corruption])


def relative_corruption_error_weights(corruption: str) -> tuple[dict[tuple[str, int], float], float]:
    """(mean_s E_s - E_clean) / (the same of AlexNet), in percent: weights of the error rates, and of the clean one."""
    scale = 100 / (ALEXNET_ERROR[corruption] - ALEXNET_CLEAN_ERROR)
    return _severity_weights(corruption, scale), -scale


def mean_corruption_error_values(
    errors: Errors, normaliser: Mapping[str, float] = ALEXNET_ERROR, corruptions: Sequence[str] = CORRUPTIONS
) -> NDArray[np.float64]:
    """``(N,)`` what each image contributes: their mean is the mCE, so classifiers can be compared image by image.

    The mCE is 100 x the unweighted mean over the 15 corruptions of the ratio to AlexNet: not a ratio of means, nor a
    mean of per-severity ratios. Other corruptions in ``errors`` do not enter.

    Args:
        errors: of every corruption at every severity.
        normaliser: the mean error over the severities that each corruption's is divided by.
        corruptions: the mean is over these.

    Raises:
        DataError: a corruption or severity is missing.
    """
    weights = _mean_of([corruption_error_weights(corruption, normaliser) for corruption in corruptions])
    return _contributions(errors, weights)


def relative_mean_corruption_error_values(errors: Errors, clean_error: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``(N,)`` what each image contributes: their mean is the relative mCE.

    The relative mCE is 100 x the mean over the 15 corruptions of the relative CE.

    Args:
        errors: as for ``mean_corruption_error_values``.
        clean_error: ``(N,)`` whether each image, uncorrupted, was misclassified.

    Raises:
        DataError: a corruption or severity of the 15 x 5 is missing.
    """
    parts = [relative_corruption_error_weights(corruption) for corruption in CORRUPTIONS]
    contributions = _contributions(errors, _mean_of([weights for weights, _ in parts]))
    clean_weight = float(np.mean([weight for _, weight in parts]))
    return contributions + clean_weight * clean_error


def mean_corruption_accuracy_values(errors: Errors, corruptions: Sequence[str] = CORRUPTIONS) -> NDArray[np.float64]:
    """``(N,)`` the share of the conditions under which each image is right; their mean is never called mCE."""
    weights = _mean_of([_severity_weights(corruption, -1.0) for corruption in corruptions])
    return 1 + _contributions(errors, weights)


def corruption_errors(errors: Errors, corruptions: Sequence[str]) -> list[Estimate]:
    """CE of each corruption in percent of AlexNet's error, in the order of ``corruptions``.

    Raises:
        DataError: a severity of one of them is missing.
    """
    return _estimates([_contributions(errors, corruption_error_weights(corruption)) for corruption in corruptions])


def family_corruption_errors(errors: Errors, families: Sequence[Sequence[str]]) -> list[Estimate]:
    """Mean CE over the corruptions of each family, in the order of ``families``; the mCE is such a mean over all 15.

    Raises:
        DataError: a severity of one of them is missing.
    """
    weights = [_mean_of([corruption_error_weights(name) for name in family]) for family in families]
    return _estimates([_contributions(errors, part) for part in weights])


def family_mean_accuracies(errors: Errors, families: Sequence[Sequence[str]]) -> list[Estimate]:
    """Mean accuracy over the corruptions and severities of each family, in [0,1], in the order of ``families``.

    Raises:
        DataError: a severity of one of them is missing.
    """
    weights = [_mean_of([_severity_weights(name, -1.0) for name in family]) for family in families]
    return _estimates([1 + _contributions(errors, part) for part in weights])


def mean_accuracies(errors: Errors, corruptions: Sequence[str]) -> list[Estimate]:
    """Mean accuracy of each corruption over the 5 severities, in [0,1], in the order of ``corruptions``.

    Raises:
        DataError: a severity of one of them is missing.
    """
    return _estimates([1 + _contributions(errors, _severity_weights(name, -1.0)) for name in corruptions])


def _estimates(columns: Sequence[NDArray[np.float64]]) -> list[Estimate]:
    return bootstrap_columns(np.stack(columns, axis=1)) if columns else []


def _mean_of(parts: list[dict[tuple[str, int], float]]) -> dict[tuple[str, int], float]:
    return {key: weight / len(parts) for part in parts for key, weight in part.items()}


def _contributions(errors: Errors, weights: Mapping[tuple[str, int], float]) -> NDArray[np.float64]:
    missing = [f"{corruption} {severity}" for corruption, severity in weights if (corruption, severity) not in errors]
    if missing:
        raise DataError(f"no outcomes for {', '.join(missing[:4])}" + (", ..." if len(missing) > 4 else ""))
    lengths = {len(errors[key]) for key in weights}
    if len(lengths) != 1:
        raise DataError(f"conditions cover different numbers of images: {sorted(lengths)}")
    total = np.zeros(lengths.pop())
    for key, weight in weights.items():
        total += weight * errors[key]
    return total

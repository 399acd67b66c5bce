"""Calibration of the confidence in the prediction, from what the store holds: top-label confidence and correctness.

``confidence`` is the softmax probability of the predicted class, ``correct`` whether the prediction is right; both are
columns of `bench.records.Outcomes`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.estimates import CONFIDENCE, bootstrap_mean
from bench.records import Estimate

BINS = 15
"""Bins of the calibration errors: those of Guo et al. (2017)."""
ECE_RESAMPLES = 500
"""Bootstrap repetitions: each needs a pass over the images."""

Confidence = NDArray[np.float32] | NDArray[np.float64]


def expected_calibration_error(
    confidence: Confidence, correct: NDArray[np.bool_], *, bins: int = BINS, resamples: int = ECE_RESAMPLES
) -> Estimate:
    """ECE with equal-width bins (Naeini et al. 2015; Guo et al. 2017).

    ``sum_b n_b / N * |accuracy_b - mean confidence_b|`` over the bins ``(0, 1/15], (1/15, 2/15], ..., (14/15, 1]``, as
    in Guo et al.; a confidence of 0 falls into the first.

    Args:
        confidence: ``(N,)`` probability of the prediction, in [0,1].
        correct: ``(N,)`` whether the prediction is right.
        bins: number of bins.
        resamples: bootstrap repetitions of the interval.

    Returns:
        The error in [0,1], with the basic bootstrap interval (see `_bootstrap`). It is biased upwards at few images.

    Raises:
        DataError: no images, columns of different lengths, or a confidence outside [0,1].
    """
    return _bootstrap(confidence, correct, lambda c, r: _equal_width_error(c, r, bins), resamples)


def adaptive_calibration_error(
    confidence: Confidence, correct: NDArray[np.bool_], *, bins: int = BINS, resamples: int = ECE_RESAMPLES
) -> Estimate:
    """ECE with equal-mass bins (Nguyen & O'Connor 2015): images in the order of their confidence, in equal parts.

    ``sum_b n_b / N * |accuracy_b - mean confidence_b|``. Where ``N`` is no multiple of the number of bins, the first
    bins hold one image more. Images of equal confidence stay in their order and may be parted. With fewer images than
    bins, each image is a bin.

    Args:
        confidence: ``(N,)`` probability of the prediction, in [0,1].
        correct: ``(N,)`` whether the prediction is right.
        bins: number of bins.
        resamples: bootstrap repetitions of the interval.

    Returns:
        The error in [0,1], with the basic bootstrap interval (see `_bootstrap`). It is biased upwards at few images.

    Raises:
        DataError: no images, columns of different lengths, or a confidence outside [0,1].
    """
    return _bootstrap(confidence, correct, lambda c, r: _equal_mass_error(c, r, bins), resamples)


def top_label_brier_score(confidence: Confidence, correct: NDArray[np.bool_]) -> Estimate:
    """Brier score of the event "the prediction is right": mean of ``(confidence - correct) ** 2``, in [0,1].

    It is not the multi-class Brier score (Brier 1950), which sums over all classes: only the probability of the
    prediction is stored.

    Args:
        confidence: ``(N,)`` probability of the prediction, in [0,1].
        correct: ``(N,)`` whether the prediction is right.

    Raises:
        DataError: no images, columns of different lengths, or a confidence outside [0,1].
    """
    checked, right = checked_pairs(confidence, correct)
    return bootstrap_mean((checked - right) ** 2)


def mean_confidence(confidence: Confidence) -> Estimate:
    """Mean probability of the prediction, in [0,1].

    Raises:
        DataError: no images.
    """
    return bootstrap_mean(confidence.astype(np.float64))


def classwise_calibration_error(
    confidence: Confidence,
    correct: NDArray[np.bool_],
    prediction: NDArray[np.int64],
    *,
    bins: int = BINS,
    resamples: int = ECE_RESAMPLES,
) -> Estimate:
    """Top-label calibration error by predicted class (Gupta & Ramdas 2022), with equal-width bins.

    ``sum_k n_k / N * ECE_k`` over the predicted classes ``k``: a classifier that is too sure of some classes and not
    sure enough of others has a small ECE and a large error here. The estimate is biased upwards, the more
    the fewer images a class has: compare classifiers on the same images alone. The error over all classes of each image
    (Kull et al. 2019) would need all its probabilities.

    Args:
        confidence: ``(N,)`` probability of the prediction, in [0,1].
        correct: ``(N,)`` whether the prediction is right.
        prediction: ``(N,)`` predicted classes, from 0.
        bins: number of bins.
        resamples: bootstrap repetitions of the interval.

    Returns:
        The error in [0,1], with the basic bootstrap interval (see `_bootstrap`).

    Raises:
        DataError: no images, columns of different lengths, or a confidence outside [0,1].
    """
    if len(prediction) != len(confidence):
        raise DataError(
            f"{len(confidence)} confidences but {len(prediction)} predictions: give both of the same images"
        )
    values, right = checked_pairs(confidence, correct)
    cell = prediction.astype(np.int64) * bins + _equal_width_place(values, bins)
    place = np.unique(cell, return_inverse=True)[1]
    gap = right - values

    def error(times: NDArray[np.int64]) -> float:
        return float(np.abs(np.bincount(place, gap * times)).sum() / len(gap))

    return _basic_interval(error(np.ones(len(gap), dtype=np.int64)), len(gap), error, resamples)


def checked_pairs(
    confidence: Confidence, correct: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both columns as floats.

    Raises:
        DataError: no images, columns of different lengths, or a confidence outside [0,1].
    """
    if len(confidence) != len(correct):
        raise DataError(f"{len(confidence)} confidences but {len(correct)} decisions: they must be of the same images")
    if len(confidence) == 0:
        raise DataError("an empty set has no calibration")
    values = confidence.astype(np.float64)
    # written so that NaN fails too; float32 softmax may exceed 1 by its last bit
    if not ((values >= 0) & (values <= 1 + 1e-6)).all():
        raise DataError("confidences must lie in [0,1]")
    return values, correct.astype(np.float64)


Statistic = Callable[[NDArray[np.float64], NDArray[np.float64]], float]
"""Of confidences in ascending order and whether each prediction is right (1 or 0)."""


def _equal_width_error(confidence: NDArray[np.float64], right: NDArray[np.float64], bins: int) -> float:
    place = _equal_width_place(confidence, bins)
    return float(np.abs(np.bincount(place, right - confidence, bins)).sum() / len(confidence))


def _equal_width_place(confidence: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """``(N,)`` the bin ``((i - 1) / bins, i / bins]`` of each confidence, from 0."""
    return (np.ceil(confidence * bins).astype(np.int64) - 1).clip(0, bins - 1)


def _equal_mass_error(confidence: NDArray[np.float64], right: NDArray[np.float64], bins: int) -> float:
    gap = right - confidence  # in the order of confidence
    n = len(gap)
    # the i-th bin ends where array_split would end it
    starts = np.cumsum([0] + [n // bins + (i < n % bins) for i in range(min(bins, n) - 1)])
    return float(np.abs(np.add.reduceat(gap, starts)).sum() / n)


def _bootstrap(confidence: Confidence, correct: NDArray[np.bool_], statistic: Statistic, resamples: int) -> Estimate:
    """The statistic with the basic bootstrap interval over images (Davison & Hinkley 1997, section 2.4), cut to [0,1].

    A calibration error is a sum of absolute values, so a resample's is larger than the sample's, as the sample's is
    larger than the population's. The basic interval, twice the estimate less the quantiles, takes that off; the
    percentile interval would add it once more.
    """
    values, right = checked_pairs(confidence, correct)
    order = np.argsort(values, kind="stable")
    values, right = values[order], right[order]

    def error(times: NDArray[np.int64]) -> float:
        # repeated in place, the resample needs no sorting of its own
        return statistic(np.repeat(values, times), np.repeat(right, times))

    return _basic_interval(statistic(values, right), len(values), error, resamples)


def _basic_interval(value: float, n: int, error: Callable[[NDArray[np.int64]], float], resamples: int) -> Estimate:
    """``_bootstrap`` of a statistic that is told how often each image is drawn."""
    if n == 1:
        return Estimate(value, float("nan"), float("nan"), n)
    generator = np.random.default_rng([0, n])
    errors = [error(np.bincount(generator.integers(0, n, n), minlength=n)) for _ in range(resamples)]
    tail = (1 - CONFIDENCE) / 2
    high, low = 2 * value - np.quantile(errors, [tail, 1 - tail])
    return Estimate(value, float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1)), n)

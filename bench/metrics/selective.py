"""Selective prediction: how accuracy rises when the least confident images are left to somebody else.

Everything follows from two columns that every cell has: the confidence in the prediction, and whether it is right.
Images of equal confidence cannot be told apart, so each of them counts with the mean error of all of them: figures are
the expectation over their orders, and do not depend on the order of the images.

Intervals are those of the influence function (Hampel 1974): every figure here is smooth in the distribution of images.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, xlog1py

from bench.errors import DataError
from bench.metrics.calibration import Confidence, checked_pairs
from bench.metrics.estimates import CONFIDENCE, exact_interval
from bench.records import Estimate


@dataclass(frozen=True)
class RiskCoverage:
    """The risk-coverage curve (El-Yaniv & Wiener 2010): errors among the images that are answered."""

    coverage: NDArray[np.float64]
    """``(N,)`` share of the images that are answered, ``1/N .. 1``, the most confident first."""
    risk: NDArray[np.float64]
    """``(N,)`` share of errors among these."""


def risk_coverage(confidence: Confidence, correct: NDArray[np.bool_]) -> RiskCoverage:
    """The risk at every coverage.

    Args:
        confidence: ``(N,)`` in [0,1].
        correct: ``(N,)`` whether the prediction is right.

    Raises:
        DataError: no images, columns of different lengths, or a confidence outside [0,1].
    """
    errors = _errors_in_order(confidence, correct)[0]
    ranks = np.arange(1, len(errors) + 1)
    return RiskCoverage(ranks / len(errors), np.cumsum(errors) / ranks)


def aurc_values(confidence: Confidence, correct: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``(N,)`` what each image contributes to the area under the risk-coverage curve: their mean is the area.

    The area is the mean of the risks at the coverages ``1/N .. 1`` (Geifman, Uziel & El-Yaniv 2019), in which the error
    at rank ``r`` has the weight ``sum_{j >= r} 1/j``.

    Args:
        confidence: ``(N,)`` in [0,1].
        correct: ``(N,)`` whether the prediction is right.

    Raises:
        DataError: as of ``risk_coverage``.
    """
    errors, order = _errors_in_order(confidence, correct)
    values = np.empty(len(errors))
    values[order] = errors * _rank_weights(len(errors))
    return values


def aurc(confidence: Confidence, correct: NDArray[np.bool_]) -> Estimate:
    """Area under the risk-coverage curve, in [0,1]; lower is better. Arguments and errors as of ``risk_coverage``."""
    errors = _errors_in_order(confidence, correct)[0]
    area = float((errors * _rank_weights(len(errors))).mean())
    return _with_interval(area, _aurc_influence(errors, area), lowest=0)


def excess_aurc(confidence: Confidence, correct: NDArray[np.bool_]) -> Estimate:
    """AURC less that of an order with all errors last (E-AURC; Geifman, Uziel & El-Yaniv 2019).

    0 is a confidence that puts every right answer before every wrong one, whatever the accuracy. The best area is that
    of the same number of errors; the paper's ``r + (1 - r) ln(1 - r)`` is its limit for many images.
    """
    errors = _errors_in_order(confidence, correct)[0]
    n, risk = len(errors), float(errors.mean())
    weights = _rank_weights(n)
    n_wrong = round(risk * n)
    area, best = float((errors * weights).mean()), float(weights[n - n_wrong :].sum() / n)
    slope = np.log1p(-risk) if risk < 1 else 0.0  # minus the derivative of the best area
    return _with_interval(area - best, _aurc_influence(errors, area) + slope * (errors - risk), lowest=0)


def aurra(confidence: Confidence, correct: NDArray[np.bool_]) -> Estimate:
    """Area under the response rate accuracy curve (Hendrycks et al. 2021, Natural Adversarial Examples): 1 - AURC."""
    area = aurc(confidence, correct)
    return Estimate(1 - area.value, 1 - area.high, 1 - area.low, area.n)


def accuracy_at_coverage(confidence: Confidence, correct: NDArray[np.bool_], coverage: float) -> Estimate:
    """Accuracy on the ``ceil(coverage * N)`` most confident images, with the exact interval of their number.

    Args:
        confidence: ``(N,)`` in [0,1].
        correct: ``(N,)`` whether the prediction is right.
        coverage: share of the images that are answered, above 0 and up to 1.

    Raises:
        DataError: as of ``risk_coverage``, or a coverage out of range.
    """
    errors, kept = _answered(confidence, correct, coverage)
    hits = kept - float(errors[:kept].sum())
    low, high = exact_interval(np.array([hits]), kept)
    return Estimate(hits / kept, float(low[0]), float(high[0]), kept)


def accuracy_at_coverage_values(
    confidence: Confidence, correct: NDArray[np.bool_], coverage: float
) -> NDArray[np.float64]:
    """``(N,)`` what each image contributes to ``accuracy_at_coverage``: their mean is the accuracy."""
    errors, kept = _answered(confidence, correct, coverage)
    order = _errors_in_order(confidence, correct)[1]
    values = np.zeros(len(errors))
    values[order[:kept]] = (1 - errors[:kept]) * len(errors) / kept
    return values


def overconfidence(confidence: Confidence, correct: NDArray[np.bool_]) -> Estimate:
    """Mean confidence minus accuracy, in [-1,1]: 0 where confidence is right on average. As of ``risk_coverage``."""
    values, right = checked_pairs(confidence, correct)
    gap = values - right
    return _with_interval(float(gap.mean()), gap, lowest=-1)


def _answered(confidence: Confidence, correct: NDArray[np.bool_], coverage: float) -> tuple[NDArray[np.float64], int]:
    """Errors in the order of confidence, and how many images are answered."""
    if not 0 < coverage <= 1:
        raise DataError(f"a coverage lies above 0 and up to 1, not at {coverage}")
    errors = _errors_in_order(confidence, correct)[0]
    return errors, int(np.ceil(coverage * len(errors) - 1e-9))  # .3 of 10 images are 3


def _errors_in_order(
    confidence: Confidence, correct: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """``(N,)`` errors, the most confident image first, those of equal confidence averaged; and where the images are."""
    values, right = checked_pairs(confidence, correct)
    order = np.argsort(-values, kind="stable")
    _, of_image, counts = np.unique(-values[order], return_inverse=True, return_counts=True)
    wrong = np.bincount(of_image, 1 - right[order])
    return (wrong / counts)[of_image], order


def _rank_weights(n: int) -> NDArray[np.float64]:
    """``(n,)`` of rank ``r = 1 .. n``: ``sum_{j >= r} 1/j``."""
    weights: NDArray[np.float64] = np.cumsum(1 / np.arange(n, 0, -1))[::-1]
    return weights


def _aurc_influence(errors: NDArray[np.float64], area: float) -> NDArray[np.float64]:
    """``(N,)`` influence of each image on AURC.

    With the risk ``R(c)`` at coverage ``c``, an image with error ``e`` at coverage ``t`` has the influence
    ``R(t) - AURC + integral_t^1 (e - R(c)) / c dc``: as one more threshold, and in the risk of every larger coverage.
    """
    ranks = np.arange(1, len(errors) + 1)
    risk = np.cumsum(errors) / ranks
    above = np.cumsum((risk / ranks)[::-1])[::-1]
    return risk - area + errors * _rank_weights(len(errors)) - above


def _with_interval(value: float, influence: NDArray[np.float64], *, lowest: float) -> Estimate:
    """The normal interval, cut to ``[lowest, 1]``."""
    n = len(influence)
    if n == 1:
        return Estimate(value, float("nan"), float("nan"), n)
    half_width = -float(ndtri((1 - CONFIDENCE) / 2)) * float(influence.std(ddof=1)) / np.sqrt(n)
    return Estimate(value, max(lowest, value - half_width), min(1.0, value + half_width), n)


def limit_of_best_aurc(risk: float) -> float:
    """AURC of a perfect order at error rate ``risk`` as the images become many: ``r + (1 - r) ln(1 - r)``."""
    return risk + float(xlog1py(1 - risk, -risk))

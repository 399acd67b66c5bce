"""How well a score tells images of no known class from ordinary ones (OpenOOD v1.5; Zhang et al. 2023).

Images of no known class (out of distribution, OOD) are the positive class. A score is larger for images that look more
like OOD: minus the confidence. A pair of an OOD image and an ordinary one with equal scores counts as half right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from bench.errors import DataError
from bench.metrics.estimates import CONFIDENCE, exact_interval
from bench.records import Estimate

Scores = NDArray[np.float32] | NDArray[np.float64]

RESAMPLES = 500
"""Bootstrap repetitions of the average precision: each needs a sort of both sets."""
TPR = 0.95
"""Share of OOD images that must be recognised where the false positives are counted (Hendrycks & Gimpel 2017)."""


@dataclass(frozen=True)
class PrecisionRecallAreas:
    """Areas under the precision-recall curves; both depend on the ratio of the numbers of images."""

    ood_positive: float
    """OOD images are the positive class; ``N_ood / (N_ood + N_ordinary)`` is that of a random score."""
    ordinary_positive: float
    """Ordinary images are the positive class."""


def placements(ood: Scores, ordinary: Scores) -> NDArray[np.float64]:
    """``(N_ood,)`` the share of ordinary images that each OOD image's score is above: their mean is the AUROC.

    Raises:
        DataError: one of the sets is empty, or a score is NaN.
    """
    n_ood, n_ordinary = _sizes(ood, ordinary)
    among_all = rankdata(np.concatenate([ood, ordinary]))[:n_ood]
    return np.asarray((among_all - rankdata(ood)) / n_ordinary, dtype=np.float64)


def auroc(ood: Scores, ordinary: Scores) -> Estimate:
    """Probability that an OOD image has the larger score, with the interval of DeLong, DeLong & Clarke-Pearson (1988).

    Args:
        ood: ``(N_ood,)`` scores of the OOD images.
        ordinary: ``(N_ordinary,)`` scores of ordinary images.

    Raises:
        DataError: one of the sets is empty, or a score is NaN.
    """
    return mean_auroc([ood], ordinary)


def mean_auroc(sets: Sequence[Scores], ordinary: Scores) -> Estimate:
    """Mean AUROC over several OOD sets, all against the same ordinary images.

    The interval is DeLong's for the mean: the sets are independent of each other, and share the ordinary images. Where
    all sets are told apart without an error, DeLong's has no width; the exact bound of as many independent pairs as the
    smallest set has images stands in its place, which is too wide rather than too narrow.

    Args:
        sets: ``(N_s,)`` scores of each set, at least one.
        ordinary: ``(N_ordinary,)`` scores of ordinary images.

    Raises:
        DataError: no set, an empty one, or a score that is NaN.
    """
    if not sets:
        raise DataError("there is no set of images of no known class")
    by_set = [placements(own, ordinary) for own in sets]
    value = float(np.mean([own.mean() for own in by_set]))
    # of each ordinary image: the share of OOD images above it
    shared = np.mean([placements(-ordinary, -own) for own in sets], axis=0)
    n = sum(len(own) for own in by_set)
    if min(len(ordinary), *(len(own) for own in by_set)) == 1:
        return Estimate(value, float("nan"), float("nan"), n)
    if value in (0.0, 1.0):
        pairs = min(len(ordinary), *(len(own) for own in by_set))
        low, high = exact_interval(np.array([round(value) * pairs]), pairs)
        return Estimate(value, float(low[0]), float(high[0]), n)
    variance = shared.var(ddof=1) / len(ordinary)
    variance += sum(own.var(ddof=1) / len(own) for own in by_set) / len(sets) ** 2
    half_width = -float(ndtri((1 - CONFIDENCE) / 2)) * float(np.sqrt(variance))
    return Estimate(value, max(0.0, value - half_width), min(1.0, value + half_width), n)


def precision_recall_areas(ood: Scores, ordinary: Scores) -> PrecisionRecallAreas:
    """Areas under both precision-recall curves, by the trapezoidal rule as in OpenOOD.

    Precision is linear in recall between the curve's points, one for each distinct score, and 1 at recall 0.

    Raises:
        DataError: one of the sets is empty, or a score is NaN.
    """
    _sizes(ood, ordinary)
    return PrecisionRecallAreas(_trapezoid(ood, ordinary), _trapezoid(-ordinary, -ood))


def precision_at_images(ood: Scores, ordinary: Scores) -> NDArray[np.float64]:
    """``(N_ood,)`` the share of OOD images among all with at least each OOD image's score: their mean is the precision.

    Raises:
        DataError: one of the sets is empty, or a score is NaN.
    """
    n_ood, n_ordinary = _sizes(ood, ordinary)
    above = n_ood - np.searchsorted(np.sort(ood), ood, side="left")
    below = n_ordinary - np.searchsorted(np.sort(ordinary), ood, side="left")
    return np.asarray(above / (above + below), dtype=np.float64)


def average_precision(ood: Scores, ordinary: Scores, *, resamples: int = RESAMPLES) -> Estimate:
    """Average precision with OOD images as the positive class, as of ImageNet-O (Hendrycks et al. 2021).

    The step-wise area under the precision-recall curve. The interval is the percentile bootstrap's over both sets of
    images, which are drawn by themselves, so that their ratio stays.

    Args:
        ood: ``(N_ood,)`` scores of the OOD images.
        ordinary: ``(N_ordinary,)`` scores of ordinary images.
        resamples: bootstrap repetitions.

    Raises:
        DataError: one of the sets is empty, or a score is NaN.
    """
    value = float(precision_at_images(ood, ordinary).mean())
    if min(len(ood), len(ordinary)) == 1:
        return Estimate(value, float("nan"), float("nan"), len(ood))
    n_ood, n_ordinary = len(ood), len(ordinary)
    distinct, place = np.unique(-np.concatenate([ood, ordinary]), return_inverse=True)  # the largest score first
    of_ood, of_ordinary = place[:n_ood], place[n_ood:]
    generator = np.random.default_rng([0, n_ood, n_ordinary])
    drawn = []
    for _ in range(resamples):
        own = np.bincount(of_ood[generator.integers(0, n_ood, n_ood)], minlength=len(distinct))
        other = np.bincount(of_ordinary[generator.integers(0, n_ordinary, n_ordinary)], minlength=len(distinct))
        hits = own.cumsum()
        drawn.append(float((own * hits / np.maximum(1, hits + other.cumsum())).sum() / n_ood))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Estimate(value, float(low), float(high), len(ood))


def fpr_at_tpr(ood: Scores, ordinary: Scores, tpr: float = TPR) -> Estimate:
    """Share of ordinary images taken for OOD, at the largest threshold that recognises ``tpr`` of the OOD images.

    An image is taken for OOD where its score is at least the threshold, which is the score of an OOD image. So images
    of one score stand together: with ties, more OOD images than asked for may be recognised. The interval is that of
    the ordinary images alone; the threshold counts as given.

    Args:
        ood: ``(N_ood,)`` scores of the OOD images.
        ordinary: ``(N_ordinary,)`` scores of ordinary images.
        tpr: above 0 and up to 1.

    Raises:
        DataError: one of the sets is empty, a score is NaN, or ``tpr`` is out of range.
    """
    n_ood, n_ordinary = _sizes(ood, ordinary)
    if not 0 < tpr <= 1:
        raise DataError(f"a true positive rate lies above 0 and up to 1, not at {tpr}")
    needed = int(np.ceil(tpr * n_ood - 1e-9))  # .95 of 20 images are 19
    threshold = np.sort(ood)[n_ood - needed]
    taken = int(np.count_nonzero(ordinary >= threshold))
    low, high = exact_interval(np.array([taken]), n_ordinary)
    return Estimate(taken / n_ordinary, float(low[0]), float(high[0]), n_ordinary)


def _trapezoid(positive: Scores, negative: Scores) -> float:
    scores = np.concatenate([positive, negative])
    order = np.argsort(-scores, kind="stable")
    is_positive = np.arange(len(scores))[order] < len(positive)
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # the last image of each distinct score
    hits = np.cumsum(is_positive)[ends]
    precision, recall = np.append(1.0, hits / (ends + 1)), np.append(0.0, hits / len(positive))
    return float(np.trapezoid(precision, recall))


def _sizes(ood: Scores, ordinary: Scores) -> tuple[int, int]:
    if not len(ood) or not len(ordinary):
        raise DataError(f"{len(ood)} images of no known class and {len(ordinary)} ordinary ones: both are needed")
    if np.isnan(ood).any() or np.isnan(ordinary).any():
        raise DataError("a score is NaN")
    return len(ood), len(ordinary)

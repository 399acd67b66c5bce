"""Split conformal prediction sets (Vovk et al. 2005; Lei et al. 2018) from a few stored numbers of each image.

A score says how badly a class fits an image. The sets hold every class whose score is at most a quantile of the scores
of the labels on calibration images. On images of the same distribution they hold the label with probability
``1 - alpha`` at least, and at most ``1 - alpha + 1 / (n + 1)`` where no two scores are equal.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError

RANKS: tuple[int, ...] = (*range(1, 17), 20, 25, 32, 40, 50, 63, 80, 100, 126, 160, 200, 250, 320, 400, 500, 630, 800)
"""Ranks whose cumulative probability is stored: all to 16, and then in steps of about a quarter."""
METHODS = ("threshold", "adaptive")
"""``threshold``: one minus the probability (Sadinle, Lei & Wasserman 2019), the smallest sets on average. ``adaptive``:
the probability of all likelier classes and a random share of its own (APS; Romano, Sesia & Candes 2020), larger sets
for harder images."""
TOLERANCE = 1e-12
"""Of comparisons with the quantile, which is the score of an image."""


@dataclass(frozen=True)
class StoredProfile:
    """What is stored of the probabilities of ``N`` images."""

    label: NDArray[np.float64]
    """``(N,)`` probability of the label."""
    above: NDArray[np.float64]
    """``(N,)`` probability of all classes that come before the label in the order of probability."""
    cumulative: NDArray[np.float64]
    """``(N, R)`` probability of the ``r`` likeliest classes, for the ranks of ``stored_ranks(n_classes)``."""
    share: NDArray[np.float64]
    """``(N,)`` uniform in [0,1): the random share of each image."""
    n_classes: int
    """``K``."""

    def __post_init__(self) -> None:
        if self.cumulative.shape != (len(self.label), len(stored_ranks(self.n_classes))):
            raise DataError(
                f"the stored probabilities are not those of {len(self.label)} images, {self.n_classes} classes"
            )

    def rows(self, rows: NDArray[np.bool_]) -> "StoredProfile":
        """Those of the images where ``rows``, ``(N,)``, is true."""
        return StoredProfile(
            self.label[rows], self.above[rows], self.cumulative[rows], self.share[rows], self.n_classes
        )


def stored_ranks(n_classes: int) -> list[int]:
    """The ranks whose cumulative probability is stored for so many classes; at the last class it is 1."""
    return [rank for rank in RANKS if rank < n_classes]


def label_scores(profile: StoredProfile, method: str) -> NDArray[np.float64]:
    """``(N,)`` score of each image's label.

    Args:
        profile: what is stored.
        method: of ``METHODS``.
    """
    if method == "threshold":
        return 1 - profile.label
    return profile.above + profile.share * profile.label


def conformal_quantile(scores: NDArray[np.float64], alpha: float) -> float:
    """The ``ceil((n + 1)(1 - alpha))``-th smallest of ``n`` calibration scores; infinite where ``n`` is too small.

    Args:
        scores: ``(n,)`` or ``(..., n)`` scores of the labels of calibration images.
        alpha: share of images whose set may lack the label, in (0,1).

    Raises:
        DataError: no scores, or ``alpha`` out of range.
    """
    return float(conformal_quantiles(scores[None], alpha)[0])


def conformal_quantiles(scores: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """``conformal_quantile`` of each row of ``(M, n)`` scores."""
    n = scores.shape[-1]
    if n == 0 or not 0 < alpha < 1:
        raise DataError(f"conformal sets need calibration images and an alpha in (0,1): {n} images, alpha {alpha}")
    rank = int(np.ceil((n + 1) * (1 - alpha) - 1e-9))
    if rank > n:
        return np.full(scores.shape[:-1], np.inf)
    return np.partition(scores, rank - 1, axis=-1)[..., rank - 1]


def set_sizes(profile: StoredProfile, method: str, quantile: float) -> NDArray[np.int64]:
    """``(N,)`` classes in each image's set.

    Beyond the ranks that are all stored, the cumulative probability is joined linearly, so that a set of more than 16
    classes may be wrong by part of the step between the ranks beside it.

    Args:
        profile: what is stored.
        method: of ``METHODS``.
        quantile: of ``conformal_quantile``.
    """
    ranks = np.array([0, *stored_ranks(profile.n_classes), profile.n_classes])
    ends = np.ones((len(profile.label), 1))
    before = np.hstack([np.zeros_like(ends), profile.cumulative])
    steps = np.diff(ranks)
    own = np.diff(np.hstack([before, ends]), axis=1).clip(min=0) / steps  # of each class of a step
    if method == "threshold":
        fits = (1 - own <= quantile + TOLERANCE) * steps
    else:
        # the j-th class of a step has the score before + (j - 1 + share) own
        with np.errstate(divide="ignore", invalid="ignore"):
            last = np.floor((quantile + TOLERANCE - before) / own - profile.share[:, None] + 1)
        whole = np.where(before <= quantile + TOLERANCE, steps, 0)
        fits = np.where(own > 0, np.clip(np.nan_to_num(last), 0, steps), whole)
    return np.asarray(fits.sum(axis=1), dtype=np.int64)

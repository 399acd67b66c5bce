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
BLOCK = 2000
"""Images whose profiles are spread out at once: 16 MB at 1,000 classes."""


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
    spread = _spread(profile.n_classes)
    sizes = [
        np.count_nonzero(
            _class_scores(profile.cumulative[start : start + BLOCK] @ spread[:-1] + spread[-1], share, method)
            <= quantile + 1e-12,
            axis=1,
        )
        for start in range(0, len(profile.label), BLOCK)
        for share in (profile.share[start : start + BLOCK, None],)
    ]
    return np.concatenate(sizes)


def _class_scores(cumulative: NDArray[np.float64], share: NDArray[np.float64], method: str) -> NDArray[np.float64]:
    """``(B,K)`` scores of the classes in the order of probability, from their cumulative probability ``(B,K)``."""
    own = np.diff(cumulative, axis=1, prepend=0)
    if method == "threshold":
        return np.asarray(1 - own)
    return np.asarray(cumulative - own + share * own)


def _spread(n_classes: int) -> NDArray[np.float64]:
    """``(R + 1, K)``: weights of the stored ranks, and of the last one, in the cumulative probability of every rank."""
    ranks = np.array([0, *stored_ranks(n_classes), n_classes])
    weights = [np.interp(np.arange(1, n_classes + 1), ranks, row) for row in np.eye(len(ranks))]
    return np.stack(weights[1:])

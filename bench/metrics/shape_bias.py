"""Shape bias and cue accuracy on cue-conflict images (Geirhos et al. 2019), from decisions by name of category."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.estimates import bootstrap_means, expanded_interval, proportion
from bench.records import Estimate


@dataclass(frozen=True)
class CueTrials:
    """What was shown and what was answered, one entry per image."""

    shape: NDArray[Any]
    """``(N,)`` category of the shape."""
    texture: NDArray[Any]
    """``(N,)`` category of the texture."""
    decision: NDArray[Any]
    """``(N,)`` category decided on; anything else (``na``: no answer in time) matches neither cue."""

    def conflicting(self) -> "CueTrials":
        """The trials whose cues disagree: 1,200 of the published 1,280 images.

        Raises:
            DataError: there are none.
        """
        kept = self.shape != self.texture
        if not kept.any():
            raise DataError("no image has a shape and a texture that disagree: shape bias is not defined")
        return self._part(kept)

    def of_category(self, category: str) -> "CueTrials":
        """The trials with the shape of ``category``."""
        return self._part(self.shape == category)

    def _part(self, kept: NDArray[np.bool_]) -> "CueTrials":
        return CueTrials(self.shape[kept], self.texture[kept], self.decision[kept])

    @property
    def follows_shape(self) -> NDArray[np.bool_]:
        """``(N,)`` whether the decision is the shape's category."""
        return np.asarray(self.decision == self.shape, dtype=bool)

    @property
    def follows_texture(self) -> NDArray[np.bool_]:
        """``(N,)`` whether the decision is the texture's category."""
        return np.asarray(self.decision == self.texture, dtype=bool)

    def __len__(self) -> int:
        return len(self.shape)


@dataclass(frozen=True)
class CueCounts:
    """Decisions over the trials whose cues disagree."""

    n: int
    """All images shown."""
    n_conflict: int
    """Those whose cues disagree; all below counts these alone."""
    shape: int
    """Decisions for the shape."""
    texture: int
    """Decisions for the texture."""
    other: int
    """Decisions for neither, no answer included."""


def count_cues(trials: CueTrials) -> CueCounts:
    """How often shape, texture and neither were decided on.

    Raises:
        DataError: no trial's cues disagree.
    """
    conflict = trials.conflicting()
    shape, texture = int(conflict.follows_shape.sum()), int(conflict.follows_texture.sum())
    return CueCounts(len(trials), len(conflict), shape, texture, len(conflict) - shape - texture)


def shape_bias(trials: CueTrials) -> Estimate:
    """Shape decisions / (shape + texture decisions), pooled over the conflicting trials, with its exact interval.

    Decisions for neither cue are not in the denominator: see `cue_accuracy`. It is not the mean of the per-category
    values.

    Raises:
        DataError: no trial's cues disagree, or no decision matches a cue.
    """
    conflict = trials.conflicting()
    matches = conflict.follows_shape | conflict.follows_texture
    if not matches.any():
        raise DataError(f"none of the {len(conflict)} decisions matches a cue: shape bias is not defined")
    return proportion(conflict.follows_shape[matches])


def shape_bias_values(trials: CueTrials) -> NDArray[np.float64]:
    """What each conflicting image contributes to the shape bias, linearised (the delta method for a ratio).

    Their mean is the shape bias exactly, and the variance of their mean its variance to first order, so that two
    classifiers can be compared image by image although they match a cue on different images.

    Returns:
        ``(N_conflict,)``.

    Raises:
        DataError: no trial's cues disagree, or no decision matches a cue.
    """
    bias = shape_bias(trials).value
    conflict = trials.conflicting()
    matches = conflict.follows_shape | conflict.follows_texture
    values: NDArray[np.float64] = bias + (conflict.follows_shape - bias * matches) / matches.mean()
    return values


def bootstrap_shape_bias(trials: CueTrials, images: NDArray[Any] | None = None, *, seed: int = 0) -> Estimate:
    """The same value with a bootstrap interval over the conflicting images, which also resamples how many match a cue.

    Equal images mean equal resamples, so that decision makers are paired. The ends are NaN where there is one image, or
    where a resample without any matching decision leaves the ratio undefined.

    Args:
        trials: of one decision maker, or of several pooled.
        images: ``(N,)`` the image of each trial where several trials showed one: it is drawn with all of them.
        seed: of the resamples.

    Raises:
        DataError: no trial's cues disagree, or no decision matches a cue.
    """
    value = shape_bias(trials)
    conflict = trials.conflicting()
    matches = conflict.follows_shape | conflict.follows_texture
    low, high = _resampled_ratio(conflict.follows_shape, matches, _conflicting(trials, images), seed)
    return Estimate(value.value, low, high, value.n)


def bootstrap_cue_accuracy(trials: CueTrials, images: NDArray[Any] | None = None, *, seed: int = 0) -> Estimate:
    """``cue_accuracy`` with a bootstrap interval over images, arguments as of ``bootstrap_shape_bias``.

    Raises:
        DataError: no trial's cues disagree.
    """
    hits = cue_hits(trials)
    low, high = _resampled_ratio(hits, np.ones(len(hits), dtype=bool), _conflicting(trials, images), seed)
    return Estimate(float(hits.mean()), low, high, len(hits))


def _conflicting(trials: CueTrials, images: NDArray[Any] | None) -> NDArray[Any]:
    """The image of each conflicting trial."""
    kept = trials.shape != trials.texture
    return np.arange(int(kept.sum())) if images is None else images[kept]


def _resampled_ratio(
    top: NDArray[np.bool_], bottom: NDArray[np.bool_], images: NDArray[Any], seed: int
) -> tuple[float, float]:
    """The interval of sum(top) / sum(bottom) when images are drawn, each with all of its trials."""
    _, place = np.unique(images, return_inverse=True)
    if place.max() == 0:
        return math.nan, math.nan
    means = bootstrap_means(np.stack([np.bincount(place, part) for part in (top, bottom)], axis=1), seed=seed)
    with np.errstate(invalid="ignore"):
        low, high = expanded_interval(means[:, 0] / means[:, 1], int(place.max()) + 1)
    return float(low), float(high)


def cue_accuracy(trials: CueTrials) -> Estimate:
    """Decisions for either cue / all conflicting trials, with the exact interval.

    Raises:
        DataError: no trial's cues disagree.
    """
    return proportion(cue_hits(trials))


def cue_hits(trials: CueTrials) -> NDArray[np.bool_]:
    """``(N_conflict,)`` whether the decision on each conflicting image matches either cue."""
    conflict = trials.conflicting()
    return conflict.follows_shape | conflict.follows_texture


def category_shape_biases(trials: CueTrials) -> dict[str, Estimate]:
    """Shape bias of each category of shape, by name; NaN of 0 decisions where none matches a cue.

    Raises:
        DataError: no trial's cues disagree.
    """
    conflict = trials.conflicting()
    biases = {}
    for category in sorted(set(conflict.shape.tolist())):
        part = conflict.of_category(category)
        matches = part.follows_shape | part.follows_texture
        undefined = Estimate(math.nan, math.nan, math.nan, 0)
        biases[str(category)] = proportion(part.follows_shape[matches]) if matches.any() else undefined
    return biases

"""Images of no known class: does the classifier's confidence say so? (OpenOOD v1.5; Zhang et al. 2023)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from bench.benchmarks.base import Batch, Benchmark
from bench.benchmarks.metric import HIGHER, Measured, Metric
from bench.benchmarks.stored_scores import judge_unlabelled, known_class_scores
from bench.errors import DataError
from bench.metrics.ood import mean_auroc, placements
from bench.records import Condition, Estimate, Outcomes

AXIS = "Out of distribution"
NEAR = ("ssb_hard", "ninco")
FAR = ("inaturalist", "textures", "openimage_o")
"""Sets of OpenOOD v1.5's ImageNet benchmark, whose means are its near-OOD and far-OOD figures."""


def ood_scores(outcomes: pd.DataFrame, score: str) -> dict[str, NDArray[np.float64]]:
    """Set -> ``(N_set,)`` scores of its images, larger for images that look more like no known class.

    The set of an image is the first part of its name.

    Args:
        outcomes: stored ones.
        score: a name in ``bench.benchmarks.stored_scores.SCORES``.
    """
    sets = np.array([str(name).partition("/")[0] for name in outcomes["image_id"]])
    scores = -known_class_scores(outcomes)[score]
    return {str(name): scores[sets == name] for name in np.unique(sets)}


def ordinary_scores(measured: Measured, compared_with: str, score: str) -> NDArray[np.float64]:
    """``(N,)`` scores of the ordinary images, as of ``ood_scores``.

    Raises:
        DataError: the benchmark ``compared_with`` was not run, or its classes are not those of the OOD images.
    """
    return -known_class_scores(measured.outcomes_of(compared_with, Condition(compared_with)))[score]


def _mean_over(group: str) -> tuple[Callable[[Measured], NDArray[np.float64]], Callable[[Measured], Estimate]]:
    """Values and estimate of the mean AUROC over the sets that the parameter ``group`` lists."""

    def scores(measured: Measured) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
        by_set = ood_scores(measured.outcomes(Condition(Ood.name)), "msp")
        listed = _listed(measured, group)
        missing = [name for name in listed if name not in by_set]
        if not listed:
            raise DataError(f"it lists no {group} sets")
        if missing:
            raise DataError(f"the images have no set {', '.join(missing)}, which {group} lists")
        return [by_set[name] for name in listed], ordinary_scores(measured, Ood.compared_with, "msp")

    def values(measured: Measured) -> NDArray[np.float64]:
        sets, ordinary = scores(measured)
        n = sum(map(len, sets))
        return np.concatenate([placements(own, ordinary) * n / (len(sets) * len(own)) for own in sets])

    return values, lambda measured: mean_auroc(*scores(measured))


def _listed(measured: Measured, group: str) -> Sequence[str]:
    listed = measured.spec.parameters[group]
    assert isinstance(listed, Sequence)
    return [str(name) for name in listed]


NEAR_VALUES, NEAR_MEAN = _mean_over("near")
FAR_VALUES, FAR_MEAN = _mean_over("far")


@dataclass(frozen=True, kw_only=True)
class Unlabelled(Benchmark):
    """What the benchmarks on images of no known class share."""

    version = "1"
    axis = AXIS
    strength_unit = ""
    own_images = True
    unlabelled = True

    @property
    def label_kind(self) -> str:
        """``sets``: the images are sorted into sets, and show no class."""
        return "sets"

    def conditions(self) -> tuple[Condition, ...]:
        """The one condition: the images as they are."""
        return (Condition(self.name),)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass.

        Returns:
            Outcomes with the label -1 and the columns of ``bench.benchmarks.stored_scores.score_columns``.
        """
        del condition, seed
        with torch.no_grad():
            return judge_unlabelled(classifier(batch.pixels()), batch)


@dataclass(frozen=True, kw_only=True)
class Ood(Unlabelled):
    """Scores of images that show none of the classifier's classes, to be compared with those of ``trust_scores``.

    Args:
        near: the sets of which near-OOD figures are the mean, as the images are sorted into sets.
        far: likewise, far-OOD figures.
    """

    near: tuple[str, ...] = NEAR
    far: tuple[str, ...] = FAR

    name = "ood"
    compared_with = "trust_scores"
    metrics = (
        Metric(
            "near_ood_auroc",
            "Near-OOD AUROC",
            HIGHER,
            NEAR_VALUES,
            exact=NEAR_MEAN,
            applies=lambda spec: bool(spec.parameters["near"]),
        ),
        Metric(
            "far_ood_auroc",
            "Far-OOD AUROC",
            HIGHER,
            FAR_VALUES,
            exact=FAR_MEAN,
            applies=lambda spec: bool(spec.parameters["far"]),
            note="AUROC is the probability that the maximum softmax probability is lower on an image of no known class"
            " than on an ordinary one; other scores are in ood.csv.",
        ),
    )
    citation = "Zhang et al., OpenOOD v1.5: Enhanced Benchmark for Out-of-Distribution Detection, DMLR 2024"

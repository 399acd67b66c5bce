"""Shape against texture on cue-conflict images (Geirhos et al. 2019)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from bench.benchmarks.base import Batch
from bench.benchmarks.metric import HIGHER, Measured, Metric
from bench.benchmarks.sixteen_way import SixteenWay, judge_categories
from bench.data.categories import CATEGORIES, read_cues
from bench.errors import DataError
from bench.metrics.shape_bias import CueTrials, cue_hits, shape_bias, shape_bias_values
from bench.records import Condition, Estimate, Outcomes


def read_trials(outcomes: pd.DataFrame) -> CueTrials:
    """Outcomes on cue-conflict images as `bench.metrics.shape_bias` takes them."""
    shape, texture, decision = (outcomes[name].to_numpy(dtype=object) for name in ("shape", "texture", "decision"))
    return CueTrials(shape, texture, decision)


def _trials(measured: Measured) -> CueTrials:
    return read_trials(measured.outcomes(Condition(CueConflict.name)))


def _shape_bias_values(measured: Measured) -> NDArray[np.float64]:
    return shape_bias_values(_trials(measured))


def _shape_bias(measured: Measured) -> Estimate:
    return shape_bias(_trials(measured))


def _cue_hits(measured: Measured) -> NDArray[np.bool_]:
    return cue_hits(_trials(measured))


@dataclass(frozen=True, kw_only=True)
class CueConflict(SixteenWay):
    """16-way decision on images with the shape of one category and the texture of another.

    ``cat/cat7-elephant2.png`` has a cat's shape and an elephant's texture. Every image has an outcome; those whose
    cues agree are left out of the shape bias by `bench.metrics.shape_bias`. The label is the shape, so that an outcome
    is ``correct`` when the decision follows the shape.
    """

    name = "cue_conflict"
    version = "1"
    axis = "Cue conflict"
    several = False
    own_images = True
    metrics = (
        Metric("shape_bias", "Shape bias", HIGHER, _shape_bias_values, exact=_shape_bias),
        Metric("cue_accuracy", "Cue accuracy", HIGHER, _cue_hits),
    )
    citation = "Geirhos et al., ImageNet-trained CNNs are biased towards texture, ICLR 2019"

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass.

        Returns:
            Outcomes with the names of the categories in ``shape``, ``texture`` and ``decision``.

        Raises:
            DataError: an image whose name does not carry both cues, or contradicts its folder, or shows a category
                that the class map leaves out.
        """
        del condition, seed
        cues = [read_cues(str(image_id)) for image_id in batch.image_ids]
        categories = self.categories
        for image_id, label, (shape, texture) in zip(batch.image_ids, batch.labels.tolist(), cues, strict=True):
            if shape != CATEGORIES[label]:
                raise DataError(f"{image_id} is labelled {CATEGORIES[label]!r}, but its name says {shape!r}")
            if texture not in categories.columns:
                raise DataError(f"{image_id} cannot be decided on: the class map has no {texture!r}")
        extra = {name: np.array([getattr(cue, name) for cue in cues]) for name in ("shape", "texture")}
        with torch.no_grad():
            return judge_categories(classifier(batch.pixels()), batch, categories, extra)

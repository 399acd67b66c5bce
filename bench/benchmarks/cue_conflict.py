"""Shape against texture on cue-conflict images (Geirhos et al. 2019)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from bench.benchmarks.base import Batch
from bench.benchmarks.sixteen_way import SixteenWay, judge_categories
from bench.data.categories import CATEGORIES, read_cues
from bench.errors import DataError
from bench.records import Condition, Outcomes


@dataclass(frozen=True, kw_only=True)
class CueConflict(SixteenWay):
    """16-way decision on images with the shape of one category and the texture of another.

    ``cat/cat7-elephant2.png`` has a cat's shape and an elephant's texture. Every image has an outcome; those whose
    cues agree are left out of the shape bias by `bench.metrics.shape_bias`. The label is the shape, so that an outcome
    is ``correct`` when the decision follows the shape.
    """

    name = "cue_conflict"
    version = "1"

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

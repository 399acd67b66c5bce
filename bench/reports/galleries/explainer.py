"""Decisions of a classifier with the attribution maps of the classes that it predicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.benchmarks import Batch, judge
from bench.benchmarks.cam_audit import attribution_maps
from bench.data.regions import read_regions
from bench.errors import DataError
from bench.explain.clusters import FEWEST_IMAGES, attributed_features, pooled_maps
from bench.records import Outcomes
from bench.reports.galleries.input import GalleryInput
from bench.sweep.progress import SweepProgress

BATCH = 16


class Explained(NamedTuple):
    """Decisions on some images, with their maps."""

    outcomes: Outcomes
    """One row per image."""
    maps: Tensor
    """``(B,H,W)`` attributions of the predicted classes."""


class Descriptors(NamedTuple):
    """What decisions on images rest on, as vectors to cluster."""

    rows: NDArray[np.int64]
    """``(N,)`` positions of the images in the dataset."""
    points: NDArray[np.float64]
    """``(N,D)`` one descriptor per image, finite."""


@dataclass(frozen=True)
class Explainer:
    """An attribution method applied to the decisions of one classifier."""

    inputs: GalleryInput
    """The classifier and the images."""
    method: str
    """A name of ``bench.explain.METHODS``."""

    def decide(self, batch: Batch) -> Outcomes:
        """The decisions alone."""
        with torch.no_grad():
            return judge(self.inputs.network(batch.pixels()), batch)

    def explain(self, batch: Batch) -> Explained:
        """Decisions and maps."""
        outcomes = self.decide(batch)
        targets = torch.as_tensor(outcomes.prediction).to(self.inputs.device)
        network, seed = self.inputs.network, self.inputs.seed
        return Explained(outcomes, attribution_maps(network, batch.pixels(), targets, self.method, batch, seed=seed))

    def regions(self, rows: Sequence[int], source: str | None) -> Tensor | None:
        """``(B,H,W)`` bool, true on the labelled object; None without a source of regions."""
        if source is None:
            return None
        mask: Tensor = read_regions(self.inputs.crops, rows, source, missing="absent")[:, 0] > 0
        return mask

    def describe(self, batch: Batch, by: str) -> Tensor:
        """``(B,D)`` descriptors of the decisions on ``batch``; NaN for a map without a positive value.

        Args:
            batch: the images.
            by: ``map`` for where attribution lies, ``features`` for what lies there.
        """
        explained = self.explain(batch)
        if by == "map":
            return pooled_maps(explained.maps)
        targets = torch.as_tensor(explained.outcomes.prediction).to(self.inputs.device)
        return attributed_features(self.inputs.network, batch.pixels(), targets, explained.maps)


def describe_decisions(explainer: Explainer, *, of: str, by: str, label: int | None) -> Descriptors:
    """Descriptors of the decisions on a dataset; images whose map has no positive value are left out.

    Args:
        explainer: of the classifier.
        of: ``wrong`` for the wrong predictions, ``all`` for every image.
        by: as in ``Explainer.describe``.
        label: only images of this true class, a logit column; None for every class.

    Raises:
        DataError: too few images to cluster.
    """
    crops = explainer.inputs.crops
    candidates = np.arange(len(crops)) if label is None else np.flatnonzero(crops.labels == label)
    rows, points = [], []
    with SweepProgress(f"explaining {crops.name}", len(candidates)) as progress:
        for start in range(0, len(candidates), BATCH):
            chunk = candidates[start : start + BATCH]
            if of == "wrong":
                chunk = chunk[~explainer.decide(explainer.inputs.batch(chunk.tolist())).correct]
            if len(chunk):
                described = explainer.describe(explainer.inputs.batch(chunk.tolist()), by).numpy()
                finite = np.isfinite(described).all(axis=1)
                rows.append(chunk[finite])
                points.append(described[finite])
            progress.advance(min(BATCH, len(candidates) - start))
    n = sum(map(len, rows))
    if n < FEWEST_IMAGES:
        kind = "wrong predictions" if of == "wrong" else "images"
        raise DataError(
            f"{crops.name} has {n} {kind} with a map: {FEWEST_IMAGES} are needed; try of=all or more images"
        )
    return Descriptors(np.concatenate(rows), np.concatenate(points))

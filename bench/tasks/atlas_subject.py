"""What an atlas is of."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from bench.data import Crops
from bench.explain.activation_maximisation import MaximisationConfig
from bench.explain.units import Unit, feature_maps, stage_layers, strongest_units
from bench.models import Classifier

BATCH = 32
Step = Callable[[], None]
"""Called once for each unit of a chapter's work."""


@dataclass(frozen=True)
class Subject:
    """What an atlas is of."""

    classifier: Classifier
    """In eval mode, on its device."""
    crops: Crops
    """The dataset that patches and embeddings are taken from."""
    images: Tensor
    """``(B,3,H,W)`` uint8, the images to explain."""
    titles: Sequence[str]
    """Of the images."""
    names: Sequence[str]
    """Of the classes."""
    top: int
    """Classes an image is explained for."""
    classes: Sequence[int]
    """To maximise."""
    units: Sequence[Unit]
    """To maximise, to differentiate and to find patches for; the strongest of each stage where empty."""
    maximise: MaximisationConfig
    """How to climb."""
    layer: str | None
    """For the embedding; the last stage's when left out."""
    seed: int
    """Of noise, jitter and t-SNE."""

    @property
    def pixels(self) -> Tensor:
        """The images, ``(B,3,H,W)`` float in [0,1] on the classifier's device."""
        return self.images.to(self.classifier.mean.device).float() / 255

    def batches(self) -> Iterator[tuple[int, Tensor]]:
        """The dataset: position of a batch's first image, and ``(B,3,H,W)`` in [0,1]."""
        for start in range(0, len(self.crops), BATCH):
            images = self.crops.read(range(start, min(start + BATCH, len(self.crops))))
            yield start, images.to(self.classifier.mean.device).float() / 255

    @cached_property
    def chosen_units(self) -> list[Unit]:
        """The units asked for, else the strongest on the first image in each stage."""
        if self.units:
            return list(self.units)
        layers = stage_layers(self.classifier)
        with torch.no_grad():
            maps = feature_maps(self.classifier, self.pixels[:1], layers)
        return [Unit(layer, strongest_units(maps[layer], 1)[0]) for layer in layers]

    def name(self, class_: int) -> str:
        """A class's, short."""
        return self.names[class_].partition(",")[0]

    def top_classes(self, count: int) -> Tensor:
        """``(B,count)`` the likeliest classes of each image."""
        with torch.no_grad():
            return self.classifier(self.pixels).topk(count, dim=1).indices  # type: ignore[no-any-return]

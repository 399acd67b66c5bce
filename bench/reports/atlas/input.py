"""What an atlas is drawn from: a classifier, its dataset, the images to explain."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from bench.data import CropRecipe, Crops
from bench.data.dataset import evenly_spaced
from bench.errors import ConfigurationError
from bench.explain.activation_maximisation import MaximisationConfig
from bench.explain.stimuli import SUFFIXES, Source, load_sources
from bench.explain.units import Unit, feature_maps, stage_layers, strongest_units
from bench.imaging.division import bytes_to_pixels
from bench.models import Classifier

BATCH = 32
Step = Callable[[], None]
"""Called once per step of a chapter's work, for the progress bar."""


@dataclass(frozen=True)
class AtlasInput:
    """What an atlas is drawn from."""

    classifier: Classifier
    """In eval mode, on its device."""
    crops: Crops
    """The dataset that patches and embeddings are taken from."""
    images: Tensor
    """``(B,3,H,W)`` uint8, the images to explain."""
    titles: Sequence[str]
    """One per image."""
    names: Sequence[str]
    """Class names, by logit column."""
    top: int
    """Number of classes that each image is explained for, the likeliest first."""
    classes: Sequence[int]
    """Logit columns to maximise."""
    units: Sequence[Unit]
    """Units to maximise, to differentiate and to find patches for; if empty, the strongest unit of each stage."""
    maximise: MaximisationConfig
    """Settings of activation maximisation."""
    layer: str | None
    """Layer of the embedding; None for that of the last stage."""
    seed: int
    """Seed of noise, jitter and t-SNE."""

    @property
    def pixels(self) -> Tensor:
        """The images, ``(B,3,H,W)`` float in [0,1] on the classifier's device."""
        return bytes_to_pixels(self.images.to(self.classifier.mean.device))

    def batches(self) -> Iterator[tuple[int, Tensor]]:
        """The dataset: position of a batch's first image, and ``(B,3,H,W)`` in [0,1]."""
        for start in range(0, len(self.crops), BATCH):
            images = self.crops.read(range(start, min(start + BATCH, len(self.crops))))
            yield start, bytes_to_pixels(images.to(self.classifier.mean.device))

    @cached_property
    def chosen_units(self) -> list[Unit]:
        """``units``, or the unit of each stage that is strongest on the first image."""
        if self.units:
            return list(self.units)
        layers = stage_layers(self.classifier)
        with torch.no_grad():
            maps = feature_maps(self.classifier, self.pixels[:1], layers)
        return [Unit(layer, strongest_units(maps[layer], 1)[0]) for layer in layers]

    def name(self, class_: int) -> str:
        """Short name of a class."""
        return self.names[class_].partition(",")[0]

    def top_classes(self, count: int) -> Tensor:
        """``(B,count)`` int64: the likeliest classes of each image, the likeliest first."""
        with torch.no_grad():
            return self.classifier(self.pixels).topk(count, dim=1).indices  # type: ignore[no-any-return]


class TitledImages(NamedTuple):
    """Images to explain."""

    images: Tensor
    """``(B,3,H,W)`` uint8."""
    titles: list[str]
    """One per image."""


def images_to_explain(crops: Crops, recipe: CropRecipe, *, location: str | None, count: int) -> TitledImages:
    """The images at ``location``, or ``count`` images evenly spaced over the dataset if it is None.

    Args:
        crops: the dataset.
        recipe: crop of the files at ``location``.
        location: an image file or a folder of them.
        count: images of the dataset; all if it has fewer.

    Raises:
        ConfigurationError: no image file at ``location``.
        DataError: a file that is no image.
    """
    if location is None:
        rows = evenly_spaced(len(crops), count)
        return TitledImages(crops.read(rows), [str(name) for name in crops.image_ids[rows]])
    files = image_files(location)
    loaded = load_sources([Source(path, "", 0) for path in files], recipe)
    pixels = torch.stack([loaded[path.absolute()].pixels for path in files])
    return TitledImages((pixels * 255).round().to(torch.uint8), [path.name for path in files])


def image_files(location: str) -> list[Path]:
    """The image file at ``location``, or the image files of the folder there, sorted by name.

    Raises:
        ConfigurationError: there is none.
    """
    path = Path(location)
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise ConfigurationError(f"image={location}: no image file there, nor a folder of them")
    return files


def logits_of(classifier: Classifier, images: Tensor) -> Tensor:
    """``(B,K)`` logits of ``(B,3,H,W)`` uint8 images, on the classifier's device."""
    with torch.no_grad():
        logits: Tensor = classifier(bytes_to_pixels(images.to(classifier.mean.device)))
    return logits


def classes_to_maximise(logits: Tensor, given: Sequence[int]) -> list[int]:
    """``given``, or the three classes with the largest mean logit if it is empty.

    Args:
        logits: ``(B,K)`` of the images to explain.
        given: logit columns.

    Raises:
        ConfigurationError: a class that is not one of the ``K``.
    """
    n_classes = logits.shape[1]
    classes = list(given) or logits.mean(dim=0).topk(min(3, n_classes)).indices.tolist()
    for class_ in classes:
        if not 0 <= class_ < n_classes:
            raise ConfigurationError(f"classes: the classifier has {n_classes} classes, numbered from 0: no {class_}")
    return classes

"""What a gallery is drawn from: a classifier as it is run, and its images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from bench.benchmarks import Batch
from bench.data import Crops
from bench.data.label_spaces import column_names
from bench.models import load_classifier
from bench.reports.galleries.files import gallery_path
from bench.sweep.images import open_images
from bench.sweep.job import describe_defense, prepare
from bench.sweep.settings import Settings


@dataclass(frozen=True)
class GalleryInput:
    """A classifier and the images that a gallery shows."""

    network: nn.Module
    """``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``; behind its defense, on its device."""
    crops: Crops
    """The images."""
    names: Sequence[str]
    """Class names, by logit column."""
    weights_digest: str
    """Of the classifier."""
    defense: str
    """Name and parameters of the defense; empty for none."""
    device: torch.device
    """Where the network is."""
    seed: int
    """The sweep's seed."""

    def batch(self, rows: Sequence[int]) -> Batch:
        """The images at the positions ``rows``, on the network's device."""
        positions = list(rows)
        labels = torch.as_tensor(self.crops.labels[positions]).to(self.device)
        return Batch(self.crops.read(positions).to(self.device), labels, self.crops.image_ids[positions])

    def save(self, picture: Image.Image, report: Path, kind: str) -> Path:
        """Write the gallery ``picture`` into the folder ``report``, where the next report finds it.

        Args:
            picture: what was drawn.
            report: folder of the report.
            kind: one of ``bench.reports.galleries.files.HEADINGS``.

        Returns:
            The file.
        """
        path = gallery_path(report, self.weights_digest, self.crops.digest, defense=self.defense, kind=kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, optimize=True)
        return path


def open_gallery_input(settings: Settings) -> GalleryInput:
    """Load the classifier and open the images that ``settings`` name.

    Raises:
        ConfigurationError: images whose classes do not fit the classifier's.
        DataError: images that do not decode, unless ``data.on_error=skip``.
    """
    classifier = load_classifier(settings.model)
    crops = open_images(settings.data, classifier.crop, settings.runtime, classifier.label_space)
    return GalleryInput(
        network=prepare(classifier, settings.runtime, settings.defense),
        crops=crops,
        names=column_names(crops.label_space, settings.data.class_map),
        weights_digest=classifier.weights_digest,
        defense=describe_defense(settings.defense),
        device=settings.runtime.torch_device(),
        seed=settings.seed,
    )

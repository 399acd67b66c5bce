"""Common corruptions (ImageNet-C; Hendrycks & Dietterich 2019): on the fly from the uint8 crop, or from disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.benchmarks.base import Batch, Benchmark, judge
from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, SEVERITIES
from bench.corruptions.batched import corrupt
from bench.corruptions.catalogue import Definition, check_definition
from bench.corruptions.files import check_folders, read_corrupted
from bench.data import Crops
from bench.errors import ConfigurationError, nearest_names
from bench.records import Condition, Outcomes, Parameter
from bench.seeding import derive_seed

SOURCES = ("batched", "reference", "files")


@dataclass(frozen=True, kw_only=True)
class Corruption(Benchmark):
    """Top-1 decision on corrupted images.

    Args:
        corruptions: any of the 15 and the 4 extra ones.
        severities: any of 1 to 5.
        source: who makes the images. ``batched``: our torch code, on the classifier's device. ``reference``: the
            imagecorruptions package, seeded per image. ``files``: the published folders below ``root``.
        definition: for ``batched``, ``imagenet_c`` (the published images) or ``imagecorruptions`` (the package).
        root: for ``files``, the folder of the corruptions.

    Raises:
        ConfigurationError: an unknown corruption, severity, source or definition.
    """

    corruptions: tuple[str, ...] = CORRUPTIONS
    severities: tuple[int, ...] = SEVERITIES
    source: str = "batched"
    definition: str = "imagenet_c"
    root: str | None = None

    name = "corruption"
    version = "1"
    strength_unit = "severity"
    condition_fields = ("corruptions", "severities")

    def __post_init__(self) -> None:
        known = (*CORRUPTIONS, *EXTRA_CORRUPTIONS)
        for corruption in self.corruptions:
            if corruption not in known:
                raise ConfigurationError(f"unknown corruption {corruption!r}: {nearest_names(corruption, known)}")
        if not set(self.severities) <= set(SEVERITIES):
            raise ConfigurationError(f"severities are 1 to 5, not {list(self.severities)}")
        if self.source not in SOURCES:
            raise ConfigurationError(
                f"unknown corruption source {self.source!r}: {nearest_names(self.source, SOURCES)}"
            )
        check_definition(self.definition)

    def parameters(self) -> Mapping[str, Parameter]:
        """Source and definition; where the files lie is no part of what they are."""
        if self.source == "files":
            return {"source": "files", "definition": "imagenet_c", "files": Path(str(self.root)).name}
        definition = "imagecorruptions" if self.source == "reference" else self.definition
        return {"source": self.source, "definition": definition}

    def conditions(self) -> tuple[Condition, ...]:
        """Every corruption at every severity."""
        return tuple(Condition(name, float(level)) for name in self.corruptions for level in self.severities)

    def check(self) -> None:
        """Refuse folders that are not there."""
        if self.source == "files":
            if self.root is None:
                raise ConfigurationError("corruption source=files needs root=FOLDER, the folder of the corruptions")
            check_folders(Path(self.root), self.conditions())

    def read(self, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int) -> Tensor:
        """The images to show, ``(B,3,H,W)`` uint8; ``batched`` corrupts them later, on the device."""
        images = crops.read(positions)
        if self.source == "batched":
            return images
        image_ids = crops.image_ids[list(positions)]
        if self.source == "files":
            height, width = images.shape[2:]
            return read_corrupted(Path(str(self.root)), image_ids.tolist(), condition, (height, width))
        return self.corrupted(images, image_ids, condition, seed=seed)

    def corrupted(self, images: Tensor, image_ids: NDArray[np.str_], condition: Condition, *, seed: int) -> Tensor:
        """``images``, ``(B,3,H,W)`` uint8, corrupted on their device; each depends on its own name and seed alone."""
        seeds = [derive_seed(seed, condition.key, str(image_id)) for image_id in image_ids]
        if self.source == "reference":
            from bench.corruptions.reference import corrupt_reference  # heavy: scikit-image and numba

            return corrupt_reference(images, condition, seeds)
        return corrupt(images, condition, seeds, definition=cast(Definition, self.definition))

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass."""
        if self.source == "batched":
            batch = replace(batch, images=self.corrupted(batch.images, batch.image_ids, condition, seed=seed))
        with torch.no_grad():
            return judge(classifier(batch.pixels()), batch)

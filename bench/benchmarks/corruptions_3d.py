"""3D common corruptions (ImageNet-3DCC; Kar et al. 2022): the published images, from their folders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.benchmarks.base import Batch, Benchmark, Shown, check_was_read, judge
from bench.benchmarks.metric import HIGHER, LOWER, Measured, Metric
from bench.benchmarks.protocol import IMAGENET_C_CROP, as_shown
from bench.corruptions import SEVERITIES
from bench.corruptions.files import check_folders, read_corrupted
from bench.corruptions.manifest import manifest_digest
from bench.data import CropRecipe, Crops
from bench.errors import ConfigurationError, DataError, nearest_names
from bench.metrics.corruption import ALEXNET_ERROR_3D, mean_corruption_accuracy_values, mean_corruption_error_values
from bench.metrics.sampling import wrong
from bench.records import Condition, Outcomes, Parameter

CORRUPTIONS_3D = tuple(ALEXNET_ERROR_3D)
"""The 12 corruptions of ImageNet-3DCC."""


def _errors(measured: Measured) -> Mapping[tuple[str, int], NDArray[np.bool_]]:
    needed = [Condition(name, float(level)) for name in CORRUPTIONS_3D for level in SEVERITIES]
    missing = [condition for condition in needed if condition not in set(measured.conditions)]
    if missing:
        raise DataError(f"it needs all 60 conditions and lacks {len(missing)}, such as {measured.describe(missing[0])}")
    return {(item.name, int(item.strength)): wrong(measured.correct(item)) for item in needed}


def _mce(measured: Measured) -> NDArray[np.float64]:
    if (measured.spec.label_space, measured.spec.n_classes) != ("imagenet", 1000):
        raise DataError("AlexNet's errors were measured among ImageNet's 1,000 classes: see the mean accuracy")
    return mean_corruption_error_values(_errors(measured), ALEXNET_ERROR_3D, CORRUPTIONS_3D)


def _accuracy(measured: Measured) -> NDArray[np.float64]:
    return mean_corruption_accuracy_values(_errors(measured), CORRUPTIONS_3D)


@dataclass(frozen=True, kw_only=True)
class Corruptions3D(Benchmark):
    """Top-1 decision on the published images of ImageNet-3DCC, ``<corruption>/<severity>/<wnid>/<image>``.

    Args:
        corruptions: any of the 12.
        severities: any of 1 to 5.
        root: the folder that has one folder per corruption.
        files_digest: the expected digest of the files; None to accept any.

    Raises:
        ConfigurationError: an unknown corruption or severity.
    """

    corruptions: tuple[str, ...] = CORRUPTIONS_3D
    severities: tuple[int, ...] = SEVERITIES
    root: str | None = None
    files_digest: str | None = None

    name = "imagenet_3dcc"
    version = "1"
    pictured = True
    axis = "3D corruptions"
    strength_unit = "severity"
    calibrated = True
    condition_fields = ("corruptions", "severities")
    metrics = (
        Metric(
            "mean_corruption_error_3d",
            "3DCC mCE",
            LOWER,
            _mce,
            percent=False,
            note="The 3DCC mCE is divided by AlexNet's errors under these corruptions, as RobustBench publishes them.",
            published_as="mean_corruption_error_3d",
        ),
        Metric(
            "mean_corruption_accuracy_3d",
            "3DCC accuracy",
            HIGHER,
            _accuracy,
            under_shift=True,
            published_as="mean_corruption_accuracy_3d",
        ),
    )
    citation = "Kar et al., 3D Common Corruptions and Data Augmentation, CVPR 2022"

    def __post_init__(self) -> None:
        for corruption in self.corruptions:
            if corruption not in CORRUPTIONS_3D:
                hint = nearest_names(corruption, CORRUPTIONS_3D)
                raise ConfigurationError(f"unknown corruption {corruption!r} of {self.name}: {hint}")
        if not set(self.severities) <= set(SEVERITIES):
            raise ConfigurationError(f"severities are 1 to 5, not {list(self.severities)}")

    def parameters(self) -> Mapping[str, Parameter]:
        """The digest of the files, whichever folder they are in."""
        return {"files_digest": self.files_digest}

    def conditions(self) -> tuple[Condition, ...]:
        """Every corruption at every severity."""
        return tuple(Condition(name, float(level)) for name in self.corruptions for level in self.severities)

    def check(self) -> None:
        """Check that the folders of all conditions exist.

        Raises:
            ConfigurationError: no ``root``, or folders are missing.
        """
        if self.root is None:
            raise ConfigurationError(f"{self.name} needs root=FOLDER, the folder of the corruptions")
        check_folders(Path(self.root), self.conditions())

    def prepared(self, crop: CropRecipe, cache_dir: Path) -> Self:
        """A copy with the digest of the files; see ``Benchmark.prepared``.

        Raises:
            ConfigurationError: the files are not those of ``files_digest``.
        """
        del crop
        digest = manifest_digest(Path(str(self.root)), cache_dir, names=CORRUPTIONS_3D)
        if self.files_digest not in (None, digest):
            raise ConfigurationError(f"the images in {self.root} have the digest {digest}, not {self.files_digest}")
        return replace(self, files_digest=digest)

    def recipe(self, crop: CropRecipe) -> CropRecipe:
        """That of ImageNet-C's base images: it tells which images there are; their pixels come from the files."""
        del crop
        return IMAGENET_C_CROP

    def read(self, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int) -> Shown:
        """The published images: centre crop of 224, no resize."""
        del seed
        return Shown(read_corrupted(Path(str(self.root)), crops.image_ids[list(positions)].tolist(), condition))

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass on the images, resized to the classifier's input."""
        del seed
        check_was_read(batch, condition)
        batch = replace(batch, images=as_shown(batch.images, "none", batch.input_size))
        with torch.no_grad():
            return judge(classifier(batch.pixels()), batch)

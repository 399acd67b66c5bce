"""Common corruptions (ImageNet-C, CIFAR-10-C; Hendrycks & Dietterich 2019): made on the fly, or read from files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.benchmarks.base import Batch, Benchmark, Shown, check_was_read, judge
from bench.benchmarks.corruption_errors import mce_values, mean_accuracy_values, relative_mce_values
from bench.benchmarks.metric import HIGHER, LOWER, Metric
from bench.benchmarks.protocol import as_shown, check_protocol, crop_to_corrupt, encoding_of
from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, SEVERITIES, corruption_names
from bench.corruptions.batched import corrupt
from bench.corruptions.catalogue import Definition, check_definition
from bench.corruptions.files import check_files, definition_of, read_files
from bench.corruptions.manifest import manifest_digest
from bench.data import CropRecipe, Crops
from bench.errors import ConfigurationError, nearest_names
from bench.records import Condition, Outcomes, Parameter
from bench.seeding import derive_seed

SOURCES = ("batched", "reference", "files")
MANIFESTS = ("sample", "whole")
LARGEST_CIFAR_SIDE = 32
"""Pixels: a classifier of this input size or smaller is shown CIFAR-10-C by default."""


@dataclass(frozen=True, kw_only=True)
class Corruption(Benchmark):
    """Top-1 decision on corrupted images.

    Args:
        corruptions: any of the 15 and the 4 extra ones.
        severities: any of 1 to 5.
        source: who makes the images. ``batched``: our torch code, on the classifier's device. ``reference``: the
            imagecorruptions package, seeded per image. ``files``: the published folders or arrays below ``root``.
        definition: for ``batched``, ``imagenet_c`` (the published images), ``imagecorruptions`` (the package) or
            ``cifar10_c``. ``auto`` is cifar10_c for classifiers of 32 pixels and imagenet_c for others.
        protocol: ``published``: one base image for every classifier, corrupted, saved as the published set was, and
            resized to the classifier's input. ``native``: each classifier's own crop, corrupted.
        encode: of ``native``, ``jpeg85`` or ``none`` (the default).
        root: for ``files``, the folder of the corruptions.
        files_digest: for ``files``, the digest of their manifest; read when left out, else checked.
        manifest: for ``files``, whether their digest reads a ``sample`` of their bytes or the ``whole``.

    Raises:
        ConfigurationError: an unknown name, or choices that contradict each other.
    """

    corruptions: tuple[str, ...] = CORRUPTIONS
    severities: tuple[int, ...] = SEVERITIES
    source: str = "batched"
    definition: str = "auto"
    protocol: str = "published"
    encode: str | None = None
    root: str | None = None
    files_digest: str | None = None
    manifest: str = "sample"

    name = "corruption"
    version = "2"
    axis = "Corruptions"
    strength_unit = "severity"
    metrics = (
        Metric(
            "mean_corruption_error",
            "mCE",
            LOWER,
            mce_values,
            percent=False,
            always=True,
            note="mCE is 100 times the mean of the 15 ratios to AlexNet's error (Hendrycks & Dietterich 2019), where"
            " these were measured: on ImageNet's classes, corrupted at 224 pixels. Elsewhere the mean corruption"
            " accuracy stands alone.",
            order=1,
        ),
        Metric(
            "relative_mean_corruption_error", "Relative mCE", LOWER, relative_mce_values, percent=False, always=True
        ),
        Metric(
            "mean_corruption_accuracy",
            "Mean corruption accuracy",
            HIGHER,
            mean_accuracy_values,
            always=True,
            under_shift=True,
            on_front=True,
            order=2,
        ),
    )
    citation = "Hendrycks & Dietterich, Benchmarking Neural Network Robustness to Common Corruptions, ICLR 2019"
    licence = "Apache-2.0: parameters of hendrycks/robustness, reference images of imagecorruptions"
    needs_clean = True
    calibrated = True
    stated_parameters = ("source", "definition", "protocol")
    condition_fields = ("corruptions", "severities")

    def __post_init__(self) -> None:
        known = corruption_names()
        for corruption in self.corruptions:
            if corruption not in known:
                raise ConfigurationError(f"unknown corruption {corruption!r}: {nearest_names(corruption, known)}")
        if not set(self.severities) <= set(SEVERITIES):
            raise ConfigurationError(f"severities are 1 to 5, not {list(self.severities)}")
        if self.source not in SOURCES:
            raise ConfigurationError(
                f"unknown corruption source {self.source!r}: {nearest_names(self.source, SOURCES)}"
            )
        if self.definition != "auto":
            check_definition(self.definition)
        check_protocol(self.protocol, self.encode)
        if self.manifest not in MANIFESTS:
            raise ConfigurationError(f"unknown manifest {self.manifest!r}: {nearest_names(self.manifest, MANIFESTS)}")
        if self.source == "files" and self.protocol != "published":
            raise ConfigurationError("corruption source=files shows published images: it needs protocol=published")
        plugged = set(self.corruptions) - {*CORRUPTIONS, *EXTRA_CORRUPTIONS}
        if self.source != "batched" and plugged:
            raise ConfigurationError(
                f"corruption source={self.source} has no {', '.join(sorted(plugged))}: a plug-in's needs source=batched"
            )
        if self.source == "reference" and self.definition not in ("auto", "imagecorruptions"):
            raise ConfigurationError(
                "corruption source=reference is the imagecorruptions package: it needs definition=imagecorruptions,"
                " or none"
            )

    @property
    def resolved_definition(self) -> Definition:
        """The definition in use; ``auto`` is ``imagenet_c`` for a benchmark that was not `prepared`."""
        if self.source == "reference":
            return "imagecorruptions"
        return "imagenet_c" if self.definition == "auto" else cast(Definition, self.definition)

    def parameters(self) -> Mapping[str, Parameter]:
        """Who makes the images and how they are shown; where files lie is no part of what they are."""
        parameters: dict[str, Parameter] = {
            "source": self.source,
            "definition": self.resolved_definition,
            "protocol": self.protocol,
        }
        if self.source == "files":
            return {**parameters, "files_digest": self.files_digest, "manifest": self.manifest}
        return {**parameters, "encode": self._encoding}

    @property
    def _encoding(self) -> str:
        return encoding_of(self.protocol, self.encode, self.resolved_definition)

    def conditions(self) -> tuple[Condition, ...]:
        """Every corruption at every severity."""
        return tuple(Condition(name, float(level)) for name in self.corruptions for level in self.severities)

    @classmethod
    def complete_conditions(cls) -> tuple[Condition, ...]:
        """The 15 x 5 of ImageNet-C."""
        return tuple(Condition(name, float(level)) for name in CORRUPTIONS for level in SEVERITIES)

    @classmethod
    def cautions(cls, parameters: Mapping[str, Parameter]) -> Sequence[str]:
        """Of another definition or protocol than the published one."""
        sentences = []
        if parameters.get("definition") == "imagecorruptions":
            sentences.append(
                "The corruptions follow the definition of the imagecorruptions package, which differs from the"
                " published ImageNet-C in elastic_transform, frost, motion_blur and snow: do not compare this mCE with"
                " published values."
            )
        if parameters.get("protocol") == "native":
            sentences.append(
                "Rows marked native corrupt each classifier's own crop, without the JPEG files of the published"
                " ImageNet-C: do not compare their mCE with published values."
            )
        return sentences

    def check(self) -> None:
        """Refuse folders that are not there."""
        if self.source == "files":
            if self.root is None:
                raise ConfigurationError("corruption source=files needs root=FOLDER, the folder of the corruptions")
            check_files(Path(self.root), self.conditions())

    def prepared(self, crop: CropRecipe, cache_dir: Path) -> Self:
        """With the definition that ``auto`` means for this classifier, and the digest of the files.

        Raises:
            ConfigurationError: the files are not those of ``files_digest``.
        """
        if self.source == "files":
            root = Path(str(self.root))
            digest = manifest_digest(root, cache_dir, whole=self.manifest == "whole")
            if self.files_digest not in (None, digest):
                raise ConfigurationError(
                    f"the corrupted images in {root} have the digest {digest}, not files_digest={self.files_digest}"
                )
            return replace(self, definition=definition_of(root), files_digest=digest)
        if self.definition != "auto" or self.source == "reference":
            return self
        is_cifar = max(crop.height, crop.width) <= LARGEST_CIFAR_SIDE
        return replace(self, definition="cifar10_c" if is_cifar else "imagenet_c")

    @property
    def image_protocol(self) -> str:
        """As ``protocol`` says."""
        return self.protocol

    def recipe(self, crop: CropRecipe) -> CropRecipe:
        """The published base image, whatever the classifier's own ``crop``, or that."""
        return crop_to_corrupt(self.protocol, self.resolved_definition, crop)

    def read(self, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int) -> Shown:
        """The corrupted images; of ``batched``, those to corrupt later, on the device."""
        if self.source == "files":
            rows = list(positions)
            folder = Path(str(self.root))
            return Shown(read_files(folder, crops.image_ids[rows].tolist(), crops.labels[rows], condition))
        images = crops.read(positions)
        if self.source == "batched":
            return Shown(images)
        return Shown(self.corrupted(images, crops.image_ids[list(positions)], condition, seed=seed))

    def corrupted(self, images: Tensor, image_ids: NDArray[np.str_], condition: Condition, *, seed: int) -> Tensor:
        """``images``, ``(B,3,H,W)`` uint8, corrupted on their device; each depends on its own name and seed alone."""
        seeds = [derive_seed(seed, condition.key, str(image_id)) for image_id in image_ids]
        if self.source == "reference":
            from bench.corruptions.reference import corrupt_reference  # heavy: scikit-image and numba

            return corrupt_reference(images, condition, seeds)
        return corrupt(images, condition, seeds, definition=self.resolved_definition)

    def shown(self, batch: Batch, condition: Condition, *, seed: int) -> Tensor:
        """What the classifier sees of ``batch``, which ``read`` made: ``(B,3,*input_size)`` uint8 on its device.

        Raises:
            DataError: a batch that ``read`` did not make for ``condition``.
        """
        check_was_read(batch, condition)
        images = batch.images
        if self.source == "batched":
            images = self.corrupted(images, batch.image_ids, condition, seed=seed)
        return as_shown(images, "none" if self.source == "files" else self._encoding, batch.input_size)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass."""
        batch = replace(batch, images=self.shown(batch, condition, seed=seed))
        with torch.no_grad():
            return judge(classifier(batch.pixels()), batch)

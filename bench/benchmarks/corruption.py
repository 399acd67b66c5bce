"""Common corruptions (ImageNet-C, CIFAR-10-C; Hendrycks & Dietterich 2019): computed in the run, or read from files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.benchmarks.base import Batch, Benchmark, Shown, check_was_read, judge
from bench.benchmarks.corruption_errors import mce_values, mean_accuracy_values, published_as, relative_mce_values
from bench.benchmarks.metric import HIGHER, LOWER, Metric
from bench.benchmarks.protocol import check_protocol, crop_to_corrupt, encoding_of, fitted, saved
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
"""Where corrupted images come from; see ``Corruption``."""
MANIFESTS = ("sample", "whole")
"""How much of each file the digest of the files covers."""
LARGEST_CIFAR_SIDE = 32
"""Pixels: ``definition=auto`` is ``cifar10_c`` for classifiers whose input is at most this high and wide."""


@dataclass(frozen=True, kw_only=True)
class Corruption(Benchmark):
    """Top-1 prediction on corrupted images.

    Args:
        corruptions: names from the 15 corruptions of ImageNet-C, the 4 extra ones, and those of plug-ins.
        severities: from 1 (weakest) to 5.
        source: where corrupted images come from. ``batched``: our torch code, on the classifier's device.
            ``reference``: the imagecorruptions package, on the CPU. ``files``: the published images, in folders or
            arrays below ``root``.
        definition: for ``source=batched``, which implementation of the corruptions to reproduce: ``imagenet_c`` or
            ``cifar10_c`` (the code of the published images), or ``imagecorruptions`` (the package). ``auto`` is
            ``cifar10_c`` for classifiers whose input is at most 32 pixels, else ``imagenet_c``.
        protocol: ``published``: the same base image is corrupted for every classifier, saved in the format of the
            published images, and resized to the classifier's input. ``native``: each classifier's own crop is
            corrupted.
        encode: for ``protocol=native``, how corrupted images are saved: ``jpeg85`` (JPEG of quality 85) or ``none``
            (not saved), which is also the default.
        root: for ``source=files``, the folder that has one folder or array file per corruption.
        files_digest: for ``source=files``, the expected digest of the files; None to accept any files.
        manifest: for ``source=files``, whether the digest covers a ``sample`` of each file's bytes or the ``whole``.

    Raises:
        ConfigurationError: an unknown name, or options that contradict each other.
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
    version = "3"
    pictured = True
    axis = "Corruptions"
    strength_unit = "severity"
    metrics: ClassVar[tuple[Metric, ...]] = (
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
            published_as=published_as("mean_corruption_error"),
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
            published_as=published_as("mean_corruption_accuracy"),
        ),
    )
    citation = "Hendrycks & Dietterich, Benchmarking Neural Network Robustness to Common Corruptions, ICLR 2019"
    licence = "Apache-2.0: parameters of hendrycks/robustness, reference images of imagecorruptions"
    needs_clean = True
    calibrated = True
    stated_parameters: ClassVar[tuple[str, ...]] = ("source", "definition", "protocol")
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
            raise ConfigurationError("corruption source=files reads the published images: it needs protocol=published")
        from_plugins = set(self.corruptions) - {*CORRUPTIONS, *EXTRA_CORRUPTIONS}
        if self.source != "batched" and from_plugins:
            raise ConfigurationError(
                f"corruption source={self.source} has no {', '.join(sorted(from_plugins))}: a plug-in's corruption"
                " needs source=batched"
            )
        if self.source == "reference" and self.definition not in ("auto", "imagecorruptions"):
            raise ConfigurationError(
                "corruption source=reference is the imagecorruptions package: it needs definition=imagecorruptions,"
                " or no definition"
            )

    @property
    def resolved_definition(self) -> Definition:
        """The definition in use. ``auto`` becomes ``imagenet_c`` if ``prepared`` was not called."""
        if self.source == "reference":
            return "imagecorruptions"
        return "imagenet_c" if self.definition == "auto" else cast(Definition, self.definition)

    def parameters(self) -> Mapping[str, Parameter]:
        """What determines the corrupted images; for files that is their digest, whichever folder they are in."""
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
        """``jpeg85`` or ``none``: how corrupted images are saved before the classifier gets them."""
        return encoding_of(self.protocol, self.encode, self.resolved_definition)

    def conditions(self) -> tuple[Condition, ...]:
        """Every corruption at every severity."""
        return tuple(Condition(name, float(severity)) for name in self.corruptions for severity in self.severities)

    @classmethod
    def complete_conditions(cls) -> tuple[Condition, ...]:
        """The 15 corruptions of ImageNet-C at all 5 severities, which mCE needs."""
        return tuple(Condition(name, float(severity)) for name in CORRUPTIONS for severity in SEVERITIES)

    @classmethod
    def cautions(cls, parameters: Mapping[str, Parameter]) -> Sequence[str]:
        """Warnings if the definition or the protocol differs from that of the published ImageNet-C."""
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
        """Check that the files of all conditions exist.

        Raises:
            ConfigurationError: ``source=files`` without ``root``, or files are missing.
        """
        if self.source == "files":
            if self.root is None:
                raise ConfigurationError("corruption source=files needs root=FOLDER, the folder of the corruptions")
            check_files(Path(self.root), self.conditions())

    def prepared(self, crop: CropRecipe, cache_dir: Path) -> Self:
        """A copy in which ``definition`` is no longer ``auto`` and, for ``source=files``, ``files_digest`` is set.

        Args:
            crop: the classifier's own recipe; its size decides between ImageNet-C and CIFAR-10-C.
            cache_dir: where digests of files are cached.

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
        """The ``protocol``, ``published`` or ``native``."""
        return self.protocol

    def recipe(self, crop: CropRecipe) -> CropRecipe:
        """How images are cropped before they are corrupted: as the published set, or for ``native`` by ``crop``."""
        return crop_to_corrupt(self.protocol, self.resolved_definition, crop)

    def read(self, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int) -> Shown:
        """The corrupted images; for ``source=batched``, the clean ones, since ``make`` corrupts them on the device."""
        if self.source == "files":
            root = Path(str(self.root))
            rows = list(positions)
            return Shown(read_files(root, crops.image_ids[rows].tolist(), crops.labels[rows], condition))
        images = crops.read(positions)
        if self.source == "batched":
            return Shown(images)
        return Shown(self.corrupted(images, crops.image_ids[list(positions)], condition, seed=seed))

    def corrupted(self, images: Tensor, image_ids: NDArray[np.str_], condition: Condition, *, seed: int) -> Tensor:
        """Corrupt images on the device that they are on.

        Args:
            images: ``(B,3,H,W)`` uint8.
            image_ids: ``(B,)`` names; with ``seed`` and ``condition`` they determine the random numbers of each image.
            condition: the corruption and its severity.
            seed: the sweep's seed.

        Returns:
            ``(B,3,H,W)`` uint8.
        """
        seeds = [derive_seed(seed, condition.key, str(image_id)) for image_id in image_ids]
        if self.source == "reference":
            from bench.corruptions.reference import corrupt_reference  # heavy: scikit-image and numba

            return corrupt_reference(images, condition, seeds)
        return corrupt(images, condition, seeds, definition=self.resolved_definition)

    def make(self, batch: Batch, condition: Condition, *, seed: int) -> Batch:
        """The batch with its images corrupted and saved, at the size of the base images.

        Raises:
            DataError: ``batch`` was not read for ``condition``.
        """
        check_was_read(batch, condition)
        if batch.made:
            return batch
        images = batch.images
        if self.source == "batched":
            images = self.corrupted(images, batch.image_ids, condition, seed=seed)
        encoding = "none" if self.source == "files" else self._encoding  # the files are saved already
        return replace(batch, images=saved(images, encoding), made=True)

    def shown(self, batch: Batch, condition: Condition, *, seed: int) -> Tensor:
        """The images that the classifier gets: ``(B,3,*batch.input_size)`` uint8, on the device of ``batch``.

        Args:
            batch: what ``read`` or ``make`` returned for ``condition``.
            condition: the corruption and its severity.
            seed: the sweep's seed.

        Raises:
            DataError: ``batch`` was not read for ``condition``.
        """
        return fitted(self.make(batch, condition, seed=seed).images, batch.input_size)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """The outcome of each image, by one forward pass on the corrupted images."""
        batch = replace(batch, images=self.shown(batch, condition, seed=seed))
        with torch.no_grad():
            return judge(classifier(batch.pixels()), batch)

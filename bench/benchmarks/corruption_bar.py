"""Corruptions unlike those that models are tuned for (ImageNet-C-bar; Mintun, Kirillov & Xie 2021)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.benchmarks.base import Batch, Benchmark, Shown, check_was_read, judge
from bench.benchmarks.metric import HIGHER, Measured, Metric
from bench.benchmarks.protocol import check_protocol, crop_to_corrupt, encoding_of, fitted, saved
from bench.corruptions import SEVERITIES
from bench.corruptions.bar import BAR_CORRUPTIONS, corrupt_bar
from bench.data import CropRecipe, Crops
from bench.errors import ConfigurationError, DataError, nearest_names
from bench.records import Condition, Outcomes, Parameter
from bench.seeding import derive_seed


def _shares_correct(measured: Measured) -> NDArray[np.float64]:
    """``(N,)`` the share of the 50 conditions under which each image is right.

    Raises:
        DataError: a condition was not run.
    """
    missing = [
        name for name in BAR_CORRUPTIONS for s in SEVERITIES if Condition(name, float(s)) not in measured.expected
    ]
    if missing:
        raise DataError(f"{len(missing)} of the 50 conditions of {measured.name} were not run")
    shares: NDArray[np.float64] = np.mean([measured.correct(item) for item in sorted(measured.expected)], axis=0)
    return shares


@dataclass(frozen=True, kw_only=True)
class CorruptionBar(Benchmark):
    """Top-1 decision on images with the ten corruptions of ImageNet-C-bar, made on the CPU while images are read.

    Args:
        corruptions: any of the ten.
        severities: any of 1 to 5.
        protocol: ``published``: ImageNet's 224-pixel base image for every classifier, corrupted, saved as JPEG of
            quality 85 as the published set was, and resized to the classifier's input. ``native``: each classifier's
            own crop, corrupted.
        encode: of ``native``, ``jpeg85`` or ``none`` (the default).

    Raises:
        ConfigurationError: an unknown corruption, severity, protocol or encoding.
    """

    corruptions: tuple[str, ...] = BAR_CORRUPTIONS
    severities: tuple[int, ...] = SEVERITIES
    protocol: str = "published"
    encode: str | None = None

    name = "corruption_bar"
    version = "2"
    pictured = True
    axis = "C-bar"
    metrics = (Metric("corruption_bar_accuracy", "C-bar accuracy", HIGHER, _shares_correct, under_shift=True),)
    citation = "Mintun, Kirillov & Xie, On Interaction Between Augmentations and Corruptions, NeurIPS 2021"
    licence = "MIT: parameters of facebookresearch/augmentation-corruption"
    strength_unit = "severity"
    condition_fields = ("corruptions", "severities")

    def __post_init__(self) -> None:
        for corruption in self.corruptions:
            if corruption not in BAR_CORRUPTIONS:
                raise ConfigurationError(
                    f"unknown corruption {corruption!r}: {nearest_names(corruption, BAR_CORRUPTIONS)}"
                )
        if not set(self.severities) <= set(SEVERITIES):
            raise ConfigurationError(f"severities are 1 to 5, not {list(self.severities)}")
        check_protocol(self.protocol, self.encode)

    @property
    def _encoding(self) -> str:
        return encoding_of(self.protocol, self.encode, "imagenet_c")

    def parameters(self) -> Mapping[str, Parameter]:
        """How the images are shown."""
        return {"protocol": self.protocol, "encode": self._encoding}

    @property
    def image_protocol(self) -> str:
        """As ``protocol`` says."""
        return self.protocol

    def recipe(self, crop: CropRecipe) -> CropRecipe:
        """The published base image, whatever the classifier's own ``crop``, or that."""
        return crop_to_corrupt(self.protocol, "imagenet_c", crop)

    def conditions(self) -> tuple[Condition, ...]:
        """Every corruption at every severity."""
        return tuple(Condition(name, float(level)) for name in self.corruptions for level in self.severities)

    def read(self, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int) -> Shown:
        """The corrupted images; each depends on its own name and the seed alone."""
        image_ids = crops.image_ids[list(positions)]
        seeds = [derive_seed(seed, condition.key, str(image_id), bits=32) for image_id in image_ids]
        return Shown(corrupt_bar(crops.read(positions), condition, seeds))

    def make(self, batch: Batch, condition: Condition, *, seed: int) -> Batch:
        """The batch with its images saved and read again.

        Raises:
            DataError: a batch that ``read`` did not make for ``condition``.
        """
        del seed
        check_was_read(batch, condition)
        return batch if batch.made else replace(batch, images=saved(batch.images, self._encoding), made=True)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass.

        Raises:
            DataError: a batch that ``read`` did not make for ``condition``.
        """
        made = self.make(batch, condition, seed=seed)
        batch = replace(made, images=fitted(made.images, batch.input_size))
        with torch.no_grad():
            return judge(classifier(batch.pixels()), batch)

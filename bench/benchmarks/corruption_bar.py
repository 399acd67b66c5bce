"""Corruptions unlike those that models are tuned for (ImageNet-C-bar; Mintun, Kirillov & Xie 2021)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.benchmarks.base import Batch, Benchmark, judge
from bench.corruptions import SEVERITIES
from bench.corruptions.bar import BAR_CORRUPTIONS, corrupt_bar
from bench.data import Crops
from bench.errors import ConfigurationError, nearest_names
from bench.records import Condition, Outcomes
from bench.seeding import derive_seed


@dataclass(frozen=True, kw_only=True)
class CorruptionBar(Benchmark):
    """Top-1 decision on images with the ten corruptions of ImageNet-C-bar, made on the CPU while images are read.

    The published set went through JPEG compression of quality 85; these images do not.

    Args:
        corruptions: any of the ten.
        severities: any of 1 to 5.

    Raises:
        ConfigurationError: an unknown corruption or severity.
    """

    corruptions: tuple[str, ...] = BAR_CORRUPTIONS
    severities: tuple[int, ...] = SEVERITIES

    name = "corruption_bar"
    version = "1"
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

    def conditions(self) -> tuple[Condition, ...]:
        """Every corruption at every severity."""
        return tuple(Condition(name, float(level)) for name in self.corruptions for level in self.severities)

    def read(self, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int) -> Tensor:
        """The corrupted images, ``(B,3,S,S)`` uint8; each depends on its own name and the seed alone."""
        image_ids = crops.image_ids[list(positions)]
        seeds = [derive_seed(seed, condition.key, str(image_id), bits=32) for image_id in image_ids]
        return corrupt_bar(crops.read(positions), condition, seeds)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass."""
        del condition, seed
        with torch.no_grad():
            return judge(classifier(batch.pixels()), batch)

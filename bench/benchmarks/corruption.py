"""Common corruptions (ImageNet-C; Hendrycks & Dietterich 2019), made on the fly from the uint8 crop."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.benchmarks.base import Batch, Benchmark, judge
from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS
from bench.data import Crops
from bench.errors import ConfigurationError, nearest_names
from bench.records import Condition, Outcomes
from bench.seeding import derive_seed

SOURCES = ("reference",)
SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True, kw_only=True)
class Corruption(Benchmark):
    """Top-1 decision on corrupted crops.

    Args:
        corruptions: any of the 15 and the 4 extra ones.
        severities: any of 1 to 5.
        source: who makes the images. ``reference``: the imagecorruptions package, seeded per image.

    Raises:
        ConfigurationError: an unknown corruption, severity or source.
    """

    corruptions: tuple[str, ...] = CORRUPTIONS
    severities: tuple[int, ...] = SEVERITIES
    source: str = "reference"

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

    def conditions(self) -> tuple[Condition, ...]:
        """Every corruption at every severity."""
        return tuple(Condition(name, float(level)) for name in self.corruptions for level in self.severities)

    def read(self, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int) -> Tensor:
        """The corrupted crops, ``(B,3,H,W)`` uint8: each depends on its own seed alone."""
        from bench.corruptions.reference import corrupt_reference  # heavy: scikit-image and numba

        seeds = [derive_seed(seed, condition.key, str(image_id)) for image_id in crops.image_ids[list(positions)]]
        return corrupt_reference(crops.read(positions), condition, seeds)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass."""
        del condition, seed
        with torch.no_grad():
            return judge(classifier(batch.pixels()), batch)

"""Which features a classifier relies on: what is left of its accuracy once shape, texture or colour is taken away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.benchmarks.base import Batch, Benchmark, Shown, check_was_read, judge
from bench.benchmarks.metric import HIGHER, Measured, Metric
from bench.corruptions.suppression import SUPPRESSIONS, check_suppression, suppress
from bench.data import Crops
from bench.errors import DataError
from bench.records import Condition, Outcomes
from bench.seeding import derive_seed


def _kept_without(feature: str) -> Callable[[Measured], NDArray[Any]]:
    """One value per image, whose mean is the accuracy without the feature as a share of the clean accuracy."""

    def values(measured: Measured) -> NDArray[Any]:
        conditions = [item for item in measured.expected if SUPPRESSIONS[item.name].feature == feature]
        if not conditions:
            raise DataError(f"no condition takes away {feature}")
        by_name: dict[str, list[NDArray[Any]]] = {}
        for condition in conditions:
            by_name.setdefault(condition.name, []).append(measured.correct(condition).astype(float))
        # each manipulation counts once, however many strengths it has
        suppressed = np.mean([np.mean(columns, axis=0) for columns in by_name.values()], axis=0)
        clean = measured.clean().astype(float)
        if not clean.mean() > 0:
            raise DataError("no clean image is classified correctly: there is no accuracy to keep")
        share = suppressed.mean() / clean.mean()
        # a ratio of means as the mean of its linearised values, so that its interval is the delta method's
        kept: NDArray[Any] = share + (suppressed - share * clean) / clean.mean()
        return kept

    return values


@dataclass(frozen=True, kw_only=True)
class Reliance(Benchmark):
    """Top-1 decision on images without their shape, their texture or their colour.

    Args:
        patch_shuffle: patches per side that change places; takes away shape.
        patch_rotation: patches per side that are turned by 90, 180 or 270 degrees; takes away shape.
        bilateral: diameters of a bilateral filter, in pixels; takes away texture.
        gaussian: kernels of a Gaussian blur, in pixels; takes away texture.
        non_local_means: strengths of non-local means; takes away texture.
        greyscale: shares of grey; takes away colour.
        channel_shuffle: ``1`` or nothing; takes away colour.

    Raises:
        ConfigurationError: a strength that a manipulation does not have.
    """

    patch_shuffle: tuple[float, ...] = SUPPRESSIONS["patch_shuffle"].strengths
    patch_rotation: tuple[float, ...] = SUPPRESSIONS["patch_rotation"].strengths
    bilateral: tuple[float, ...] = SUPPRESSIONS["bilateral"].strengths
    gaussian: tuple[float, ...] = SUPPRESSIONS["gaussian"].strengths
    non_local_means: tuple[float, ...] = SUPPRESSIONS["non_local_means"].strengths
    greyscale: tuple[float, ...] = SUPPRESSIONS["greyscale"].strengths
    channel_shuffle: tuple[float, ...] = SUPPRESSIONS["channel_shuffle"].strengths

    name = "reliance"
    version = "1"
    pictured = True
    axis = "Feature reliance"
    metrics = (
        Metric("kept_without_shape", "Accuracy kept without shape", HIGHER, _kept_without("shape")),
        Metric("kept_without_texture", "Accuracy kept without texture", HIGHER, _kept_without("texture")),
        Metric("kept_without_colour", "Accuracy kept without colour", HIGHER, _kept_without("colour")),
    )
    needs_clean = True
    citation = (
        "Burgert et al., ImageNet-trained CNNs are not biased towards texture: Revisiting feature reliance through"
        " controlled suppression, NeurIPS 2025"
    )
    strength_unit = ""
    condition_fields = tuple(SUPPRESSIONS)

    def __post_init__(self) -> None:
        for condition in self.conditions():
            check_suppression(condition.name, condition.strength)

    def conditions(self) -> tuple[Condition, ...]:
        """Every manipulation at every strength."""
        lists = [own.name for own in fields(self) if own.name in SUPPRESSIONS]
        return tuple(Condition(name, float(strength)) for name in lists for strength in getattr(self, name))

    def unit(self, condition: Condition) -> str:
        """The manipulation's own."""
        return SUPPRESSIONS[condition.name].unit

    def read(self, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int) -> Shown:
        """The images; filters of the CPU are applied here, where the readers work side by side."""
        del seed
        images = crops.read(positions)
        if not SUPPRESSIONS[condition.name].on_host:
            return Shown(images)
        return Shown(suppress(images, condition, [0] * len(images)))

    def make(self, batch: Batch, condition: Condition, *, seed: int) -> Batch:
        """The batch with the feature suppressed; ``read`` has done so where the filter is of the CPU.

        Raises:
            DataError: a batch that ``read`` did not make for ``condition``.
        """
        if SUPPRESSIONS[condition.name].on_host:
            check_was_read(batch, condition)
        if SUPPRESSIONS[condition.name].on_host or batch.made:
            return batch
        seeds = [derive_seed(seed, condition.key, str(image_id)) for image_id in batch.image_ids]
        return replace(batch, images=suppress(batch.images, condition, seeds), made=True)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass.

        Raises:
            DataError: a batch that ``read`` did not make for ``condition``.
        """
        shown = self.make(batch, condition, seed=seed)
        with torch.no_grad():
            return judge(classifier(shown.pixels()), shown)

"""ImageNet-W (Li et al. 2023): the watermark that cartons often carry, where its package is installed."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from bench.benchmarks.base import Batch, Benchmark, Shown, check_was_read, judge
from bench.benchmarks.metric import HIGHER, LOWER, Measured, Metric
from bench.data import Crops
from bench.errors import ConfigurationError, DataError
from bench.records import Condition, Outcomes, Parameter

PACKAGE, MODULE = "imagenet-w", "imagenet_w"
CARTON = 478
"""ImageNet's class of cartons, many of whose training images have such a watermark."""


def _correct(measured: Measured) -> NDArray[np.bool_]:
    return measured.correct(Condition(ImageNetW.name))


def _gap(measured: Measured) -> NDArray[np.float64]:
    """``(N,)`` accuracy on the clean image minus that with the watermark."""
    gap: NDArray[np.float64] = measured.clean().astype(np.float64) - _correct(measured)
    return gap


def _carton_gap(measured: Measured) -> NDArray[np.float64]:
    """By image of a carton: accuracy with the watermark minus that without."""
    cartons = measured.outcomes(Condition(ImageNetW.name))["label"].to_numpy() == CARTON
    if measured.spec.label_space != "imagenet" or not cartons.any():
        raise DataError("there is no image of ImageNet's class carton")
    gaps: NDArray[np.float64] = -_gap(measured)[cartons]
    return gaps


@dataclass(frozen=True, kw_only=True)
class ImageNetW(Benchmark):
    """Top-1 decision on the classifier's own crops with the published watermark.

    The carton gap is the gain in accuracy on cartons: what the watermark is a shortcut for.
    """

    name = "imagenet_w"
    version = "1"
    pictured = True
    axis = "Watermark"
    strength_unit = ""
    needs_clean = True
    metrics = (
        Metric("imagenet_w_accuracy", "ImageNet-W", HIGHER, _correct, under_shift=True),
        Metric("imagenet_w_gap", "IN-W gap", LOWER, _gap),
        Metric("imagenet_w_carton_gap", "Carton gap", LOWER, _carton_gap),
    )
    citation = "Li et al., A Whac-A-Mole Dilemma: Shortcuts Come in Multiples, CVPR 2023"
    licence = "The watermark comes with the package imagenet-w (Meta; its own licence) and is no part of Snowwolf"

    def conditions(self) -> tuple[Condition, ...]:
        """The one condition: the watermark."""
        return (Condition(self.name),)

    def parameters(self) -> Mapping[str, Parameter]:
        """Which watermark: the version of the package."""
        return {"package": version(PACKAGE)}

    def check(self) -> None:
        """Refuse to run without the package."""
        if importlib.util.find_spec(MODULE) is None:
            raise ConfigurationError(f"{self.name} needs the package {PACKAGE}: pip install {PACKAGE}")

    def read(self, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int) -> Shown:
        """The crops with the watermark."""
        del condition, seed
        images = crops.read(positions)
        mark = _watermark(int(images.shape[2]))
        marked = [mark(Image.fromarray(image.permute(1, 2, 0).numpy())) for image in images]
        arrays = np.stack([np.asarray(image) for image in marked])
        return Shown(torch.from_numpy(arrays).permute(0, 3, 1, 2).contiguous())

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass."""
        del seed
        check_was_read(batch, condition)
        with torch.no_grad():
            return judge(classifier(batch.pixels()), batch)


@lru_cache(maxsize=4)
def _watermark(height: int) -> Any:
    """The package's own transform for images of that height."""
    import imagenet_w

    return imagenet_w.AddWatermark(height)

"""Whether two crops of an image that lie a few pixels apart get the same answer (Zhang 2019)."""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.benchmarks.base import Batch, Benchmark, judge
from bench.benchmarks.metric import HIGHER, Measured, Metric
from bench.data import CropRecipe
from bench.errors import ConfigurationError
from bench.imaging.windows import take_pixels
from bench.records import Condition, Outcomes
from bench.rng import draw_scalars
from bench.seeding import derive_seed

_SHARE = 7
"""The side of a crop over the range of its offsets: 224 pixels, and offsets in [0, 32) on an image of 256."""


def _agreement(measured: Measured) -> NDArray[np.float64]:
    """``(N,)`` share of the pairs of crops that got the same answer."""
    pairs = [measured.column(condition, "agrees") for condition in measured.expected]
    mean: NDArray[np.float64] = np.mean(pairs, axis=0)
    return mean


@dataclass(frozen=True, kw_only=True)
class ShiftConsistency(Benchmark):
    """Agreement of the decisions on two crops, whether they are right or not.

    The image is resized to 8/7 of the classifier's input (256 for 224), and two crops of the input's size are cut out
    at offsets drawn for each image. Images that are crops already are continued by their mirror image instead.

    Args:
        pairs: numbers of the pairs of crops, each a condition with draws of its own; the published protocol has five.

    Raises:
        ConfigurationError: a number below 1.
    """

    pairs: tuple[int, ...] = (1, 2, 3, 4, 5)

    name = "shift_consistency"
    version = "1"
    axis = "Shift consistency"
    metrics = (Metric("shift_consistency", "Shift consistency", HIGHER, _agreement),)
    citation = "Zhang, Making Convolutional Networks Shift-Invariant Again, ICML 2019"
    strength_unit = "pair"
    condition_fields = ("pairs",)

    def __post_init__(self) -> None:
        if any(number < 1 for number in self.pairs):
            raise ConfigurationError(f"shift_consistency numbers its pairs from 1, not {list(self.pairs)}")

    def recipe(self, crop: CropRecipe) -> CropRecipe:
        """The whole of the resized image that the two crops are cut from; images that are crops stay as they are."""
        if crop.crop_mode == "exact":
            return crop
        height, width = crop.height + _range(crop.height), crop.width + _range(crop.width)
        return replace(crop, height=height, width=width, crop_pct=1.0)

    def conditions(self) -> tuple[Condition, ...]:
        """Every pair of crops."""
        return tuple(Condition("shift", float(number)) for number in self.pairs)

    @property
    def passes(self) -> int:
        """Two crops."""
        return 2

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """Two forward passes.

        Returns:
            The decision on the first crop, and ``agrees``: 1 where the second one's is the same, else 0.
        """
        seeds = [derive_seed(seed, condition.key, str(image_id)) for image_id in batch.image_ids]
        size = batch.input_size or (batch.images.shape[2], batch.images.shape[3])
        canvas = _continued(batch.images, size)
        space = [canvas.shape[2] - size[0], canvas.shape[3] - size[1]] * 2
        offsets = (draw_scalars(seeds, 4) * torch.tensor(space)).long().to(canvas.device)
        with torch.no_grad():
            first, second = (
                judge(classifier(shown.pixels()), shown)
                for shown in (replace(batch, images=cut(canvas, offsets[:, i : i + 2], size)) for i in (0, 2))
            )
        agrees = (first.prediction == second.prediction).astype(np.float64)
        return replace(first, extra={"agrees": agrees})


def _range(side: int) -> int:
    return max(1, round(side / _SHARE))


def _continued(images: Tensor, size: tuple[int, int]) -> Tensor:
    """The images, where they are larger than ``size``; else continued by their mirror image on all sides."""
    height, width = images.shape[2:]
    if height > size[0] and width > size[1]:
        return images
    down, right = _range(size[0]), _range(size[1])
    padding = (right // 2, right - right // 2, down // 2, down - down // 2)
    return F.pad(images.float(), padding, mode="reflect").to(torch.uint8)


def cut(images: Tensor, offsets: Tensor, size: tuple[int, int]) -> Tensor:
    """``(B,3,*size)`` windows of ``(B,3,H,W)`` images, each at its own ``(B,2)`` offset from the top and the left."""
    rows = offsets[:, :1] + torch.arange(size[0], device=images.device)
    columns = offsets[:, 1:] + torch.arange(size[1], device=images.device)
    return take_pixels(images, rows, columns).contiguous()

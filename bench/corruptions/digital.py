"""Digital: elastic transform, pixelate and JPEG compression."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from bench.corruptions.draws import Corruption, Draws, Parameters, Setting, sample_nothing
from bench.corruptions.lines import gaussian
from bench.imaging.jpeg import round_trip
from bench.imaging.resize import resample_lines
from bench.rng import draw_scalars, draw_uniform

ELASTIC = Parameters(
    imagenet_c=(
        (244 * 2, 244 * 0.7, 244 * 0.1),
        (244 * 2, 244 * 0.08, 244 * 0.2),
        (244 * 0.05, 244 * 0.01, 244 * 0.02),
        (244 * 0.07, 244 * 0.01, 244 * 0.02),
        (244 * 0.12, 244 * 0.01, 244 * 0.02),
    ),
    cifar10_c=(
        (32 * 0.0, 32 * 0.0, 32 * 0.08),
        (32 * 0.05, 32 * 0.2, 32 * 0.07),
        (32 * 0.08, 32 * 0.06, 32 * 0.06),
        (32 * 0.1, 32 * 0.04, 32 * 0.05),
        (32 * 0.1, 32 * 0.03, 32 * 0.03),
    ),
)
"""Strength and smoothness of the displacement, reach of the affine map, in pixels (244 as published, for any size)."""
ELASTIC_PACKAGE = (250 * 0.05, 250 * 0.065, 250 * 0.085, 250 * 0.1, 250 * 0.12)
"""The package's strength, in 1/200 of the image's height, by severity; its smoothness is 1/100 of the side."""
PIXELATE = Parameters(imagenet_c=(0.6, 0.5, 0.4, 0.3, 0.25), cifar10_c=(0.95, 0.9, 0.85, 0.75, 0.65))
JPEG_QUALITY = Parameters(imagenet_c=(25, 18, 15, 10, 7), cifar10_c=(80, 65, 58, 50, 40))

_MARGIN = 2e-4
"""Levels: keeps the level of constant areas from truncation, above the rounding of a bilinear sum in float32."""


def _sample_elastic(images: Tensor, setting: Setting, seeds: Sequence[int]) -> Draws:
    draws = {"displacement": draw_uniform(seeds, (2, *images.shape[2:]), images.device)}
    if not setting.from_package:
        draws["points"] = draw_scalars(seeds, 6).view(-1, 3, 2) * 2 - 1
    return draws


def _apply_elastic(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    height, width = images.shape[2:]
    levels = images.float()
    if setting.from_package:
        strength = ELASTIC_PACKAGE[setting.severity - 1] * height * 0.005
        sigma = (height * 0.01, width * 0.01)
    else:
        strength, smoothness, reach = setting.choose(ELASTIC)
        levels = _warp_affine(levels, draws["points"].numpy() * reach)
        sigma = (smoothness, smoothness)
    shift = gaussian(draws["displacement"], sigma, truncate=3.0, reflect=True)
    grid = levels.new_empty(len(levels), height, width, 2)
    for axis, size in enumerate((width, height)):
        here = ((torch.arange(size, dtype=torch.float64) * 2 + 1) / size - 1).float().to(images.device)
        here = here if axis == 0 else here[:, None]
        torch.add(here, shift[:, axis], alpha=strength * 2 / size, out=grid[..., axis])
    moved = F.grid_sample(levels, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return moved.add_(_MARGIN).clamp_(0, 255).to(torch.uint8)


def _warp_affine(levels: Tensor, moves: NDArray[np.float64]) -> Tensor:
    """OpenCV's warpAffine as the published sets were made: bilinear, positions in 1/32 pixel, mirrored at the edge.

    Args:
        levels: ``(B,3,H,W)`` floats.
        moves: ``(B,3,2)`` pixels by which three points in the middle of each image move.
    """
    height, width = levels.shape[2:]
    # the original names the points (height, width) where OpenCV reads (x, y): the same for its square images
    center, arm = np.array([height // 2, width // 2]), min(height, width) // 3
    before = np.stack([center + arm, center + np.array([arm, -arm]), center - arm]).astype(np.float64)
    after = (before + moves).astype(np.float32).astype(np.float64)
    # from the moved points back to the first: the map each pixel of the result is read through
    back = np.stack([np.linalg.solve(np.hstack([points, np.ones((3, 1))]), before).T for points in after])
    grid = levels.new_empty(len(levels), height, width, 2)
    for axis, size in enumerate((width, height)):
        thirty_seconds = _fixed_point(back[:, axis], height, width, 16 * (size - 1), levels.device)
        torch.mul(thirty_seconds, 2 / (32 * (size - 1)), out=grid[..., axis])
    return F.grid_sample(levels, grid, mode="bilinear", padding_mode="reflection", align_corners=True)


def _fixed_point(lines: NDArray[np.float64], height: int, width: int, middle: int, device: torch.device) -> Tensor:
    """``(B,H,W)`` positions in 1/32 pixel, less ``middle``: ``lines @ (x, y, 1)`` in the fixed point of OpenCV 2 to 4.

    Its steps are 1/1024 pixel, summed and cut to 1/32. ``lines`` is ``(B,3)``.
    """
    along = np.rint(lines[:, :1] * np.arange(width) * 1024).astype(np.int32)
    down = np.rint((lines[:, 1:2] * np.arange(height) + lines[:, 2:]) * 1024).astype(np.int32) + (16 - 32 * middle)
    # two short lines travel to the device, and not their sum
    rows, columns = (torch.from_numpy(line).to(device) for line in (down, along))
    return (rows[:, :, None] + columns[:, None]).bitwise_right_shift_(5)


def _apply_pixelate(images: Tensor, _draws: Draws, setting: Setting) -> Tensor:
    factor = setting.choose(PIXELATE)
    height, width = images.shape[2:]
    # Pillow goes along the rows first; lines are gathered fastest from the leading dimension
    narrow = resample_lines(images.permute(3, 0, 1, 2).contiguous(), int(width * factor), "box")
    small = resample_lines(narrow.permute(3, 1, 2, 0).contiguous(), int(height * factor), "box")
    wide = (
        small.permute(3, 1, 2, 0)
        .contiguous()
        .index_select(0, _repeats(width, len(narrow), setting.from_package, images.device))
    )
    tall = (
        wide.permute(3, 1, 2, 0)
        .contiguous()
        .index_select(0, _repeats(height, len(small), setting.from_package, images.device))
    )
    return tall.permute(1, 2, 0, 3).contiguous()


@lru_cache
def _repeats(length: int, count: int, from_package: bool, device: torch.device) -> Tensor:
    """``(length,)`` which of ``count`` lines each line of the enlarged image repeats."""
    step = count / length
    # by Pillow's box filter in the authors' scripts; its nearest neighbour adds up the steps, so ties fall otherwise
    box = (np.arange(length) + 0.5) * step
    position = np.cumsum([step / 2] + [step] * (length - 1)) if from_package else box
    return torch.from_numpy(position.astype(np.int64).clip(max=count - 1)).to(device)


def _apply_jpeg(images: Tensor, _draws: Draws, setting: Setting) -> Tensor:
    return round_trip(images, setting.choose(JPEG_QUALITY))


ELASTIC_TRANSFORM = Corruption(_sample_elastic, _apply_elastic, fixed_batch=True)
PIXELATION = Corruption(sample_nothing, _apply_pixelate)
JPEG_COMPRESSION = Corruption(sample_nothing, _apply_jpeg)

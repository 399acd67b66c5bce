"""Motion blur, of images and of falling snow."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MotionTaps = list[tuple[int, int, float]]
"""Offsets ``(down, right)`` in pixels with their weights."""


def motion_taps(radius: int, sigma: float, angle: float) -> MotionTaps:
    """Offsets ``(down, right)`` in pixels and weights of ImageMagick's motion blur (MotionBlurImage, effect.c).

    Half a gaussian of ``2 * radius + 1`` steps laid along ``angle`` degrees, each step rounded to a pixel.
    """
    width = 2 * radius + 1
    weights = np.exp(-(np.arange(width) ** 2) / (2.0 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma)
    weights /= weights.sum()
    down, right = width * math.sin(math.radians(angle)), width * math.cos(math.radians(angle))
    length = math.hypot(down, right)
    return [
        (math.ceil(step * down / length - 0.5), math.ceil(step * right / length - 0.5), float(weights[step]))
        for step in range(width)
    ]


def taps_inside(taps: MotionTaps, height: int, width: int) -> MotionTaps:
    """The taps before the first that leaves the image: the imagecorruptions package stops there, unnormalised."""
    for index, (down, right, _) in enumerate(taps):
        if abs(down) >= height or abs(right) >= width:
            return taps[:index]
    return taps


def motion_blur(planes: Tensor, taps: MotionTaps) -> Tensor:
    """Weighted sum of shifted copies of ``(C,H,W)`` float planes, the edge pixels repeated outwards."""
    height, width = planes.shape[1:]
    merged: dict[tuple[int, int], float] = {}
    for down, right, weight in taps:
        merged[down, right] = merged.get((down, right), 0.0) + weight
    top, bottom = -min(down for down, _ in merged), max(down for down, _ in merged)
    left, right_most = -min(right for _, right in merged), max(right for _, right in merged)
    top, left = max(top, 0), max(left, 0)
    padding = (left, max(right_most, 0), top, max(bottom, 0))
    padded = F.pad(planes[None], padding, mode="replicate")[0]
    total = torch.zeros_like(planes)
    for (down, right), weight in merged.items():
        window = padded[:, top + down : top + down + height, left + right : left + right + width]
        total.add_(window, alpha=weight)
    return total

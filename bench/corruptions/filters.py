"""Filters shared by the corruptions: gaussian, motion and zoom."""

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_LONGEST_SHIFTED_RADIUS = 32
"""Above this radius two matrix products beat one shifted addition per tap."""


def gaussian_weights(sigma: float, truncate: float) -> list[float]:
    """Weights of a gaussian cut at ``truncate`` standard deviations, as scipy.ndimage.gaussian_filter takes them."""
    radius = int(truncate * sigma + 0.5)
    weights = np.exp(-0.5 / sigma**2 * np.arange(-radius, radius + 1) ** 2)
    return [float(weight) for weight in weights / weights.sum()]


def gaussian(planes: Tensor, sigma: tuple[float, float], *, truncate: float = 4.0, reflect: bool = False) -> Tensor:
    """Separable gaussian blur.

    Args:
        planes: ``(N,C,H,W)`` floats.
        sigma: standard deviation along rows (H) and columns (W), in pixels.
        truncate: standard deviations after which the kernel ends.
        reflect: mirror the image about its edge (d c b a | a b c d | d c b a) instead of repeating the last pixel.
    """
    weights = [gaussian_weights(value, truncate) for value in sigma]
    radius = max(len(taps) // 2 for taps in weights)
    if radius > min(_LONGEST_SHIFTED_RADIUS, *planes.shape[2:]):
        rows, columns = (
            _boundary_matrix(size, value, truncate, reflect, planes.device)
            for size, value in zip(planes.shape[2:], sigma, strict=True)
        )
        # float64 on an accelerator: its float32 products may be rounded to fewer bits by a global switch
        exact = planes.dtype if planes.device.type == "cpu" else torch.float64
        return (rows.to(exact) @ (planes.to(exact) @ columns.to(exact).T)).to(planes.dtype)
    return _shifted_sum(_shifted_sum(planes, weights[0], -2, reflect), weights[1], -1, reflect)


def _shifted_sum(planes: Tensor, taps: list[float], dim: int, reflect: bool) -> Tensor:
    """Correlate along ``dim`` by one multiply-add for each tap."""
    size, radius = planes.shape[dim], len(taps) // 2
    if reflect:
        before = planes.narrow(dim, 0, radius).flip(dim)
        after = planes.narrow(dim, size - radius, radius).flip(dim)
        padded = torch.cat([before, planes, after], dim)
    else:
        padding = (0, 0, radius, radius) if dim == -2 else (radius, radius, 0, 0)
        padded = F.pad(planes, padding, mode="replicate")
    total = planes * taps[radius]
    for offset, weight in enumerate(taps):
        if offset != radius:
            total.add_(padded.narrow(dim, offset, size), alpha=weight)
    return total


@lru_cache
def _boundary_matrix(size: int, sigma: float, truncate: float, reflect: bool, device: torch.device) -> Tensor:
    """``(size, size)`` float32: the blur of a line, its edge included, as a matrix."""
    taps = gaussian_weights(sigma, truncate)
    offsets = np.arange(len(taps)) - len(taps) // 2
    source = np.arange(size)[:, None] + offsets
    if reflect:
        source = source % (2 * size)
        source = np.minimum(source, 2 * size - 1 - source)
    else:
        source = source.clip(0, size - 1)
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.arange(size)[:, None], source), np.array(taps))
    return torch.from_numpy(matrix).float().to(device)


def motion_taps(radius: int, sigma: float, angle: float) -> list[tuple[int, int, float]]:
    """Offsets ``(down, right)`` in pixels and weights of ImageMagick's motion blur (MotionBlurImage, effect.c).

    Half a gaussian of ``2 * radius + 1`` steps laid along ``angle`` degrees, each step rounded to a pixel.
    """
    width = 2 * radius + 1
    weights = np.exp(-(np.arange(width) ** 2) / (2.0 * sigma**2))
    weights /= weights.sum()
    down, right = width * math.sin(math.radians(angle)), width * math.cos(math.radians(angle))
    length = math.hypot(down, right)
    return [
        (math.ceil(step * down / length - 0.5), math.ceil(step * right / length - 0.5), float(weights[step]))
        for step in range(width)
    ]


def taps_inside(taps: list[tuple[int, int, float]], height: int, width: int) -> list[tuple[int, int, float]]:
    """The taps before the first that leaves the image: the imagecorruptions package stops there, unnormalised."""
    for index, (down, right, _) in enumerate(taps):
        if abs(down) >= height or abs(right) >= width:
            return taps[:index]
    return taps


def motion_blur(planes: Tensor, taps: list[tuple[int, int, float]]) -> Tensor:
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


def zoom_window(size: int, factor: float) -> tuple[int, int, int]:
    """Where zooming into the middle of a line of ``size`` pixels reads: start, length, and length once enlarged."""
    length = math.ceil(size / factor)
    return (size - length) // 2, length, round(length * factor)

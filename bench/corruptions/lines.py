"""Separable filters as weighted sums of whole lines.

One embedding bag sums, for every line of the result, the lines it is made of: on a CPU the fastest thing torch offers
for it, the edge is just another index, and each element is summed in one order whatever the batch or the threads.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class LineTaps:
    """Which lines each line of the result is made of."""

    index: Tensor
    """``(n, taps)`` int64 lines."""
    weight: Tensor
    """``(n, taps)`` float32 weights."""


def take_lines(index: NDArray[np.int64], weight: NDArray[np.float64], device: torch.device) -> LineTaps:
    """Taps from ``(n, taps)`` line numbers and weights."""
    return LineTaps(torch.from_numpy(index).to(device), torch.from_numpy(weight).float().to(device))


def combine_lines(lines: Tensor, taps: LineTaps) -> Tensor:
    """``(n, ...)`` weighted sums of ``(m, ...)`` float lines."""
    weight = taps.weight.to(lines.dtype)
    combined = F.embedding_bag(taps.index, lines.flatten(1), mode="sum", per_sample_weights=weight)
    return combined.view(-1, *lines.shape[1:])


def turn(lines: Tensor) -> Tensor:
    """``(W, H, ...)`` from ``(H, ..., W)``: columns become the lines."""
    return lines.reshape(-1, lines.shape[-1]).t().contiguous().view(lines.shape[-1], *lines.shape[:-1])


def turn_back(lines: Tensor) -> Tensor:
    """``(H, ..., W)`` from ``(W, H, ...)``."""
    return lines.reshape(len(lines), -1).t().contiguous().view(*lines.shape[1:], len(lines))


def gaussian(planes: Tensor, sigma: tuple[float, float], *, truncate: float = 4.0, reflect: bool = False) -> Tensor:
    """Separable gaussian blur, as scipy.ndimage.gaussian_filter defines it.

    Args:
        planes: ``(B,C,H,W)`` floats.
        sigma: standard deviation along rows (H) and columns (W), in pixels.
        truncate: standard deviations after which the kernel ends.
        reflect: mirror the image about its edge (d c b a | a b c d | d c b a) instead of repeating the last pixel.

    Returns:
        ``(B,C,H,W)`` floats, not contiguous.
    """
    down, across = (
        _gaussian_taps(size, value, truncate, reflect, planes.device)
        for size, value in zip(planes.shape[2:], sigma, strict=True)
    )
    blurred = combine_lines(planes.permute(2, 0, 1, 3).contiguous(), down)
    return turn_back(combine_lines(turn(blurred), across)).permute(1, 2, 0, 3)


def gaussian_weights(sigma: float, truncate: float = 4.0) -> tuple[float, ...]:
    """Weights of a gaussian cut at ``truncate`` standard deviations, as scipy.ndimage.gaussian_filter takes them."""
    radius = int(truncate * sigma + 0.5)
    if radius == 0:  # so also where sigma is 0
        return (1.0,)
    weights = np.exp(-0.5 / sigma**2 * np.arange(-radius, radius + 1) ** 2)
    return tuple(float(weight) for weight in weights / weights.sum())


@lru_cache(maxsize=256)
def _gaussian_taps(size: int, sigma: float, truncate: float, reflect: bool, device: torch.device) -> LineTaps:
    weights = np.array(gaussian_weights(sigma, truncate))
    here = np.arange(size)[:, None]
    index = here + np.arange(len(weights)) - len(weights) // 2
    if reflect:
        index = index % (2 * size)
        index = np.minimum(index, 2 * size - 1 - index)
    else:
        index = index.clip(0, size - 1)
    if len(weights) < size:
        return take_lines(index, np.tile(weights, (size, 1)), device)
    folded = np.zeros((size, size))
    np.add.at(folded, (here, index), weights)
    return take_lines(np.tile(np.arange(size), (size, 1)), folded, device)


@lru_cache(maxsize=256)
def zoom_taps(size: int, factor: float, centred: bool, start: int, device: torch.device) -> LineTaps:
    """The middle of ``size`` lines enlarged by ``factor`` with linear interpolation, and cut to ``size`` again.

    Args:
        size: lines of the image.
        factor: above 1.
        centred: whether what juts out is cut off on both sides, or after the last line only.
        start: number of the image's first line.
        device: where the taps are to be.
    """
    first, length, enlarged = zoom_window(size, factor)
    skip = (enlarged - size) // 2 if centred else 0
    position = (np.arange(enlarged) * ((length - 1) / (enlarged - 1)))[skip : skip + size]
    upper = np.minimum(position.astype(np.int64), length - 2)
    share = position - upper
    index = start + first + np.stack([upper, upper + 1], 1)
    return take_lines(index, np.stack([1 - share, share], 1), device)


def zoom_window(size: int, factor: float) -> tuple[int, int, int]:
    """Where zooming into the middle of a line of ``size`` pixels reads: start, length, and length once enlarged."""
    length = math.ceil(size / factor)
    return (size - length) // 2, length, round(length * factor)

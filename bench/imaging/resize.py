"""Pillow's resampling of 8-bit images, to the last bit, on any device."""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bench.imaging.threads import map_images

Filter = Literal["box", "bicubic"]

_PILLOW_BITS = 22
"""Precision of Pillow's resampling weights for 8-bit images (Resample.c)."""


def resize_like_pillow(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize by Pillow's bicubic filter.

    Args:
        images: ``(B,3,H,W)`` uint8.
        size: height and width.

    Returns:
        ``(B,3,*size)`` uint8 on the same device: the bytes of ``Image.resize((width, height), BICUBIC)``
        (as of Pillow before 13 where the height shrinks much more than the width).
    """
    if tuple(images.shape[2:]) == tuple(size):
        return images
    if images.device.type == "cpu":
        return map_images(lambda image: _resize_by_pillow(image, size), images)
    return in_whole_numbers(images, size)


def in_whole_numbers(images: Tensor, size: tuple[int, int]) -> Tensor:
    """`resize_like_pillow` in batched int32 arithmetic, on any device; arguments and result are the same."""
    # along the rows first; lines are gathered fastest from the leading dimension
    narrow = resample_lines(images.permute(3, 0, 1, 2).contiguous(), size[1], "bicubic")
    small = resample_lines(narrow.permute(3, 1, 2, 0).contiguous(), size[0], "bicubic")
    return small.permute(1, 2, 0, 3).contiguous()


def _resize_by_pillow(image: Tensor, size: tuple[int, int]) -> Tensor:
    pixels = Image.fromarray(torch.stack(image.unbind(), -1).numpy())
    # along the rows first, as Pillow did for every size before 13, which begins with the columns where they shrink much
    # more than the rows
    resized = pixels.resize((size[1], pixels.height), Image.Resampling.BICUBIC)
    resized = resized.resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1)


def resample_lines(lines: Tensor, count: int, kernel: Filter) -> Tensor:
    """Resample ``(n,a,b,c)`` uint8 lines to ``(count,a,b,c)`` along their first dimension.

    ``kernel`` is ``box`` (for shrinking) or ``bicubic``.
    """
    if len(lines) == count:  # Pillow leaves such a dimension out
        return lines
    sources, weights = _taps(len(lines), count, kernel, lines.device)
    total = torch.full((count, *lines.shape[1:]), 1 << (_PILLOW_BITS - 1), dtype=torch.int32, device=lines.device)
    for source, weight in zip(sources, weights, strict=True):
        total.addcmul_(lines.index_select(0, source).to(torch.int32), weight.view(-1, 1, 1, 1))
    return total.bitwise_right_shift_(_PILLOW_BITS).clamp_(0, 255).to(torch.uint8)


@lru_cache
def _taps(length: int, count: int, kernel: Filter, device: torch.device) -> tuple[Tensor, Tensor]:
    """``(taps,count)`` source lines and their int32 fixed-point weights, as in Pillow's ``precompute_coeffs``."""
    filter_of, reach = _FILTERS[kernel]
    scale = length / count
    stretch = max(scale, 1.0)  # when enlarging, the filter keeps its own width
    center = (np.arange(count) + 0.5) * scale
    first = np.maximum((center - reach * stretch + 0.5).astype(np.int64), 0)
    last = np.minimum((center + reach * stretch + 0.5).astype(np.int64), length)
    source = first + np.arange((last - first).max())[:, None]
    weights = np.where(source < last, filter_of((source - center + 0.5) * (1 / stretch)), 0.0)
    # by the reciprocals, as Pillow does: a quotient may differ in its last bit
    fixed = weights * (1 / weights.sum(0)) * (1 << _PILLOW_BITS)
    rounded = (fixed + np.copysign(0.5, fixed)).astype(np.int32)
    return torch.from_numpy(source.clip(0, length - 1)).to(device), torch.from_numpy(rounded).to(device)


def _box(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    return ((offset > -0.5) & (offset <= 0.5)).astype(np.float64)


def _bicubic(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    x, a = np.abs(offset), -0.5
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


_FILTERS: dict[Filter, tuple[Callable[[NDArray[np.float64]], NDArray[np.float64]], float]] = {
    "box": (_box, 0.5),
    "bicubic": (_bicubic, 2.0),
}

"""Truncation where the exact result is a whole level.

The definitions end in a truncation to bytes. Where the exact result is a whole level (constant areas under a blur,
above all), the byte of the reference hangs on the last bits of its own arithmetic, which is deterministic. These tables
carry that outcome over to float32 arithmetic: each level is moved by a small margin to the side the reference fell to.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

MARGIN = 6e-5
"""Levels: above the rounding of float32 sums of a few dozen terms, far below what truncation itself does."""


def steady(levels: Tensor) -> Tensor:
    """Float32 levels that truncate as the float64 ``levels`` do: the nearly whole ones are moved by the margin."""
    nearest = levels.round()
    moved = nearest + torch.where(levels < nearest, -MARGIN, MARGIN)
    return torch.where((levels - nearest).abs() < 1e-6 * 255, moved, levels).float()


def look_up(table: Tensor, images: Tensor) -> Tensor:
    """``table[images]`` for a ``(256,)`` table and uint8 images."""
    return table.index_select(0, images.reshape(-1).int()).view(images.shape)


@lru_cache
def flat_levels(taps: Sequence[float], passes: int, symmetric: bool, device: torch.device) -> Tensor:
    """``(256,)`` float32: what a reference's float64 filter makes of constant areas of each level.

    Args:
        taps: the filter's weights, in the order they are added up.
        passes: times it is applied.
        symmetric: whether taps at equal distance are added in pairs after the middle one, as SciPy does on images in
            [0,1]; otherwise they are summed in order, on levels.
        device: where the table is to be.
    """
    values = torch.arange(256, dtype=torch.float64)
    if symmetric:
        values = values / 255
    middle = len(taps) // 2
    for _ in range(passes):
        total = values * taps[middle] if symmetric else torch.zeros_like(values)
        for tap in taps[:middle] if symmetric else taps:
            total = total + ((values + values) if symmetric else values) * tap
        values = total
    return steady(values * 255 if symmetric else values).to(device)

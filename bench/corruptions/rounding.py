"""Truncation where the exact result is a whole level.

The definitions end in a truncation to bytes. Where the exact result is a whole level (constant areas under a blur,
above all), the byte of the reference hangs on the last bits of its own arithmetic, which is deterministic. These tables
carry that outcome over to float32 arithmetic: each level is moved by a small margin to the side the reference fell to.
"""

from functools import lru_cache

import torch
from torch import Tensor

_MARGIN = 1e-4
"""Levels: above the rounding of float32 sums of a few dozen terms, far below what truncation itself does."""


def _is_whole(levels: Tensor) -> Tensor:
    return (levels - levels.round()).abs() < 1e-4


def steady(levels: Tensor) -> Tensor:
    """Float32 levels that truncate as the float64 ``levels`` do: the nearly whole ones are moved by the margin."""
    nearest = levels.round()
    moved = nearest + torch.where(levels < nearest, -_MARGIN, _MARGIN)
    return torch.where(_is_whole(levels), moved, levels).float()


def look_up(table: Tensor, images: Tensor) -> Tensor:
    """``table[images]`` for a ``(256,)`` table and uint8 images."""
    return table.index_select(0, images.reshape(-1).int()).view(images.shape)


@lru_cache
def flat_darkness(taps: tuple[float, ...], scipy: bool, device: torch.device) -> Tensor:
    """``(256,)`` float32: 255 less what a reference's float64 filter makes of constant areas of each level.

    Counting down from white gives float32 its finest steps where photographs have their constant areas: in blown-out
    highlights. `bytes_of_darkness` turns the filtered result into bytes.

    Args:
        taps: the filter's weights, in the order they are added up.
        scipy: whether the filter is SciPy's gaussian, on images in [0,1] along both axes, which adds the taps at equal
            distance in pairs to the middle one; otherwise one sum in order, on levels.
        device: where the table is to be.
    """
    values = torch.arange(256, dtype=torch.float64)
    if scipy:
        values = values / 255
        middle = len(taps) // 2
        for _ in range(2):
            total = values * taps[middle]
            for tap in taps[:middle]:
                total = total + (values + values) * tap
            values = total
        values = values * 255
    else:
        values = sum((tap * values for tap in taps), torch.zeros_like(values))
    nearest = values.round()
    darkness = 255 - nearest
    margin = _MARGIN * darkness / 255 + 1e-12
    return (
        torch.where(_is_whole(values), darkness + torch.where(values < nearest, margin, -margin), 255 - values)
        .float()
        .to(device)
    )


def bytes_of_darkness(darkness: Tensor) -> Tensor:
    """Truncated bytes of ``255 - darkness``; the argument is overwritten."""
    return darkness.ceil_().clamp_(0, 255).to(torch.uint8).bitwise_not_()

"""Draws for a batch of images, one seed per image: words, integers, uniform and normal numbers."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from bench.rng.operators import philox_normal, philox_words

_TENSORS, _SCALARS = 0, 1
"""Streams: a seed's tensors on the device of the images, and its few numbers on the CPU."""
_CPU = torch.device("cpu")


def draw_words(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Tensor:
    """``(B, *shape)`` int32 uniform draws over all 32 bits."""
    return philox_words(seed_tensor(seeds, device), math.prod(shape), _TENSORS).view(len(seeds), *shape)


def draw_uniform(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Tensor:
    """``(B, *shape)`` float32 uniform draws in ``[-1, 1]``, each rounded from 32 random bits."""
    return draw_words(seeds, shape, device).float().mul_(2.0**-31)


def draw_integers(seeds: Sequence[int], shape: Sequence[int], high: int, device: torch.device) -> Tensor:
    """``(B, *shape)`` int32 draws in ``[0, high)``, uniform but for a share of ``high / 2**32``."""
    words = draw_words(seeds, shape, device).long().bitwise_and_(0xFFFFFFFF)
    return words.mul_(high).bitwise_right_shift_(32).to(torch.int32)


def draw_normal(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Tensor:
    """``(B, *shape)`` float32 standard normal draws."""
    return philox_normal(seed_tensor(seeds, device), math.prod(shape), _TENSORS).view(len(seeds), *shape)


def draw_scalars(seeds: Sequence[int], count: int) -> Tensor:
    """``(B, count)`` float64 uniform draws in ``[0, 1)`` of 53 bits, on the CPU whatever the device of the images.

    They come from another stream than the draws above, so that both may be used for one image.
    """
    pairs = philox_words(seed_tensor(seeds, _CPU), 2 * count, _SCALARS).long().bitwise_and_(0xFFFFFFFF)
    high, low = pairs.view(len(seeds), count, 2).unbind(2)
    return ((high >> 5) * 2**26 + (low >> 6)).double().mul_(2.0**-53)


def seed_tensor(seeds: Sequence[int], device: torch.device) -> Tensor:
    """``(B,)`` int64 on ``device``."""
    return torch.tensor(list(seeds), dtype=torch.int64).to(device)

"""Draws for a batch of images, one seed per image: words, integers, uniform and normal numbers."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bench.rng import philox
from bench.rng.normal import coefficients, normal_of_words

_TENSORS, _SCALARS = 0, 1
"""Streams: a seed's tensors on the device of the images, and its few numbers on the CPU."""


def draw_words(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Tensor:
    """``(B, *shape)`` int32 uniform draws over all 32 bits."""
    return _words(seeds, math.prod(shape), _TENSORS, device).view(len(seeds), *shape)


def draw_uniform(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Tensor:
    """``(B, *shape)`` float32 uniform draws in ``[-1, 1]``, each rounded from 32 random bits."""
    return draw_words(seeds, shape, device).float().mul_(2.0**-31)


def draw_integers(seeds: Sequence[int], shape: Sequence[int], high: int, device: torch.device) -> Tensor:
    """``(B, *shape)`` int32 draws in ``[0, high)``, uniform but for a share of ``high / 2**32``."""
    words = draw_words(seeds, shape, device).long().bitwise_and_(0xFFFFFFFF)
    return words.mul_(high).bitwise_right_shift_(32).to(torch.int32)


def draw_normal(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Tensor:
    """``(B, *shape)`` float32 standard normal draws."""
    count = math.prod(shape)
    if device.type == "cpu":
        from bench.rng.compiled import fill_normal, padded  # imports numba, which takes half a second

        out = np.empty((len(seeds), padded(count)), np.uint32)
        fill_normal(out, _keys(seeds), np.uint32(_TENSORS), coefficients())
        draws = torch.from_numpy(out.view(np.float32))[:, :count]
    elif device.type == "cuda":
        from bench.rng.launched import launch_normal

        draws = launch_normal(seed_tensor(seeds, device), count, _TENSORS)
    else:
        draws = normal_of_words(_words(seeds, count, _TENSORS, device))
    return draws.view(len(seeds), *shape) if draws.is_contiguous() else draws.reshape(len(seeds), *shape)


def draw_scalars(seeds: Sequence[int], count: int) -> Tensor:
    """``(B, count)`` float64 uniform draws in ``[0, 1)`` of 53 bits, on the CPU whatever the device of the images.

    They come from another stream than the draws above, so that both may be used for one image.
    """
    pairs = _words(seeds, 2 * count, _SCALARS, torch.device("cpu")).long().bitwise_and_(0xFFFFFFFF)
    high, low = pairs.view(len(seeds), count, 2).unbind(2)
    return ((high >> 5) * 2**26 + (low >> 6)).double().mul_(2.0**-53)


def _words(seeds: Sequence[int], count: int, stream: int, device: torch.device) -> Tensor:
    """``(B, count)`` int32: the words of `bench.rng.philox.words`, by what is fastest on ``device``."""
    if device.type == "cpu":
        from bench.rng.compiled import fill_words, padded

        out = np.empty((len(seeds), padded(count)), np.uint32)
        fill_words(out, _keys(seeds), np.uint32(stream))
        return torch.from_numpy(out.view(np.int32))[:, :count].contiguous()
    if device.type == "cuda":
        from bench.rng.launched import launch_words

        return launch_words(seed_tensor(seeds, device), count, stream)
    return philox.words(seed_tensor(seeds, device), count, stream).contiguous()


def seed_tensor(seeds: Sequence[int], device: torch.device) -> Tensor:
    """``(B,)`` int64 on ``device``."""
    return torch.tensor(list(seeds), dtype=torch.int64).to(device)


def _keys(seeds: Sequence[int]) -> "np.ndarray[tuple[int, int], np.dtype[np.uint32]]":
    """``(B, 2)`` uint32: the low and the high word of each seed."""
    return np.array(list(seeds), dtype="<u8").view("<u4").reshape(len(seeds), 2).astype(np.uint32)

"""Noise: gaussian, shot, impulse and speckle."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from bench.corruptions.draws import Corruption, Draws, Parameters, Setting
from bench.rng import draw_normal, draw_words

GAUSSIAN_SCALE = Parameters(imagenet_c=(0.08, 0.12, 0.18, 0.26, 0.38), cifar10_c=(0.04, 0.06, 0.08, 0.09, 0.1))
SHOT_PHOTONS = Parameters(imagenet_c=(60, 25, 12, 5, 3), cifar10_c=(500, 250, 100, 75, 50))
IMPULSE_AMOUNT = Parameters(imagenet_c=(0.03, 0.06, 0.09, 0.17, 0.27), cifar10_c=(0.01, 0.02, 0.03, 0.05, 0.07))
SPECKLE_SCALE = Parameters(imagenet_c=(0.15, 0.2, 0.35, 0.45, 0.6), cifar10_c=(0.06, 0.1, 0.12, 0.16, 0.2))

_LEAST_BITS = 7
"""Of a photon count: a mean of 60 exceeds 127 with a chance below 1e-13."""
_DEVIATIONS = 8.6
"""By how many standard deviations the highest count that a table distinguishes exceeds the mean of white."""


def _to_bytes(values: Tensor) -> Tensor:
    """Clip to bytes in place and truncate, as the definitions do."""
    return values.clamp_(0, 255).to(torch.uint8)


def _sample_normal(images: Tensor, _setting: Setting, seeds: Sequence[int]) -> Draws:
    return {"noise": draw_normal(seeds, images.shape[1:], images.device)}


def _apply_gaussian(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    return _to_bytes(torch.add(images, draws["noise"], alpha=255 * setting.choose(GAUSSIAN_SCALE)))


def _apply_speckle(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    levels = images.float()
    return _to_bytes(torch.addcmul(levels, levels, draws["noise"], value=setting.choose(SPECKLE_SCALE)))


def _sample_impulse(images: Tensor, _setting: Setting, seeds: Sequence[int]) -> Draws:
    return {"word": draw_words(seeds, images.shape[1:], images.device)}


def _apply_impulse(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    amount = setting.choose(IMPULSE_AMOUNT)
    salt = draws["word"] < round(amount / 2 * 2**32) - 2**31
    kept = draws["word"] >= round(amount * 2**32) - 2**31
    # a true byte is 1, and its negative 255
    return images.bitwise_and(kept.view(torch.uint8).neg_()).bitwise_or_(salt.view(torch.uint8).neg_())


def _sample_shot(images: Tensor, setting: Setting, seeds: Sequence[int]) -> Draws:
    return {"photons": draw_photons(images, setting.choose(SHOT_PHOTONS), seeds)}


def draw_photons(images: Tensor, full: int, seeds: Sequence[int]) -> Tensor:
    """``(B,3,H,W)`` int32 Poisson draws, where ``full`` photons are the mean of white; one seed per image."""
    words = draw_words(seeds, images.shape[1:], images.device)
    bits, table = _count_bits(full), _poisson_table(full, images.device)
    low_bits = (1 << bits) - 1
    own = words & low_bits
    cell = images.to(torch.int32).mul_(1 << bits).add_(own)
    entry = table.index_select(0, cell.view(-1)).view_as(own)
    other = entry & low_bits
    keeps_own = (words.bitwise_right_shift_(bits) < entry.bitwise_right_shift_(bits)).view(torch.uint8)
    return own.sub_(other).mul_(keeps_own).add_(other)


def _apply_shot(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    photons = draws["photons"]
    level = level_of_photons(setting.choose(SHOT_PHOTONS), images.device)
    return level.index_select(0, photons.reshape(-1)).view(images.shape)


def _count_bits(full: int) -> int:
    """Bits of the photon counts that occur, where ``full`` photons are white."""
    return max(_LEAST_BITS, math.ceil(math.log2(full + _DEVIATIONS * math.sqrt(full))))


@lru_cache
def level_of_photons(full: int, device: torch.device) -> Tensor:
    """``(2**bits,)`` uint8: the level shown for each photon count, where ``full`` photons are white."""
    levels = np.clip(np.arange(1 << _count_bits(full)) / float(full), 0, 1) * 255
    return torch.from_numpy(levels.astype(np.uint8)).to(device)


@lru_cache
def _poisson_table(full: int, device: torch.device) -> Tensor:
    """Alias table of the Poisson law of each of the 256 levels (Walker 1977; built as by Vose 1991).

    Returns:
        ``(256 * 2**bits,)`` int32, a row of ``2**bits`` cells for each level: in the high bits, signed, the share of
        the cell that stands for its own count, in the low ``bits`` the count that the rest of it stands for.
    """
    bits = _count_bits(full)
    bins, shares = 1 << bits, 1 << (32 - bits)
    counts = torch.arange(bins, dtype=torch.float64)
    means = torch.arange(256, dtype=torch.float64)[:, None] / 255.0 * full
    chance = torch.exp(torch.xlogy(counts, means) - means - torch.lgamma(counts + 1)).numpy()
    share_of_own = np.full((256, bins), shares - 1)
    alias = np.tile(np.arange(bins), (256, 1))
    for level in range(256):
        share = chance[level] / chance[level].sum() * bins
        poor = [int(count) for count in np.flatnonzero(share < 1)]
        rich = [int(count) for count in np.flatnonzero(share >= 1)]
        while poor and rich:
            small, large = poor.pop(), rich[-1]
            share_of_own[level, small] = min(round(share[small] * shares), shares - 1)
            alias[level, small] = large
            share[large] -= 1 - share[small]
            if share[large] < 1:
                poor.append(rich.pop())
    table = ((share_of_own - shares // 2) << bits) | alias
    return torch.from_numpy(table.astype(np.int32)).view(-1).to(device)


GAUSSIAN_NOISE = Corruption(_sample_normal, _apply_gaussian)
SHOT_NOISE = Corruption(_sample_shot, _apply_shot)
IMPULSE_NOISE = Corruption(_sample_impulse, _apply_impulse)
SPECKLE_NOISE = Corruption(_sample_normal, _apply_speckle)

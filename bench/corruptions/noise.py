"""Noise: gaussian, shot, impulse and speckle."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from bench.corruptions.draws import Corruption, Draws, Setting, draw_normal, draw_words

GAUSSIAN_SCALE = (0.08, 0.12, 0.18, 0.26, 0.38)
SHOT_PHOTONS = (60, 25, 12, 5, 3)
IMPULSE_AMOUNT = (0.03, 0.06, 0.09, 0.17, 0.27)
SPECKLE_SCALE = (0.15, 0.2, 0.35, 0.45, 0.6)

_BIN_BITS = 7
_BINS = 1 << _BIN_BITS
"""Photon counts a table tells apart: a mean of 60 exceeds 127 with a chance below 1e-13."""
_SHARES = 1 << (32 - _BIN_BITS)


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
    words = draw_words(seeds, images.shape[1:], images.device)
    table = _poisson_table(setting.choose(SHOT_PHOTONS), images.device)
    own = words & (_BINS - 1)
    cell = images.to(torch.int32).mul_(_BINS).add_(own)
    entry = table.index_select(0, cell.view(-1)).view_as(own)
    other = entry & (_BINS - 1)
    keeps_own = (words.bitwise_right_shift_(_BIN_BITS) < entry.bitwise_right_shift_(_BIN_BITS)).view(torch.uint8)
    return {"photons": own.sub_(other).mul_(keeps_own).add_(other)}


def _apply_shot(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    photons = draws["photons"]
    level = _level_of_photons(setting.choose(SHOT_PHOTONS), images.device)
    return level.index_select(0, photons.reshape(-1)).view(images.shape)


@lru_cache
def _level_of_photons(full: int, device: torch.device) -> Tensor:
    """``(128,)`` uint8: the level shown for each photon count, where ``full`` photons are white."""
    levels = np.clip(np.arange(_BINS) / float(full), 0, 1) * 255
    return torch.from_numpy(levels.astype(np.uint8)).to(device)


@lru_cache
def _poisson_table(full: int, device: torch.device) -> Tensor:
    """Alias table of the Poisson law of each of the 256 levels (Walker 1977; built as by Vose 1991).

    Returns:
        ``(256 * 128,)`` int32, a row of 128 cells for each level: in the high 25 bits, signed, the share of the cell
        that stands for its own count, in the low 7 the count that the rest of it stands for.
    """
    counts = torch.arange(_BINS, dtype=torch.float64)
    means = torch.arange(256, dtype=torch.float64)[:, None] / 255.0 * full
    chance = torch.exp(torch.xlogy(counts, means) - means - torch.lgamma(counts + 1)).numpy()
    share_of_own = np.full((256, _BINS), _SHARES - 1)
    alias = np.tile(np.arange(_BINS), (256, 1))
    for level in range(256):
        share = chance[level] / chance[level].sum() * _BINS
        poor = [int(count) for count in np.flatnonzero(share < 1)]
        rich = [int(count) for count in np.flatnonzero(share >= 1)]
        while poor and rich:
            small, large = poor.pop(), rich[-1]
            share_of_own[level, small] = min(round(share[small] * _SHARES), _SHARES - 1)
            alias[level, small] = large
            share[large] -= 1 - share[small]
            if share[large] < 1:
                poor.append(rich.pop())
    table = ((share_of_own - _SHARES // 2) << _BIN_BITS) | alias
    return torch.from_numpy(table.astype(np.int32)).view(-1).to(device)


GAUSSIAN_NOISE = Corruption(_sample_normal, _apply_gaussian)
SHOT_NOISE = Corruption(_sample_shot, _apply_shot)
IMPULSE_NOISE = Corruption(_sample_impulse, _apply_impulse)
SPECKLE_NOISE = Corruption(_sample_normal, _apply_speckle)

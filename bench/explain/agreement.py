"""How alike two attribution maps order the pixels of an image."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from scipy.stats import rankdata
from torch import Tensor


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation of each pair of maps, ties sharing their mean rank.

    Args:
        first: ``(B,H,W)`` maps.
        second: ``(B,H,W)`` maps of the same images.

    Returns:
        ``(B,)`` float64 in [-1,1], on the CPU; NaN where either map is constant and orders nothing.
    """
    a, b = (_centred_ranks(maps) for maps in (first, second))
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    correlation = np.full(len(a), math.nan)
    np.divide((a * b).sum(axis=1), scale, out=correlation, where=scale > 0)
    return torch.from_numpy(correlation)


def agreement(maps: Mapping[str, Tensor]) -> dict[tuple[str, str], Tensor]:
    """The rank correlation of every two methods, image by image.

    Args:
        maps: method name -> ``(B,H,W)`` maps of the same images and classes.

    Returns:
        ``(one method, a later one) -> (B,)``, as ``rank_correlation`` gives it.
    """
    names = list(maps)
    pairs = [(one, other) for position, one in enumerate(names) for other in names[position + 1 :]]
    return {pair: rank_correlation(maps[pair[0]], maps[pair[1]]) for pair in pairs}


def _centred_ranks(maps: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    ranks = rankdata(maps.detach().cpu().flatten(1).numpy(), axis=1)
    centred: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = ranks - ranks.mean(axis=1, keepdims=True)
    return centred

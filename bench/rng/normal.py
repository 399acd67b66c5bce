"""Normal draws from words by a table of the inverse distribution function: the same bits on every device.

A logarithm or a cosine is rounded differently by every device's library. Looking up a table, multiplying and adding is
not: IEEE 754 leaves one result. So the usual Box-Muller transform will not do, and a piecewise cubic does.

The lower half of the inverse is cut where the float32 ``v = 2**32 * probability`` changes its exponent or the first
five bits of its fraction: 32 pieces for each halving of the probability, narrow where the curve is steep. A draw is off
the exact inverse by less than 1e-6 (a test measures it).
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

FRACTION_BITS = 18
"""Of a float32: those that say where within a piece."""
FIRST_PIECE = 126 << 5
"""Exponent and first five bits of the fraction of 0.5, the least ``v``."""
PIECES = 32 * 32 + 1
"""32 octaves from 0.5 to 2**31, and 2**31 itself, which is the median."""
_GRID = 2.0**-28
"""Coefficients are rounded to it, so that the last bits of a library's ``ndtri`` do not reach them."""


@lru_cache(maxsize=1)
def coefficients() -> NDArray[np.float32]:
    """``(4, PIECES)`` float32: the cubic of each piece, constant first, in the share of the piece."""
    starts = np.arange(FIRST_PIECE, FIRST_PIECE + PIECES + 1, dtype=np.uint32) << FRACTION_BITS
    edges = starts.view(np.float32).astype(np.float64)
    # through four points of the curve: Chebyshev's, which leave the least error between them
    nodes = (1 - np.cos(np.pi * (np.arange(4) + 0.5) / 4)) / 2
    places = edges[:-1, None] + np.diff(edges)[:, None] * nodes
    curve = -ndtri(np.minimum(places / 2.0**32, 0.5))
    powers = nodes[:, None] ** np.arange(4)
    table = np.linalg.solve(powers, curve.T)
    table[:, -1] = 0  # the median
    return np.ascontiguousarray((np.rint(table / _GRID) * _GRID).astype(np.float32))


@lru_cache
def _coefficients_on(device: torch.device) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(row).to(device) for row in coefficients())


def normal_of_words(words: Tensor) -> Tensor:
    """Standard normal draws, one per word.

    Args:
        words: int32 of any shape: the highest bit is the sign, the others the probability.

    Returns:
        float32 of the same shape, in ``[-6.4, 6.4]``.
    """
    probability = (words & 0x7FFFFFFF).to(torch.float32).add_(0.5)
    bits = probability.view(torch.int32)
    piece = (bits >> FRACTION_BITS).sub_(FIRST_PIECE).flatten()
    share = (bits & ((1 << FRACTION_BITS) - 1)).to(torch.float32).mul_(2.0**-FRACTION_BITS)
    constant, linear, square, cube = (
        row.index_select(0, piece).view(words.shape) for row in _coefficients_on(words.device)
    )
    # each product and each sum is rounded by itself; a fused step would round once, and not every device has it
    magnitude = cube.mul_(share).add_(square).mul_(share).add_(linear).mul_(share).add_(constant)
    return (magnitude.view(torch.int32) ^ (words & -(1 << 31))).view(torch.float32)

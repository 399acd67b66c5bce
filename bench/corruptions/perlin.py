"""Perlin's gradient noise (1985), with the random tables of ImageNet-C-bar."""

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TABLE = 256
_OFFSET = 16 * _TABLE
"""Added to coordinates, so that they are positive."""


def turbulence(x: Floats, y: Floats, octaves: int, generator: RandomState) -> Floats:
    """Absolute noise summed over doubling frequencies ``1, 2, 4, ... <= octaves``, each weighted by one over its own.

    Args:
        x: first coordinates, of any shape.
        y: second coordinates, of the same shape.
        octaves: the highest frequency.
        generator: where the tables are drawn from.
    """
    permutation, gradients = _tables(generator)
    total, frequency = np.zeros_like(x), 1
    while frequency <= octaves:
        total += np.abs(_noise(frequency * x, frequency * y, permutation, gradients)) / frequency
        frequency *= 2
    return total


def _tables(generator: RandomState) -> tuple[NDArray[np.int64], Floats]:
    """``(514,)`` permutation and ``(514,2)`` unit gradients: 256 entries, then the same again."""
    size = 2 * _TABLE + 2
    draws = np.stack([generator.randint(0, 2**31, 2) for _ in range(size)])
    gradients = (draws % (2 * _TABLE) - _TABLE) / _TABLE
    lengths = np.linalg.norm(gradients, axis=1, keepdims=True)
    gradients /= np.where(lengths == 0, 1, lengths)  # the original divides by zero, about once in 500 tables
    permutation = np.arange(size)
    for place in range(_TABLE - 1, -1, -1):
        other = generator.randint(0, 2**31) % _TABLE
        permutation[place], permutation[other] = permutation[other], permutation[place]
    repeated = np.arange(size) % _TABLE
    return permutation[repeated], gradients[repeated]


def _noise(x: Floats, y: Floats, permutation: NDArray[np.int64], gradients: Floats) -> Floats:
    x, y = x + _OFFSET, y + _OFFSET
    columns, rows = x.astype(np.int64) % _TABLE, y.astype(np.int64) % _TABLE
    right, down = x % 1, y % 1

    def slope(step_x: int, step_y: int) -> Floats:
        corner = permutation[permutation[(columns + step_x) % _TABLE] + (rows + step_y) % _TABLE]
        rise: Floats = (right - step_x) * gradients[corner, 0] + (down - step_y) * gradients[corner, 1]
        return rise

    ease_x, ease_y = (share**2 * (3 - 2 * share) for share in (right, down))
    upper = slope(0, 0) + ease_x * (slope(1, 0) - slope(0, 0))
    lower = slope(0, 1) + ease_x * (slope(1, 1) - slope(0, 1))
    return 1.5 * (upper + ease_y * (lower - upper))

"""`bench.rng.philox.words` and `bench.rng.normal.normal_of_words` on the CPU, compiled by numba: the same bits."""

import numpy as np
from numpy.typing import NDArray

from bench.machine_code import inner, kept
from bench.rng.normal import FIRST_PIECE, FRACTION_BITS
from bench.rng.philox import KEY_STEPS, MULTIPLIERS, ROUNDS

Words = NDArray[np.uint32]

_M0, _M1 = (np.uint64(multiplier) for multiplier in MULTIPLIERS)
_W0, _W1 = (np.uint32(step) for step in KEY_STEPS)
_SHIFT = np.uint64(32)
_ZERO = np.uint32(0)
_TILE = 512
"""Words made before they are turned into normal draws: few enough for the first cache."""
_MAGNITUDE, _SIGN = np.uint32(0x7FFFFFFF), np.uint32(0x80000000)
_FRACTION_BITS, _FRACTION = np.uint32(FRACTION_BITS), np.uint32((1 << FRACTION_BITS) - 1)
_FIRST_PIECE = np.uint32(FIRST_PIECE)
_HALF, _SCALE = np.float32(0.5), np.float32(2.0**-FRACTION_BITS)


@inner
def _fill(out: Words, first_block: int, key_low: np.uint32, key_high: np.uint32, stream: np.uint32) -> None:
    """``out`` with the words from ``first_block`` on; its length is a multiple of four."""
    for block in range(len(out) // 4):
        c0, c1, c2, c3 = np.uint32(first_block + block), _ZERO, _ZERO, stream
        k0, k1 = key_low, key_high
        for _ in range(ROUNDS):
            first, second = np.uint64(c0) * _M0, np.uint64(c2) * _M1
            c0, c2 = np.uint32(second >> _SHIFT) ^ c1 ^ k0, np.uint32(first >> _SHIFT) ^ c3 ^ k1
            c1, c3 = np.uint32(second), np.uint32(first)
            k0, k1 = np.uint32(k0 + _W0), np.uint32(k1 + _W1)
        out[4 * block], out[4 * block + 1], out[4 * block + 2], out[4 * block + 3] = c0, c1, c2, c3


@kept
def fill_words(out: Words, keys: Words, stream: np.uint32) -> None:
    """Each row of ``out`` ``(B, N)``, ``N`` a multiple of 4, with the words of its key ``(B, 2)``."""
    for row in range(len(out)):
        _fill(out[row], 0, keys[row, 0], keys[row, 1], stream)


@kept
def fill_normal(out: Words, keys: Words, stream: np.uint32, table: NDArray[np.float32]) -> None:
    """Each row of ``out`` ``(B, N)``, ``N`` a multiple of 4, with the bits of float32 normal draws of its key."""
    bits = np.empty(_TILE, np.uint32)
    values = bits.view(np.float32)
    constant, linear, square, cube = table[0], table[1], table[2], table[3]
    for row in range(len(out)):
        for start in range(0, out.shape[1], _TILE):
            part = out[row, start : start + _TILE]
            _fill(part, start // 4, keys[row, 0], keys[row, 1], stream)
            for place in range(len(part)):
                values[place] = np.float32(np.int32(part[place] & _MAGNITUDE)) + _HALF
            for place in range(len(part)):
                piece = np.uint64((bits[place] >> _FRACTION_BITS) - _FIRST_PIECE)
                share = np.float32(np.int32(bits[place] & _FRACTION)) * _SCALE
                value = ((cube[piece] * share + square[piece]) * share + linear[piece]) * share
                values[place] = value + constant[piece]
                part[place] = bits[place] ^ (part[place] & _SIGN)


def padded(count: int) -> int:
    """The least multiple of four from ``count`` on: whole counters."""
    return -(-count // 4) * 4

"""libjpeg's "islow" cosine transform of 8 x 8 blocks in whole numbers (jfdctint.c, jidctint.c), batched in torch.

After Loeffler, Ligtenberg and Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications", ICASSP 1989.
Constants have 13 fractional bits; between the two passes 2 bits are kept, so every sum fits into int32.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

_CONSTANT_BITS = 13
_PASS_BITS = 2
_UNIT_BITS = 20
"""More than any pass shifts away."""


def forward_dct(blocks: Tensor, *, row: int, column: int) -> Tensor:
    """Coefficients times 8 of int32 samples about zero; ``row`` and ``column`` are the dimensions of length 8."""
    along_rows = _forward(blocks.unbind(row), _CONSTANT_BITS - _PASS_BITS, even_up=_PASS_BITS)
    half = torch.stack(along_rows, row)
    return torch.stack(_forward(half.unbind(column), _CONSTANT_BITS + _PASS_BITS, even_down=_PASS_BITS), column)


def inverse_dct(coefficients: Tensor, *, row: int, column: int) -> Tensor:
    """Samples about zero, not clipped, of int32 coefficients."""
    half = torch.stack(_inverse(coefficients.unbind(column), _CONSTANT_BITS - _PASS_BITS), column)
    return torch.stack(_inverse(half.unbind(row), _CONSTANT_BITS + _PASS_BITS + 3), row)


def forward_by_products(blocks: Tensor) -> Tensor:
    """`forward_dct` of float64 whole numbers ``(n,8,m,8)``, rows last: each pass one matrix product.

    A pass is linear up to the one rounding at its end, and its sums fit into float64: products, in whatever order they
    are added, give the same whole numbers. A GPU is given 4 steps in place of some 150.
    """
    across, down = _pass_matrices(blocks.device)[:2]
    return _down_columns(_rounded(blocks @ across.T), down)


def inverse_by_products(coefficients: Tensor) -> Tensor:
    """`inverse_dct` of float64 whole numbers ``(n,8,m,8)``, rows last, as `forward_by_products` does it."""
    down, across = _pass_matrices(coefficients.device)[2:]
    return _rounded(_down_columns(coefficients, down) @ across.T)


def _down_columns(blocks: Tensor, matrix: Tensor) -> Tensor:
    return _rounded(matrix @ blocks.flatten(2)).view(blocks.shape)


def _rounded(values: Tensor) -> Tensor:
    return values.add_(0.5).floor_()


@lru_cache
def _pass_matrices(device: torch.device) -> tuple[Tensor, ...]:
    """``(8,8)`` float64 matrices of the four passes, without their rounding: what they make of large unit vectors."""
    units = (torch.eye(8, dtype=torch.int64) << _UNIT_BITS).unbind()
    passes = (
        _forward(units, _CONSTANT_BITS - _PASS_BITS, even_up=_PASS_BITS),
        _forward(units, _CONSTANT_BITS + _PASS_BITS, even_down=_PASS_BITS),
        _inverse(units, _CONSTANT_BITS - _PASS_BITS),
        _inverse(units, _CONSTANT_BITS + _PASS_BITS + 3),
    )
    return tuple((torch.stack(one).double() / 2**_UNIT_BITS).to(device) for one in passes)


def _descale(value: Tensor, bits: int) -> Tensor:
    """Divide by ``2**bits``, halves rounded up."""
    return (value + (1 << (bits - 1))) >> bits


def _forward(d: Sequence[Tensor], shift: int, *, even_up: int = 0, even_down: int = 0) -> list[Tensor]:
    a0, a1, a2, a3 = d[0] + d[7], d[1] + d[6], d[2] + d[5], d[3] + d[4]
    b0, b1, b2, b3 = d[3] - d[4], d[2] - d[5], d[1] - d[6], d[0] - d[7]
    sum0, sum1, difference0, difference1 = a0 + a3, a1 + a2, a0 - a3, a1 - a2
    ends = (sum0 + sum1, sum0 - sum1)
    first, fifth = (_descale(end, even_down) if even_down else end << even_up for end in ends)
    turned = (difference0 + difference1) * 4433
    odd = _odd_part(b0, b1, b2, b3)
    even = {2: turned + difference0 * 6270, 6: turned - difference1 * 15137}
    return [
        first,
        _descale(odd[3], shift),
        _descale(even[2], shift),
        _descale(odd[2], shift),
        fifth,
        _descale(odd[1], shift),
        _descale(even[6], shift),
        _descale(odd[0], shift),
    ]


def _inverse(c: Sequence[Tensor], shift: int) -> list[Tensor]:
    turned = (c[2] + c[6]) * 4433
    e2, e3 = turned - c[6] * 15137, turned + c[2] * 6270
    e0, e1 = (c[0] + c[4]) << _CONSTANT_BITS, (c[0] - c[4]) << _CONSTANT_BITS
    even = (e0 + e3, e1 + e2, e1 - e2, e0 - e3)
    odd = _odd_part(c[7], c[5], c[3], c[1])[::-1]
    near = [_descale(e + o, shift) for e, o in zip(even, odd, strict=True)]
    far = [_descale(e - o, shift) for e, o in zip(even, odd, strict=True)]
    return near + far[::-1]


def _odd_part(t0: Tensor, t1: Tensor, t2: Tensor, t3: Tensor) -> list[Tensor]:
    """The rotations that both directions share; of the inverse, for coefficients 7, 5, 3, 1."""
    common = (t0 + t1 + t2 + t3) * 9633
    z1, z2 = (t0 + t3) * -7373, (t1 + t2) * -20995
    z3, z4 = (t0 + t2) * -16069 + common, (t1 + t3) * -3196 + common
    return [t0 * 2446 + z1 + z3, t1 * 16819 + z2 + z4, t2 * 25172 + z2 + z3, t3 * 12299 + z1 + z4]

"""Philox 4x32-10 (Salmon et al. 2011) in whole-number tensor operations, on any device."""

import torch
from torch import Tensor

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
_WORD = 0xFFFFFFFF
"""Words are kept in int64, as numbers from 0 to 2**32 - 1; torch has no unsigned arithmetic on most devices."""


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """The four words of each counter under its key.

    Args:
        counter: four int64 tensors of words in ``[0, 2**32)``, which broadcast with each other and with the key.
        key: two such tensors.

    Returns:
        Four int64 tensors of words in ``[0, 2**32)``.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        # a product of two words wraps around in int64, and its 64 bits are those of the unsigned product
        first, second = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            ((second >> 32) & _WORD) ^ c1 ^ k0,
            second & _WORD,
            ((first >> 32) & _WORD) ^ c3 ^ k1,
            first & _WORD,
        )
        k0, k1 = (k0 + KEY_STEPS[0]) & _WORD, (k1 + KEY_STEPS[1]) & _WORD
    return c0, c1, c2, c3


def words(seeds: Tensor, count: int, stream: int) -> Tensor:
    """The first ``count`` words of each seed.

    Args:
        seeds: ``(B,)`` int64, from 0: the low and the high word of each are the two words of its key.
        count: how many words per seed; word ``i`` is word ``i % 4`` of the counter ``(i // 4, 0, 0, stream)``.
        stream: ``[0, 2**31)``; draws of one seed that must not repeat each other have streams of their own.

    Returns:
        ``(B, count)`` int32 of all 32 bits.
    """
    block = torch.arange((count + 3) // 4, device=seeds.device)[None]
    zero = torch.zeros_like(block)
    key = (seeds[:, None] & _WORD, (seeds[:, None] >> 32) & _WORD)
    output = torch.stack(philox((block, zero, zero, zero + stream), key), -1)
    # a word from 2**31 on is a negative int32
    return torch.where(output > 0x7FFFFFFF, output - (_WORD + 1), output).to(torch.int32).flatten(1)[:, :count]

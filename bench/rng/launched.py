"""`bench.rng.philox.words` and `bench.rng.normal.normal_of_words` on a CUDA device, in one launch each: the same bits.

torch compiles the source when it is first launched, by the NVRTC that comes with it: no compiler need be installed.
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from bench.rng.normal import FIRST_PIECE, FRACTION_BITS, coefficients
from bench.rng.philox import KEY_STEPS, MULTIPLIERS, ROUNDS

_WORD = f"""
    unsigned int c0 = static_cast<unsigned int>(place) >> 2, c1 = 0u, c2 = 0u, c3 = static_cast<unsigned int>(stream);
    unsigned int k0 = static_cast<unsigned int>(low), k1 = static_cast<unsigned int>(high);
    #pragma unroll
    for (int round = 0; round < {ROUNDS}; ++round) {{
        unsigned int first = __umulhi(c0, {MULTIPLIERS[0]}u), second = __umulhi(c2, {MULTIPLIERS[1]}u);
        unsigned int first_low = c0 * {MULTIPLIERS[0]}u, second_low = c2 * {MULTIPLIERS[1]}u;
        c0 = second ^ c1 ^ k0;
        c1 = second_low;
        c2 = first ^ c3 ^ k1;
        c3 = first_low;
        k0 += {KEY_STEPS[0]}u;
        k1 += {KEY_STEPS[1]}u;
    }}
    int which = static_cast<int>(place) & 3;
    unsigned int word = which == 0 ? c0 : which == 1 ? c1 : which == 2 ? c2 : c3;
"""
"""Every place makes its whole counter and keeps one word of it: arithmetic is cheaper here than a second pass."""

_WORDS = f"""template <typename T> T philox_word(T place, T low, T high, T stream) {{
    {_WORD}
    return static_cast<T>(word);
}}"""


def _normal_source() -> str:
    table = ",".join(f"{float(value)!r}f" for value in coefficients().T.flatten())
    return f"""template <typename T> T philox_normal(T place, T low, T high, T stream) {{
    static const float table[] = {{{table}}};
    {_WORD}
    float probability = __fadd_rn(__int2float_rn(static_cast<int>(word & 0x7fffffffu)), 0.5f);
    int bits = __float_as_int(probability);
    const float* cubic = table + 4 * ((bits >> {FRACTION_BITS}) - {FIRST_PIECE});
    float share = __fmul_rn(__int2float_rn(bits & {(1 << FRACTION_BITS) - 1}), {2.0**-FRACTION_BITS!r}f);
    float value = __fadd_rn(__fmul_rn(cubic[3], share), cubic[2]);
    value = __fadd_rn(__fmul_rn(value, share), cubic[1]);
    value = __fadd_rn(__fmul_rn(value, share), cubic[0]);
    return static_cast<T>(__float_as_int(value) ^ static_cast<int>(word & 0x80000000u));
}}"""


@lru_cache(maxsize=2)
def _kernel(normal: bool) -> Callable[..., Tensor]:
    from torch.cuda.jiterator import _create_jit_fn

    kernel: Callable[..., Tensor] = _create_jit_fn(_normal_source() if normal else _WORDS, stream=0)
    return kernel


@lru_cache(maxsize=8)
def _places(count: int, device: torch.device) -> Tensor:
    return torch.arange(count, dtype=torch.int32, device=device)[None]


def _key(seeds: Tensor) -> tuple[Tensor, Tensor]:
    """``(B, 1)`` int32 each: the low and the high words."""
    halves = seeds.view(torch.int32).view(-1, 2)
    return halves[:, :1], halves[:, 1:]


def launch_words(seeds: Tensor, count: int, stream: int) -> Tensor:
    """``(B, count)`` int32: `bench.rng.philox.words`."""
    return _kernel(False)(_places(count, seeds.device), *_key(seeds), stream=stream)


def launch_normal(seeds: Tensor, count: int, stream: int) -> Tensor:
    """``(B, count)`` float32: `bench.rng.normal.normal_of_words` of the words."""
    return _kernel(True)(_places(count, seeds.device), *_key(seeds), stream=stream).view(torch.float32)

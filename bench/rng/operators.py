"""The two random operators of torch that everything else is made of, each with a kernel per type of device.

``snowwolf::philox_words`` and ``snowwolf::philox_normal`` give the same bits on every device: compiled loops on the
CPU, one launch on CUDA, tensor operations anywhere else.
"""

import numpy as np
import torch
from torch import Tensor

from bench.rng import philox
from bench.rng.normal import coefficients, normal_of_words

_LIBRARY = torch.library.Library("snowwolf", "DEF")
_LIBRARY.define("philox_words(Tensor seeds, int count, int stream) -> Tensor")
_LIBRARY.define("philox_normal(Tensor seeds, int count, int stream) -> Tensor")


def philox_words(seeds: Tensor, count: int, stream: int) -> Tensor:
    """``(B, count)`` int32 of all 32 bits, from ``(B,)`` int64 seeds on their device; see `bench.rng.philox.words`."""
    words: Tensor = torch.ops.snowwolf.philox_words(seeds, count, stream)
    return words


def philox_normal(seeds: Tensor, count: int, stream: int) -> Tensor:
    """``(B, count)`` float32 standard normal draws: `bench.rng.normal.normal_of_words` of `philox_words`."""
    draws: Tensor = torch.ops.snowwolf.philox_normal(seeds, count, stream)
    return draws


def _words_anywhere(seeds: Tensor, count: int, stream: int) -> Tensor:
    return philox.words(seeds, count, stream).contiguous()


def _normal_anywhere(seeds: Tensor, count: int, stream: int) -> Tensor:
    return normal_of_words(_words_anywhere(seeds, count, stream))


def _words_on_cpu(seeds: Tensor, count: int, stream: int) -> Tensor:
    from bench.rng.compiled import fill_words, padded  # imports numba, which takes half a second

    out = np.empty((len(seeds), padded(count)), np.uint32)
    fill_words(out, _keys(seeds), np.uint32(stream))
    return torch.from_numpy(out.view(np.int32))[:, :count].contiguous()


def _normal_on_cpu(seeds: Tensor, count: int, stream: int) -> Tensor:
    from bench.rng.compiled import fill_normal, padded

    out = np.empty((len(seeds), padded(count)), np.uint32)
    fill_normal(out, _keys(seeds), np.uint32(stream), coefficients())
    return torch.from_numpy(out.view(np.float32))[:, :count].contiguous()


def _keys(seeds: Tensor) -> "np.ndarray[tuple[int, int], np.dtype[np.uint32]]":
    """``(B, 2)`` uint32: the low and the high word of each seed."""
    return seeds.contiguous().numpy().astype("<i8").view("<u4").reshape(len(seeds), 2).astype(np.uint32)


def _words_on_cuda(seeds: Tensor, count: int, stream: int) -> Tensor:
    from bench.rng.launched import launch_words

    return launch_words(seeds, count, stream)


def _normal_on_cuda(seeds: Tensor, count: int, stream: int) -> Tensor:
    from bench.rng.launched import launch_normal

    return launch_normal(seeds, count, stream)


for _name, _kernels in (
    ("philox_words", {"CompositeExplicitAutograd": _words_anywhere, "CPU": _words_on_cpu, "CUDA": _words_on_cuda}),
    ("philox_normal", {"CompositeExplicitAutograd": _normal_anywhere, "CPU": _normal_on_cpu, "CUDA": _normal_on_cuda}),
):
    for _key, _kernel in _kernels.items():
        _LIBRARY.impl(_name, _kernel, _key)

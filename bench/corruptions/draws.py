"""What a batched corruption is made of: seeded draws per image, and a deterministic function of them."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from bench.corruptions.catalogue import Definition
from bench.seeding import derive_seed

Parameter = TypeVar("Parameter")

Draws = Mapping[str, Tensor]
"""Random parameters by name, each ``(B, ...)``: one row per image."""


@dataclass(frozen=True)
class Parameters(Generic[Parameter]):
    """The constants of one corruption, by definition and severity."""

    imagenet_c: Sequence[Parameter]
    """Severities 1 to 5 of make_imagenet_c.py, which the imagecorruptions package took over."""
    cifar10_c: Sequence[Parameter]
    """Severities 1 to 5 of make_cifar_c.py."""


@dataclass(frozen=True)
class Setting:
    """How strongly, and by whose definition."""

    severity: int
    """1 to 5."""
    definition: Definition
    """``imagenet_c``, ``cifar10_c`` or ``imagecorruptions``."""

    @property
    def from_package(self) -> bool:
        """Whether the steps are the imagecorruptions package's; the authors' two scripts share theirs."""
        return self.definition == "imagecorruptions"

    def choose(self, parameters: Parameters[Parameter]) -> Parameter:
        """The constants of this definition and severity."""
        by_severity = parameters.cifar10_c if self.definition == "cifar10_c" else parameters.imagenet_c
        return by_severity[self.severity - 1]


@dataclass(frozen=True)
class Corruption:
    """A corruption split into what is random and what is not."""

    sample: Callable[[Tensor, Setting, Sequence[int]], Draws]
    """``(B,3,H,W)`` uint8 images, setting and one seed an image to draws."""
    apply: Callable[[Tensor, Draws, Setting], Tensor]
    """Images and draws to corrupted ``(B,3,H,W)`` uint8 images, the same every time."""
    chunk: int = 1
    """Images corrupted together on a CPU: few enough to stay in its cache."""
    fixed_batch: bool = False
    """Whether the result could depend on the batch size through the choice of a library's kernel, so that batches
    on an accelerator are padded to one size."""


def sample_nothing(_images: Tensor, _setting: Setting, _seeds: Sequence[int]) -> Draws:
    """The draws of a corruption without randomness."""
    return {}


def generators(seeds: Sequence[int], device: torch.device) -> Iterator[torch.Generator]:
    """A generator on ``device`` for each seed; use each before asking for the next."""
    generator = torch.Generator(device)
    for seed in seeds:
        yield generator.manual_seed(seed)


def draw_normal(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Tensor:
    """``(B, *shape)`` float32 standard normal draws."""
    draws = torch.empty((len(seeds), *shape), device=device)
    for row, generator in zip(draws, generators(seeds, device), strict=True):
        row.normal_(generator=generator)
    return draws


def draw_uniform(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Tensor:
    """``(B, *shape)`` float32 uniform draws in ``[-1, 1]``, each rounded from 32 random bits."""
    return draw_words(seeds, shape, device).float().mul_(2.0**-31)


def draw_integers(seeds: Sequence[int], shape: Sequence[int], high: int, device: torch.device) -> Tensor:
    """``(B, *shape)`` int32 uniform draws in ``[0, high)``."""
    draws = torch.empty((len(seeds), *shape), device=device, dtype=torch.int32)
    for row, generator in zip(draws, generators(seeds, device), strict=True):
        row.random_(0, high, generator=generator)
    return draws


def draw_words(seeds: Sequence[int], shape: Sequence[int], device: torch.device) -> Tensor:
    """``(B, *shape)`` int32 uniform draws over all 32 bits."""
    count = math.prod(shape)
    pairs = torch.empty((len(seeds), (count + 1) // 2), device=device, dtype=torch.int64)
    for row, generator in zip(pairs, generators(seeds, device), strict=True):
        row.random_(-(2**63), None, generator=generator)
    return pairs.view(torch.int32)[:, :count].view(len(seeds), *shape)


def draw_scalars(seeds: Sequence[int], count: int) -> Tensor:
    """``(B, count)`` float64 uniform draws in ``[0, 1)``, on the CPU whatever the device of the images.

    They come from another stream than the draws above, so that both may be used for one image.
    """
    draws = torch.empty((len(seeds), count), dtype=torch.float64)
    streams = [derive_seed("scalars", seed) for seed in seeds]
    for row, generator in zip(draws, generators(streams, draws.device), strict=True):
        row.uniform_(generator=generator)
    return draws

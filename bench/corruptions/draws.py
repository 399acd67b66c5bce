"""What a batched corruption is made of: seeded draws per image, and a deterministic function of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

from bench.corruptions.catalogue import Definition

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

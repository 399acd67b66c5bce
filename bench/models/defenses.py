"""Input-transformation defenses: what is done to an image before the network sees it, as frozen parameters.

``bench.models.defended.DefendedClassifier`` puts one in front of a classifier and gives attacks its gradient.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from bench.errors import ConfigurationError, nearest_names
from bench.imaging.division import divide
from bench.imaging.jpeg import round_trip

GRADIENTS = ("naive", "adaptive")


@dataclass(frozen=True, kw_only=True)
class Defense(ABC):
    """A transformation of the input; its fields are the keys of its yaml (``conf/defense``)."""

    gradient: str = "naive"
    """What attacks are given: ``naive``, whatever autograd makes of the transformation (zero where it makes nothing);
    ``adaptive``, straight through what has no useful gradient (BPDA) and averaged over draws where it is random (EOT;
    both Athalye et al. 2018, arXiv:1802.00420). Decisions are the same under both."""

    name: ClassVar[str]
    """The name in ``DEFENSES`` and of its yaml."""
    straight_through: ClassVar[bool] = False
    """Whether the adaptive gradient takes the transformation for the identity; else its own gradient is of use."""

    def __post_init__(self) -> None:
        if self.gradient not in GRADIENTS:
            raise ConfigurationError(
                f"defense {self.name}: unknown gradient {self.gradient!r}: {nearest_names(self.gradient, GRADIENTS)}"
            )
        self.check()

    def check(self) -> None:  # noqa: B027  # a hook
        """Refuse parameters that cannot work.

        Raises:
            ConfigurationError: naming the parameter and its range.
        """

    @abstractmethod
    def transform(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """What the network is shown in place of ``images``.

        Args:
            images: ``(B,3,H,W)`` in [0,1].
            seeds: ``B`` seeds, one an image, for a ``RandomDefense``; empty otherwise.

        Returns:
            ``(B,3,H',W')``; row ``i`` depends on image and seed ``i`` alone.
        """

    @property
    def deciding_draws(self) -> int:
        """Versions of an image that the network sees for one decision."""
        return 1

    @property
    def gradient_draws(self) -> int:
        """Versions of an image that an adaptive gradient averages over, the deciding ones first among them."""
        return 1

    def decide(self, logits: Tensor) -> Tensor:
        """The decision, as logits ``(B,K)``, from those of the deciding draws, ``(deciding_draws,B,K)``."""
        return logits[0]

    def describe(self) -> str:
        """Name and parameters, as in a cell's identity: ``jpeg(quality=75, gradient=naive)``."""
        shown = [field.name for field in fields(self) if field.name != "gradient"]
        if self.gradient == "naive":
            shown = [name for name in shown if name != "draws"]  # changes no outcome
        return f"{self.name}({', '.join(f'{name}={getattr(self, name)}' for name in [*shown, 'gradient'])})"

    @property
    def adaptive(self) -> str:
        """``describe`` of the same defense with an adaptive gradient, where its own is naive; empty elsewhere."""
        return replace(self, gradient="adaptive").describe() if self.gradient == "naive" else ""

    def _require(self, condition: bool, words: str) -> None:
        if not condition:
            raise ConfigurationError(f"defense {self.name}: {words}")


@dataclass(frozen=True, kw_only=True)
class RandomDefense(Defense):
    """A defense that draws random numbers."""

    seed: int = 0
    """Of the draws, beside the image's content."""


@dataclass(frozen=True, kw_only=True)
class JPEG(Defense):
    """Rounding to 8 bits and JPEG encoding by libjpeg, 4:2:0 (Dziugaite et al. 2016, arXiv:1608.00853).

    Args:
        quality: libjpeg's quality, 1 to 100; 75 in Guo et al. 2018 (arXiv:1711.00117).
    """

    quality: int = 75

    name = "jpeg"
    straight_through = True

    def check(self) -> None:
        """Quality is libjpeg's."""
        self._require(1 <= self.quality <= 100, f"quality is 1 to 100, not {self.quality}")

    def transform(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Encode and decode each image, without a gradient."""
        del seeds
        levels = (images.detach() * 255).round().clamp(0, 255).to(torch.uint8)
        return divide(round_trip(levels, self.quality).to(images.dtype), 255)


@dataclass(frozen=True, kw_only=True)
class BitDepth(Defense):
    """Rounding to ``2**bits`` levels (feature squeezing, Xu et al. 2018, arXiv:1704.01155).

    Args:
        bits: bits a channel is left with, 1 to 8.
    """

    bits: int = 5

    name = "bit_depth"
    straight_through = True

    def check(self) -> None:
        """Bits are those of an 8-bit image."""
        self._require(1 <= self.bits <= 8, f"bits are 1 to 8, not {self.bits}")

    def transform(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Round to the nearest level, halves to the even one."""
        del seeds
        steps: int = 2**self.bits - 1
        return (images * steps).round() / steps


@dataclass(frozen=True, kw_only=True)
class GaussianSmoothing(Defense):
    """Convolution with a Gaussian cut at four standard deviations; borders are mirrored. Differentiable.

    Args:
        sigma: standard deviation in pixels, above 0.
    """

    sigma: float = 1.0

    name = "gaussian_smoothing"

    def check(self) -> None:
        """A Gaussian has a width."""
        self._require(self.sigma > 0, f"sigma is above 0, not {self.sigma}")

    def transform(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Blur each channel."""
        del seeds
        radius = int(4 * self.sigma + 0.5)
        blurred: Tensor = gaussian_blur(images, [2 * radius + 1] * 2, [self.sigma] * 2)
        return blurred


@dataclass(frozen=True, kw_only=True)
class MedianSmoothing(Defense):
    """Sliding median (feature squeezing, Xu et al. 2018, arXiv:1704.01155), as ``scipy.ndimage.median_filter`` does it.

    Each window passes the gradient on to the pixel it takes; attacks do better with that than straight through.

    Args:
        size: side of the square window in pixels, at least 2; an even window reaches one pixel further to the top left,
            and takes the upper of its two middle values.
    """

    size: int = 3

    name = "median_smoothing"

    def check(self) -> None:
        """A window of one pixel does nothing."""
        self._require(self.size >= 2, f"size is at least 2, not {self.size}")

    def transform(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Median of each channel's windows; borders are mirrored with the edge repeated."""
        del seeds
        rows, columns = (_mirrored(side, self.size, images.device) for side in images.shape[2:])
        padded = images[:, :, rows][:, :, :, columns]
        windows = padded.unfold(2, self.size, 1).unfold(3, self.size, 1).flatten(4)
        return windows.kthvalue(self.size**2 // 2 + 1, dim=-1).values


def _mirrored(length: int, size: int, device: torch.device) -> Tensor:
    """Indices ``(length + size - 1,)`` that extend an axis for windows of ``size``: ``b a | a b c | c b``."""
    at = torch.arange(-(size // 2), length + size - 1 - size // 2, device=device) % (2 * length)
    return torch.where(at < length, at, 2 * length - 1 - at)


@dataclass(frozen=True, kw_only=True)
class ResizeAndPad(RandomDefense):
    """Random enlarging and random padding (Xie et al. 2018, arXiv:1711.01991): 299 pixels to [299, 331), in 331.

    As in the authors' code, resizing takes the nearest pixel and the padding is mid-grey, the zero of their
    normalisation. The network is shown ``canvas`` times its usual side; one that takes a single size needs
    ``canvas=1.0`` and a ``smallest`` below 1.

    Args:
        smallest: smallest side that is drawn, as a share of the image's.
        canvas: side after padding, as a share of the image's; the largest side drawn is one pixel less.
        draws: draws that an adaptive gradient averages over.
    """

    smallest: float = 1.0
    canvas: float = 1.107
    draws: int = 16

    name = "resize_and_pad"
    fill: ClassVar[float] = 0.5

    def check(self) -> None:
        """The image fits the canvas."""
        self._require(0 < self.smallest < self.canvas, "smallest is above 0 and below canvas")
        self._require(self.draws >= 1, f"draws are at least 1, not {self.draws}")

    @property
    def gradient_draws(self) -> int:
        """As many as ``draws``."""
        return self.draws

    def transform(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Each image at its own size and place on the canvas."""
        return torch.cat([self._placed(image[None], seed) for image, seed in zip(images, seeds, strict=True)])

    def _placed(self, image: Tensor, seed: int) -> Tensor:
        generator = np.random.default_rng(seed)
        height, width = image.shape[2:]
        bottom, right = round(self.canvas * height), round(self.canvas * width)
        low = min(round(self.smallest * height), bottom - 1)
        tall = int(generator.integers(low, bottom))
        wide = min(round(tall * width / height), right)
        top, left = (int(generator.integers(0, spare + 1)) for spare in (bottom - tall, right - wide))
        resized = F.interpolate(image, size=(tall, wide), mode="nearest")
        return F.pad(resized, (left, right - wide - left, top, bottom - tall - top), value=self.fill)


@dataclass(frozen=True, kw_only=True)
class NoiseVote(RandomDefense):
    """Majority vote over Gaussian noise: the prediction of randomised smoothing (Cohen et al. 2019, arXiv:1902.02918).

    Logits are ``log((n_k + 1/K) / (votes + 1))`` for ``n_k`` votes of ``K`` classes: their softmax is the share of the
    votes, smoothed so that no class has none, and their largest is the class with most votes (the first of equals;
    nothing abstains, and nothing is certified). Noise is added to pixels in [0,1] and not clipped, as in the paper.
    The adaptive gradient is averaged over the very versions that vote.

    Args:
        sigma: standard deviation of the noise in [0,1] pixel units, above 0.
        votes: noisy versions of an image that vote.
    """

    sigma: float = 0.25
    votes: int = 32

    name = "noise_vote"

    def check(self) -> None:
        """There is noise, and someone votes."""
        self._require(self.sigma > 0, f"sigma is above 0, not {self.sigma}")
        self._require(self.votes >= 1, f"votes are at least 1, not {self.votes}")

    @property
    def deciding_draws(self) -> int:
        """All vote."""
        return self.votes

    @property
    def gradient_draws(self) -> int:
        """All that vote."""
        return self.votes

    def transform(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Add noise, drawn on the CPU so that every device sees the same."""
        draw = [torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return images + self.sigma * torch.stack(draw).to(images.device, images.dtype)

    def decide(self, logits: Tensor) -> Tensor:
        """Smoothed log shares of the votes; they have no gradient."""
        n_classes = logits.shape[-1]
        counts = F.one_hot(logits.argmax(dim=-1), n_classes).sum(dim=0)
        return ((counts.to(logits.dtype) + 1 / n_classes) / (self.votes + 1)).log()


DEFENSES: Mapping[str, type[Defense]] = {
    cls.name: cls for cls in (JPEG, BitDepth, GaussianSmoothing, MedianSmoothing, ResizeAndPad, NoiseVote)
}
"""Name of ``defense=NAME`` -> its class."""

"""The parametric image manipulations of Geirhos et al. (2018), on greyscale images in batched torch.

Every one begins with a conversion to greyscale and ends in rounding to bytes, as the published PNG stimuli did. They
work in float64, as the published code (rgeirhos/generalisation-humans-DNNs) does. Left out are false colour and power
equalisation, which need the authors' monitor calibration and mean power spectrum, and the Eidolon factory.

References:
    Geirhos et al., "Generalisation in humans and deep neural networks", NeurIPS 2018.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import pi

import torch
from torch import Tensor

from bench.errors import ConfigurationError, DataError, nearest_names
from bench.imaging.division import divide
from bench.records import Condition
from bench.rng import draw_uniform

LUMA = (0.2125, 0.7154, 0.0721)
"""Weights of red, green and blue: skimage's ``rgb2gray`` (ITU-R BT.709)."""
BACKGROUND = 0.4423
"""Grey around an image before it is filtered, and mean of a high-pass image: the authors' mean pixel value."""
NOISE_CONTRAST = 0.3
"""Contrast to which images are reduced before uniform noise is added."""
TRUNCATE = 4.0
"""Standard deviations at which the Gaussian ends: SciPy's default."""


def _adjust_contrast(grey: Tensor, level: float) -> Tensor:
    return grey * level + (1 - level) / 2


def _keep(grey: Tensor, _strength: float, _seeds: Sequence[int]) -> Tensor:
    return grey


def _reduce_contrast(grey: Tensor, percent: float, _seeds: Sequence[int]) -> Tensor:
    return _adjust_contrast(grey, percent / 100)


def _low_pass(grey: Tensor, std: float, _seeds: Sequence[int]) -> Tensor:
    return torch.stack([_blur(image, std) for image in grey])


def _high_pass(grey: Tensor, std: float, _seeds: Sequence[int]) -> Tensor:
    if std == 0:  # the authors' "inf": nothing is taken away
        return grey
    passed = [image - _blur(image, std) for image in grey]
    return torch.stack([image + (BACKGROUND - image.mean()) for image in passed])


def _add_uniform_noise(grey: Tensor, width: float, seeds: Sequence[int]) -> Tensor:
    noise = draw_uniform(seeds, grey.shape[1:], grey.device).double()
    return _adjust_contrast(grey, NOISE_CONTRAST) + noise * width


def _scramble_phases(grey: Tensor, degrees: float, seeds: Sequence[int]) -> Tensor:
    if degrees == 0:
        return grey
    draws = draw_uniform(seeds, (grey.shape[1] * grey.shape[2] // 2,), grey.device).double()
    shifts = draws * (degrees / 180 * pi)
    return torch.stack([_shift_phases(image, row) for image, row in zip(grey, shifts, strict=True)])


def _rotate(grey: Tensor, degrees: float, _seeds: Sequence[int]) -> Tensor:
    if degrees % 180 and grey.shape[1] != grey.shape[2]:
        raise DataError(f"only square images can be turned by {degrees:g} degrees, not {tuple(grey.shape[1:])}")
    return torch.rot90(grey, round(degrees / 90), dims=(1, 2))


def _blur(grey: Tensor, std: float) -> Tensor:
    """SciPy's ``gaussian_filter`` of ``(H,W)`` float64, the background around it."""
    if std == 0:
        return grey
    height, width = grey.shape
    rows, columns = (_gaussian_matrix(side, std, grey.device) for side in (height, width))
    # weights add up to one, so that what lies outside counts as nothing once the background is taken off
    return rows @ (grey - BACKGROUND) @ columns.T + BACKGROUND


@lru_cache(maxsize=16)
def _gaussian_matrix(side: int, std: float, device: torch.device) -> Tensor:
    """``(S,S)`` float64: the truncated Gaussian along one axis, as a banded matrix."""
    radius = int(TRUNCATE * std + 0.5)
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=torch.float64) / std) ** 2)
    places = torch.arange(side)
    distance = places[None, :] - places[:, None]
    inside = distance.abs() <= radius
    matrix = torch.where(inside, (taps / taps.sum())[distance.clamp(-radius, radius) + radius], 0.0)
    return matrix.to(device)


def _shift_phases(grey: Tensor, shifts: Tensor) -> Tensor:
    """``(H,W)`` with the phases of its frequencies moved by ``shifts``, in radians.

    Row and column of the highest frequency of an even side stay; so does the mean. The second half of the frequencies
    takes the shifts in the order of the first, as the published code has it, and not mirrored: a frequency and its
    conjugate move by two different draws, so that the real part, which is kept, also loses some of its amplitude. All
    published stimuli and human data rest on that.
    """
    spectrum = torch.fft.fftshift(torch.fft.fft2(grey))
    height, width = grey.shape
    paired = spectrum[1 - height % 2 :, 1 - width % 2 :]
    half = paired.numel() // 2
    flat = torch.zeros(paired.numel(), dtype=torch.float64, device=grey.device)
    flat[:half] = shifts[:half]
    flat[half + 1 :] = -shifts[:half]
    paired *= torch.polar(torch.ones_like(flat), flat).view_as(paired)
    scrambled: Tensor = torch.fft.ifft2(torch.fft.ifftshift(spectrum)).real
    return scrambled


@dataclass(frozen=True)
class Manipulation:
    """One manipulation and the strengths it was published with."""

    apply: Callable[[Tensor, float, Sequence[int]], Tensor]
    """``(B,H,W)`` float64 grey in [0,1], strength and one seed an image to the same, not clipped yet."""
    unit: str
    """What its strength counts: ``percent`` of the contrast left, ``sigma`` of the Gaussian in pixels, ``half width``
    of the noise, ``degrees`` of phase noise to either side or of turning counter-clockwise; empty for on or off."""
    published: tuple[float, ...]
    """The strengths of the paper's experiment, its undistorted greyscale condition left out."""
    highest: float
    """The strongest or weakest that makes sense; the other end is 0."""


MANIPULATIONS: Mapping[str, Manipulation] = {
    "greyscale": Manipulation(_keep, "", (1,), 1),
    "contrast": Manipulation(_reduce_contrast, "percent", (50, 30, 15, 10, 5, 3, 1), 100),
    "low_pass": Manipulation(_low_pass, "sigma", (1, 3, 5, 7, 10, 15, 40), 1000),
    "high_pass": Manipulation(_high_pass, "sigma", (3, 1.5, 1, 0.7, 0.55, 0.45, 0.4), 1000),
    "uniform_noise": Manipulation(_add_uniform_noise, "half width", (0, 0.03, 0.05, 0.1, 0.2, 0.35, 0.6, 0.9), 10),
    "phase_scrambling": Manipulation(_scramble_phases, "degrees", (30, 60, 90, 120, 150, 180), 180),
    "rotation": Manipulation(_rotate, "degrees", (90, 180, 270), 270),
}
"""By name."""


def check_strength(name: str, strength: float) -> None:
    """Refuse a manipulation or strength that does not exist.

    Raises:
        ConfigurationError: naming the nearest, or the limits.
    """
    if name not in MANIPULATIONS:
        raise ConfigurationError(f"unknown manipulation {name!r}: {nearest_names(name, MANIPULATIONS)}")
    known = MANIPULATIONS[name]
    if not 0 <= strength <= known.highest:
        raise ConfigurationError(f"{name} takes 0 to {known.highest:g} {known.unit}, not {strength:g}")
    if name == "rotation" and strength % 90:
        raise ConfigurationError(f"rotation takes 0, 90, 180 or 270 degrees, not {strength:g}")


@torch.no_grad()
def manipulate(images: Tensor, condition: Condition, seeds: Sequence[int]) -> Tensor:
    """Manipulate a batch of images.

    Args:
        images: ``(B,3,H,W)`` uint8, on any device that has float64.
        condition: name of the manipulation, and its strength in the paper's own unit (`MANIPULATIONS` says which).
            Strength 0 is the greyscale image, but for contrast (0 is flat grey) and uniform_noise (contrast 30 %).
        seeds: one an image, in ``[0, 2**63)``; an image's bytes depend on its own alone.

    Returns:
        ``(B,3,H,W)`` uint8 on the device of ``images``: three equal channels.

    Raises:
        ConfigurationError: an unknown manipulation or strength.
        DataError: images or seeds of the wrong type, shape or number.

    References:
        Geirhos et al., "Generalisation in humans and deep neural networks", NeurIPS 2018.
    """
    check_strength(condition.name, condition.strength)
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise DataError(
            f"manipulations take uint8 images of shape (B,3,H,W), not {images.dtype} of shape {tuple(images.shape)}"
        )
    if len(seeds) != len(images):
        raise DataError(f"{len(images)} images need as many seeds, one an image, not {len(seeds)}")
    red, green, blue = (divide(images[:, channel].double(), 255) for channel in range(3))
    grey = red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]
    shown = MANIPULATIONS[condition.name].apply(grey, condition.strength, seeds)
    levels = shown.clamp(0, 1).mul(255).add(0.5).to(torch.uint8)
    return levels[:, None].expand(-1, 3, -1, -1).contiguous()

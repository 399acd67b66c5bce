"""Blur: defocus, glass, motion, zoom and gaussian."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.corruptions.draws import (
    Corruption,
    Draws,
    Setting,
    draw_integers,
    draw_scalars,
    sample_nothing,
)
from bench.corruptions.filters import gaussian, motion_blur, motion_taps, taps_inside, zoom_window

DEFOCUS = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))
"""Radius of the disk and standard deviation of its edge, in pixels."""
GLASS = ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))
"""Standard deviation of the blur, furthest displacement, rounds of displacement."""
MOTION = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))
"""Radius and standard deviation along the motion."""
ZOOM = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))
"""End (left out) and step of the zoom factors, which begin at 1."""
GAUSSIAN_SIGMA = (1, 2, 3, 4, 6)

_DOUBLINGS = 6
"""Pointer doublings in glass blur: enough for chains of 64 pixels. One in three to one in two pixels passes its
pointer on, so a longer chain has a chance below 1e-23."""
_FASTEST_PRIMES = (2, 3, 5)


def _truncate(levels: Tensor) -> Tensor:
    """Truncate to bytes, a constant area keeping its level: sums of float32 weights fall short of 1 by rounding."""
    return levels.add_(5e-4).clamp_(0, 255).to(torch.uint8)


def _apply_defocus(images: Tensor, _draws: Draws, setting: Setting) -> Tensor:
    height, width = images.shape[2:]
    spectrum, reach, shape = _disk_spectrum(*setting.choose(DEFOCUS), height, width, images.device)
    padded = images.new_zeros((*images.shape[:2], *shape), dtype=torch.float32)
    padded[..., : height + 2 * reach, : width + 2 * reach] = F.pad(images.float(), (reach,) * 4, mode="reflect")
    blurred = torch.fft.irfft2(torch.fft.rfft2(padded) * spectrum, s=shape)
    return _truncate(blurred[..., :height, :width])


@lru_cache
def _disk_spectrum(
    radius: int, edge: float, height: int, width: int, device: torch.device
) -> tuple[Tensor, int, tuple[int, int]]:
    """Spectrum of the antialiased disk for images of one size, the disk's reach and the size of the transform."""
    reach, edge_size = (8, 3) if radius <= 8 else (radius, 5)
    line = np.arange(-reach, reach + 1)
    disk = (line[:, None] ** 2 + line**2 <= radius**2).astype(np.float32)
    disk = cv2.GaussianBlur(disk / disk.sum(), (edge_size, edge_size), sigmaX=edge)
    shape = (_fast_length(height + 2 * reach), _fast_length(width + 2 * reach))
    spectrum = np.conj(np.fft.rfft2(disk.astype(np.float64), s=shape)).astype(np.complex64)
    return torch.from_numpy(spectrum).to(device), reach, shape


def _fast_length(length: int) -> int:
    """The next length a Fourier transform is fast at."""
    while True:
        rest = length
        for prime in _FASTEST_PRIMES:
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1


def _sample_glass(images: Tensor, setting: Setting, seeds: Sequence[int]) -> Draws:
    _, reach, rounds = setting.choose(GLASS)
    shape = (rounds, images.shape[2] - 2 * reach, images.shape[3] - 2 * reach)
    steps = draw_integers(seeds, shape, (2 * reach) ** 2, images.device)
    return {"step": steps}


def _apply_glass(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    sigma = setting.choose(GLASS)[0]
    softened = _truncate(gaussian(images.float(), (sigma, sigma)))
    source = glass_sources(draws["step"], images.shape[2:], setting)
    shuffled = softened.flatten(2).gather(2, source[:, None].expand(-1, 3, -1)).view(images.shape)
    return _truncate(gaussian(shuffled.float(), (sigma, sigma)))


def glass_sources(steps: Tensor, size: Sequence[int], setting: Setting) -> Tensor:
    """The pixel that each pixel's colour comes from, once all rounds of glass blur are done.

    The originals walk from the last pixel to the first and copy a displaced pixel over each (their swap is of array
    views, so nothing moves the other way). A pixel displaced to a later one therefore takes what that one was given
    before it: a chain of pointers, followed here for all pixels at once by pointer doubling.

    Args:
        steps: ``(B, rounds, H - 2 d, W - 2 d)`` integers ``(down + d) * 2 d + right + d`` in ``[0, 4 d^2)``: each
            pixel's displacement, both ways in ``[-d, d)``.
        size: height and width of the image.
        setting: chooses the furthest displacement ``d``.

    Returns:
        ``(B, H * W)`` int64 indices into the flattened image.
    """
    height, width = size
    reach = setting.choose(GLASS)[1]
    span = torch.arange(-reach, reach, device=steps.device)
    displacement = (span[:, None] * width + span).flatten()
    here = torch.arange(height * width, device=steps.device)
    composed = here.expand(len(steps), -1)
    for one_round in steps.unbind(1):
        moves = torch.zeros((len(steps), height, width), dtype=torch.int64, device=steps.device)
        # pixels 1 + d ... H - d are displaced
        moves[:, reach + 1 : height - reach + 1, reach + 1 : width - reach + 1] = displacement.index_select(
            0, one_round.flatten()
        ).view(one_round.shape)
        moves = moves.flatten(1)
        forward = here + moves.clamp(min=0)
        for _ in range(_DOUBLINGS):
            forward = forward.gather(1, forward)
        source = forward + moves.gather(1, forward).clamp_(max=0)
        composed = composed.gather(1, source)
    return composed


def _sample_motion(_images: Tensor, _setting: Setting, seeds: Sequence[int]) -> Draws:
    return {"angle": draw_scalars(seeds, 1)[:, 0] * 90 - 45}


def _apply_motion(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    height, width = images.shape[2:]
    result = torch.empty_like(images)
    for image, angle, out in zip(images, draws["angle"].tolist(), result, strict=True):
        taps = motion_taps(*setting.choose(MOTION), angle)
        if setting.definition == "imagenet_c":
            blurred = motion_blur(image.float(), taps).add_(0.5)
        else:
            blurred = motion_blur(image.float(), taps_inside(taps, height, width)).add_(5e-4)
        out.copy_(blurred.clamp_(0, 255))
    return result


def _apply_zoom(images: Tensor, _draws: Draws, setting: Setting) -> Tensor:
    height, width = images.shape[2:]
    end, step = setting.choose(ZOOM)
    factors = np.arange(1, end, step)
    levels = images.float()
    total = levels * 2  # the image itself and the factor 1
    for factor in factors[1:]:
        (top, rows, tall), (left, columns, wide) = (zoom_window(size, factor) for size in (height, width))
        window = levels[..., top : top + rows, left : left + columns].reshape(len(images), -1, columns)
        stretched = F.interpolate(window, size=wide, mode="linear", align_corners=True)
        trim_top, trim_left = (
            ((tall - height) // 2, (wide - width) // 2) if setting.definition == "imagenet_c" else (0, 0)
        )
        stretched = stretched.view(*images.shape[:2], rows, wide)[..., trim_left : trim_left + width]
        upper, share = _line_positions(rows, tall, trim_top, height, images.device)
        above, below = stretched.index_select(2, upper), stretched.index_select(2, upper + 1)
        total.add_(torch.lerp(above, below, share))
    return _truncate(total.div_(len(factors) + 1))


@lru_cache(maxsize=256)
def _line_positions(length: int, enlarged: int, skip: int, kept: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """For ``kept`` of the lines that ``length`` lines become: the line above, and the share of the one below."""
    position = (np.arange(enlarged) * ((length - 1) / (enlarged - 1)))[skip : skip + kept]
    upper = np.minimum(position.astype(np.int64), length - 2)
    share = torch.from_numpy((position - upper).astype(np.float32))
    return torch.from_numpy(upper).to(device), share[:, None].to(device)


def _apply_gaussian(images: Tensor, _draws: Draws, setting: Setting) -> Tensor:
    sigma = setting.choose(GAUSSIAN_SIGMA)
    return _truncate(gaussian(images.float(), (sigma, sigma)))


DEFOCUS_BLUR = Corruption(sample_nothing, _apply_defocus, fixed_batch=True)
GLASS_BLUR = Corruption(_sample_glass, _apply_glass)
MOTION_BLUR = Corruption(_sample_motion, _apply_motion)
ZOOM_BLUR = Corruption(sample_nothing, _apply_zoom)
GAUSSIAN_BLUR = Corruption(sample_nothing, _apply_gaussian)

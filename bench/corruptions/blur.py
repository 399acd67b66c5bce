"""Blur: defocus, glass, motion, zoom and gaussian."""

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.corruptions.draws import Corruption, Draws, Parameters, Setting, sample_nothing
from bench.corruptions.lines import (
    LineTaps,
    combine_lines,
    gaussian,
    gaussian_weights,
    turn,
    zoom_taps,
)
from bench.corruptions.motion import MotionTaps, motion_blur, motion_blur_each, motion_taps, taps_inside
from bench.corruptions.rounding import bytes_of_darkness, flat_darkness, look_up, steady
from bench.imaging.division import divide
from bench.rng import draw_integers, draw_scalars

DEFOCUS = Parameters(
    imagenet_c=((3.0, 0.1), (4.0, 0.5), (6.0, 0.5), (8.0, 0.5), (10.0, 0.5)),
    cifar10_c=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1)),
)
"""Radius of the disk and standard deviation of its edge, in pixels."""
GLASS = Parameters(
    imagenet_c=((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    cifar10_c=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
)
"""Standard deviation of the blur, furthest displacement, rounds of displacement."""
MOTION = Parameters(
    imagenet_c=((10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)),
    cifar10_c=((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)),
)
"""Radius and standard deviation along the motion."""
ZOOM = Parameters(
    imagenet_c=((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    cifar10_c=((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
)
"""End and step of the zoom factors, which begin at 1; they are NumPy's ``arange(1, end, step)``, rounding included."""
GAUSSIAN_SIGMA = Parameters(imagenet_c=(1.0, 2.0, 3.0, 4.0, 6.0), cifar10_c=(0.4, 0.6, 0.7, 0.8, 1.0))

_DOUBLINGS = 5
"""Pointer doublings in glass blur: enough for chains of 32 pixels. At most 42 % of the pixels pass their pointer on,
so that a longer chain turns up in one image of ten million."""
_FOURIER_MARGIN = 1e-4
"""Levels: above the rounding of a float32 Fourier transform of an image."""
_NARROW_SIGMA = 0.5
_SMALL_DISK = 3
"""A narrower gaussian, and a smaller disk, are made in float64 as in the originals: they weigh so few pixels that many
results are whole levels but for a rounding, and not in constant areas alone."""


def _to_bytes(levels: Tensor) -> Tensor:
    return levels.clamp_(0, 255).to(torch.uint8)


def _gaussian(images: Tensor, sigma: float) -> Tensor:
    if sigma < _NARROW_SIGMA:
        return _narrow_gaussian(images, gaussian_weights(sigma))
    darkness = flat_darkness(gaussian_weights(sigma), True, images.device)
    lines_first = look_up(darkness, images.permute(2, 0, 1, 3))
    return bytes_of_darkness(gaussian(lines_first.permute(1, 2, 0, 3), (sigma, sigma)))


def _narrow_gaussian(images: Tensor, weights: Sequence[float]) -> Tensor:
    """``(B,3,H,W)`` bytes of SciPy's gaussian filter of images in [0,1], by its own float64 sums, term by term."""
    levels, reach = divide(images.double(), 255), len(weights) // 2
    for axis, padding in ((2, (0, 0, reach, reach)), (3, (reach, reach, 0, 0))):
        size, padded = images.shape[axis], F.pad(levels, padding, mode="replicate")
        levels = levels * weights[reach]
        for distance in range(reach, 0, -1):
            pair = padded.narrow(axis, reach - distance, size) + padded.narrow(axis, reach + distance, size)
            levels += pair * weights[reach - distance]
    return _to_bytes(levels.mul_(255))


def _apply_defocus(images: Tensor, _draws: Draws, setting: Setting) -> Tensor:
    height, width = images.shape[2:]
    spectrum, reach, shape, margin = _disk_spectrum(*setting.choose(DEFOCUS), height, width, images.device)
    dtype = torch.float32 if spectrum.dtype == torch.complex64 else torch.float64
    padded = F.pad(images.to(dtype), (reach,) * 4, mode="reflect")
    padded = F.pad(padded, (0, shape[1] - padded.shape[3], 0, shape[0] - padded.shape[2]))
    blurred = torch.fft.irfft2(torch.fft.rfft2(padded).mul_(spectrum), s=shape)
    return _to_bytes(blurred[..., :height, :width] + margin)


@lru_cache
def _disk_spectrum(
    radius: float, edge: float, height: int, width: int, device: torch.device
) -> tuple[Tensor, int, tuple[int, int], float]:
    """The antialiased disk for images of one size.

    Returns:
        Its spectrum, in float64 for a small disk, its reach, the size of the transform, and the margin that makes
        constant areas truncate in float32 as the sum of its float32 weights bids, which is just below 1 for most.
    """
    reach, edge_size = (8, 3) if radius <= 8 else (int(radius), 5)
    line = np.arange(-reach, reach + 1)
    disk = (line[:, None] ** 2 + line**2 <= radius**2).astype(np.float32)
    disk = cv2.GaussianBlur(disk / disk.sum(), (edge_size, edge_size), sigmaX=edge)
    shape = (_fast_length(height + 2 * reach), _fast_length(width + 2 * reach))
    spectrum = torch.from_numpy(np.conj(np.fft.rfft2(disk.astype(np.float64), s=shape))).to(device)
    if radius < _SMALL_DISK:
        return spectrum, reach, shape, 0.0
    margin = math.copysign(_FOURIER_MARGIN, disk.astype(np.float64).sum() - 1)
    return spectrum.to(torch.complex64), reach, shape, margin


def _fast_length(length: int) -> int:
    """The next length a Fourier transform is fast at: a multiple of 16 without large prime factors."""
    fast = -(-length // 16) * 16
    while 30**9 % (fast // (fast & -fast)):  # whether the odd part divides a power of 2 * 3 * 5
        fast += 16
    return fast


def _sample_glass(images: Tensor, setting: Setting, seeds: Sequence[int]) -> Draws:
    _, reach, rounds = setting.choose(GLASS)
    shape = (rounds, images.shape[2] - 2 * reach, images.shape[3] - 2 * reach)
    return {"step": draw_integers(seeds, shape, (2 * reach) ** 2, images.device)}


def _apply_glass(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    sigma = setting.choose(GLASS)[0]
    softened = _gaussian(images, sigma)
    source = glass_sources(draws["step"], images.shape[2:], setting)
    shuffled = softened.flatten(2).gather(2, source[:, None].expand(-1, 3, -1)).view(images.shape)
    return _gaussian(shuffled, sigma)


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
        for _ in range(_DOUBLINGS if reach > 1 else 0):  # displaced by -1 or 0, no pixel points forward
            forward = forward.gather(1, forward)
        source = forward + moves.gather(1, forward).clamp_(max=0)
        composed = composed.gather(1, source)
    return composed


def _sample_motion(_images: Tensor, _setting: Setting, seeds: Sequence[int]) -> Draws:
    return {"angle": draw_scalars(seeds, 1)[:, 0] * 90 - 45}


def _apply_motion(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    taps = [motion_taps(*setting.choose(MOTION), angle) for angle in draws["angle"].tolist()]
    if setting.from_package:
        return torch.stack([_truncated_motion(image, own) for image, own in zip(images, taps, strict=True)])
    return _to_bytes(motion_blur_each(images.float(), taps).add_(0.5))  # ImageMagick rounds


def _truncated_motion(image: Tensor, taps: MotionTaps) -> Tensor:
    """``(3,H,W)`` bytes of the package's motion blur."""
    kept = taps_inside(taps, *image.shape[1:])
    if len(kept) < len(taps):
        return _to_bytes(motion_blur(image.float(), kept))
    darkness = flat_darkness(tuple(weight for _, _, weight in taps), False, image.device)
    return bytes_of_darkness(motion_blur(look_up(darkness, image), taps))


def _apply_zoom(images: Tensor, _draws: Draws, setting: Setting) -> Tensor:
    height, width = images.shape[2:]
    end, step = setting.choose(ZOOM)
    factors = tuple(float(factor) for factor in np.arange(1, end, step))
    centred = not setting.from_package
    levels = look_up(_flat_zoom(len(factors), images.device), images.permute(2, 0, 1, 3))
    columns = turn(levels)
    layers = levels.new_empty(len(factors) - 1, height, *images.shape[:2], width)
    for layer, factor in zip(layers, factors[1:], strict=True):
        stretched = combine_lines(columns, zoom_taps(width, factor, centred, 0, images.device))
        layer.view(-1, width).copy_(stretched.flatten(1).t())
    total = combine_lines(layers.flatten(0, 1), _all_zooms(height, factors[1:], centred, images.device))
    total.add_(levels, alpha=2)  # the image itself, and the factor 1
    return _to_bytes(divide(total, len(factors) + 1)).permute(1, 2, 0, 3)


@lru_cache
def _all_zooms(size: int, factors: tuple[float, ...], centred: bool, device: torch.device) -> LineTaps:
    """Taps that enlarge each of a stack of images by its factor and add them up."""
    taps = [zoom_taps(size, factor, centred, place * size, device) for place, factor in enumerate(factors)]
    return LineTaps(torch.cat([each.index for each in taps], 1), torch.cat([each.weight for each in taps], 1))


@lru_cache
def _flat_zoom(layers: int, device: torch.device) -> Tensor:
    """``(256,)`` float32: what the reference's float32 mean of ``layers`` + 1 images makes of constant areas."""
    values = (torch.arange(256, dtype=torch.float64) / 255).float()
    total = torch.zeros_like(values)
    for _ in range(layers):
        total += values
    return steady(((values + total) / (layers + 1) * 255).double()).to(device)


def _apply_gaussian(images: Tensor, _draws: Draws, setting: Setting) -> Tensor:
    return _gaussian(images, setting.choose(GAUSSIAN_SIGMA))


DEFOCUS_BLUR = Corruption(sample_nothing, _apply_defocus, fixed_batch=True)
GLASS_BLUR = Corruption(_sample_glass, _apply_glass)
MOTION_BLUR = Corruption(_sample_motion, _apply_motion)
ZOOM_BLUR = Corruption(sample_nothing, _apply_zoom)
GAUSSIAN_BLUR = Corruption(sample_nothing, _apply_gaussian)

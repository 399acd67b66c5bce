"""Perturbation sequences (ImageNet-P; Hendrycks & Dietterich 2019), batched in torch.

Written from make_imagenet_p.py (hendrycks/robustness). One frame of all images exists at a time. Two things differ from
the published videos:

* The originals perturb the photograph resized to 256 pixels and cut out its centre of 224 afterwards; here only the
  crop is at hand. The geometric perturbations (translate, rotate, tilt, scale) therefore act on a canvas of 8/7 of the
  crop, whose margin mirrors the crop. What lies outside the canvas is black, as outside the originals' photograph; but
  a photograph that is not square goes on for longer along its longer side.
* The originals are compressed as MP4 videos; these frames are not compressed.

Frames are truncated or rounded to bytes where the originals are. Amounts in pixels are the same at every crop size.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from bench.corruptions.color import brighten
from bench.corruptions.lines import zoom_window
from bench.corruptions.motion import motion_blur, motion_taps
from bench.corruptions.noise import draw_photons, level_of_photons
from bench.corruptions.warps import Warp, affine_warp, tilt_warp
from bench.corruptions.weather import SNOW_MARGIN, resting_snow, whiten
from bench.imaging.division import bytes_to_pixels, divide
from bench.rng import draw_normal
from bench.seeding import derive_seed

FRAMES = 31
TRANSLATE_FRAMES = 41
NOISE_SEQUENCES = frozenset({"gaussian_noise", "shot_noise"})
"""Perturbations whose frames are independent: each is compared with the first frame, not with the one before it."""

_GAUSSIAN_SCALE = 0.03
_PHOTONS = 300
_MOTION = (10, 3)
"""Radius and standard deviation."""
_SNOW_MEAN, _SNOW_DEVIATION, _SNOW_ZOOM, _SNOW_THRESHOLD, _SNOW_WEIGHT = 0.05, 0.3, 3, 0.5, 0.85
_SNOW_MOTION = (14, 4)

Frames = Iterator[Tensor]
"""``(B,3,H,W)`` uint8 frames in order."""


def _gaussian_noise(images: Tensor, seeds: Sequence[int]) -> Frames:
    yield images
    for frame in range(1, FRAMES):
        noise = draw_normal([derive_seed(seed, frame) for seed in seeds], images.shape[1:], images.device)
        yield torch.add(images, noise, alpha=255 * _GAUSSIAN_SCALE).clamp_(0, 255).to(torch.uint8)


def _shot_noise(images: Tensor, seeds: Sequence[int]) -> Frames:
    yield images
    for frame in range(1, FRAMES):
        photons = draw_photons(images, _PHOTONS, [derive_seed(seed, frame) for seed in seeds])
        yield level_of_photons(_PHOTONS, images.device).index_select(0, photons.flatten()).view(images.shape)


def _motion_blur(images: Tensor, _seeds: Sequence[int]) -> Frames:
    planes = images.float().flatten(0, 1)
    for frame in range(FRAMES):
        blurred = motion_blur(planes, motion_taps(*_MOTION, (frame - 30) * 4))
        yield blurred.add_(0.5).clamp_(0, 255).to(torch.uint8).view(images.shape)  # ImageMagick rounds


def _zoom_blur(images: Tensor, _seeds: Sequence[int]) -> Frames:
    yield images
    # float32 in [0,1], step by step as the original: where means are whole levels, truncation hangs on it
    total = bytes_to_pixels(images)
    for frame in range(1, FRAMES):
        total += bytes_to_pixels(affine_warp(images.shape[2:], scale=1 + 0.004 * frame)(images))
        yield divide(total.clone(), frame + 1).mul_(255).to(torch.uint8)


def _snow(images: Tensor, seeds: Sequence[int]) -> Frames:
    shape = [zoom_window(size, _SNOW_ZOOM)[1] for size in images.shape[2:]]
    flakes = draw_normal(seeds, shape, images.device).mul_(_SNOW_DEVIATION).add_(_SNOW_MEAN)
    resting = resting_snow(flakes, images.shape[2:], _SNOW_ZOOM, _SNOW_THRESHOLD, centred=True).floor_()
    scenes = whiten(images, _SNOW_WEIGHT).add_(SNOW_MARGIN)
    for frame in range(FRAMES):
        layer = motion_blur(resting, motion_taps(*_SNOW_MOTION, frame * 4 - 150)).round_()
        yield (scenes + (layer + layer.flip(1, 2))[:, None]).clamp_(0, 255).to(torch.uint8)


def _brightness(images: Tensor, _seeds: Sequence[int]) -> Frames:
    for frame in range(FRAMES):
        yield brighten(images, (frame - 15) * 2 / 100)


def _warped(count: int, warp_of: Callable[[Sequence[int], int], Warp]) -> Callable[[Tensor, Sequence[int]], Frames]:
    def frames(images: Tensor, _seeds: Sequence[int]) -> Frames:
        for frame in range(count):
            yield warp_of(images.shape[2:], frame)(images)

    return frames


SEQUENCES: Mapping[str, Callable[[Tensor, Sequence[int]], Frames]] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "motion_blur": _motion_blur,
    "zoom_blur": _zoom_blur,
    "snow": _snow,
    "brightness": _brightness,
    "translate": _warped(TRANSLATE_FRAMES, lambda size, frame: affine_warp(size, right=frame - 20)),
    "rotate": _warped(FRAMES, lambda size, frame: affine_warp(size, degrees=frame - 15)),
    "tilt": _warped(FRAMES, lambda size, frame: tilt_warp(size, frame - 15)),
    "scale": _warped(FRAMES, lambda size, frame: affine_warp(size, scale=(frame * 2.5 + 40) / 100)),
}
"""The ten test perturbations, in the paper's order."""

PERTURBATIONS: tuple[str, ...] = tuple(SEQUENCES)

"""ImageNet-C-bar (Mintun, Kirillov & Xie 2021): ten corruptions unlike those of ImageNet-C.

Written from imagenet_c_bar/corrupt.py and imagenet_c_bar.csv (facebookresearch/augmentation-corruption), with whole
arrays in place of loops over pixels; the gradient noise is the one of the same repository's experiments/overlap. Random
numbers are drawn from NumPy's legacy generator in the originals' order, so that one seed gives the image that the
original makes of it. All is NumPy on the CPU, one image at a time.

References:
    Mintun, Kirillov and Xie, "On Interaction Between Augmentations and Corruptions in Natural Corruption Robustness",
    NeurIPS 2021.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor

from bench.corruptions.perlin import turbulence
from bench.errors import ConfigurationError, DataError, nearest_names
from bench.records import Condition

Image = NDArray[np.uint8]
"""``(S,S,3)``."""
Floats = NDArray[np.float64]

_HIGHEST_SEED = 2**32


def _bytes(levels: Floats) -> Image:
    return np.clip(levels, 0, 255).astype(np.uint8)


def _grid(side: int) -> tuple[Floats, Floats]:
    """Row and column of every pixel, each ``(S,S)``."""
    rows, columns = np.indices((side, side), dtype=np.float64)
    return rows, columns


def _coloured_noise(power: Floats, generator: RandomState) -> Floats:
    """``(S,S)`` noise of unit standard deviation with a given amplitude at each frequency and random phases."""
    side = len(power)
    half = generator.uniform(0, 2 * np.pi, (side, side // 2))
    parts = [half, half[::-1, ::-1]]
    if side % 2:
        middle = generator.uniform(0, 2 * np.pi, (side // 2, 1))
        parts.insert(1, np.concatenate([middle, np.zeros((1, 1)), middle[::-1]]))
    spectrum = power * np.exp(1j * np.concatenate(parts, axis=1))
    noise = np.real(np.fft.ifft2(np.roll(spectrum, (side // 2, side // 2), axis=(0, 1))))
    scaled: Floats = noise / noise.std()
    return scaled


def _distance_to_middle(side: int) -> Floats:
    rows, columns = _grid(side)
    distance: Floats = np.hypot(columns - side / 2, rows - side / 2)
    return distance


def _blue_noise_sample(image: Image, level: float, generator: RandomState) -> Image:
    own = RandomState(generator.randint(0, _HIGHEST_SEED))
    noise = _coloured_noise(_distance_to_middle(len(image)), own)
    return image * (noise > level * 0.3 - 2.5)[..., None]


def _brownish_noise(image: Image, level: float, generator: RandomState) -> Image:
    own = RandomState(generator.randint(0, _HIGHEST_SEED))
    power = 1 / (_distance_to_middle(len(image)) ** 2 + 1)
    noise = np.stack([_coloured_noise(power, own) for _ in range(3)], axis=2)
    return _bytes(image + level * 6.4 * noise)


def _plasma_noise(image: Image, level: float, generator: RandomState) -> Image:
    side = len(image)
    time, rounds = generator.uniform(0, 6 * np.pi), generator.randint(4, 7)
    sharpness, scale = generator.uniform(0.5, 1), generator.uniform(0.075, 0.2) * side
    y, x = (coordinate / scale for coordinate in _grid(side))
    frequency, pace, damping = 1.0, 1.0, 1.0
    for _ in range(rounds):
        across = np.cos(y * frequency + time / pace) / damping
        down = np.sin(x * frequency + time / pace) / damping
        x, y = x + (across - 0.3 * down), y + (down + 0.3 * across)
        frequency, pace, damping = frequency * 1.93, pace * 1.15, damping * (2.25 - sharpness)
    noise = np.stack([np.sin(x - time), np.sin((x + y + np.sin(time)) * 0.5), np.sin(y + time)], axis=2)
    intensity = level * 6.4
    return _bytes((1 - intensity / 255) * image + intensity * noise)


def _checkerboard_cutout(image: Image, level: float, generator: RandomState) -> Image:
    side = len(image)
    angle = generator.uniform(0, 2 * np.pi)
    field = max(generator.uniform(0.1, 0.25) * side, 1)
    own = RandomState(generator.randint(0, _HIGHEST_SEED))
    fields = int(4 * side // field)
    cut = own.uniform(size=(fields, fields)) < level / 10
    rows, columns = _grid(side)
    along = (np.cos(angle) * rows + np.sin(angle) * columns) / field
    across = (-np.sin(angle) * rows + np.cos(angle) * columns) / field
    dark = (along % 2).astype(int) == (across % 2).astype(int)
    # truncated towards zero, so that the fields around the axes are larger; negative fields count from the end
    hidden = dark & cut[along.astype(int), across.astype(int)]
    return np.where(hidden[..., None], np.uint8(128), image)


def _ray_light(side: int, center: Floats, rays: Floats, power: float) -> Floats:
    """``(S,S,1)`` brightness in [0,1] of a star whose rays, in order of their angle, have these lengths."""
    rows, columns = _grid(side)
    down, right = rows - center[0], columns - center[1]
    turn = (np.arctan2(right, down) + np.pi) / (2 * np.pi) * len(rays)
    before = turn.astype(int)
    share = turn - before
    here, following = rays[before % len(rays)], rays[(before + 1) % len(rays)]
    fall = ((here + share * (following - here)) ** 2 / (down**2 + right**2 + 1e-4)) ** power
    light: Floats = np.clip((1 - (share - 0.5) ** 2) * fall, 0, 1)[..., None]
    return light


def _sparkles(image: Image, level: float, generator: RandomState) -> Image:
    side = len(image)
    centers = generator.uniform(0, side, (5, 2))
    radius = level * 0.01 * side
    own = RandomState(generator.randint(0, _HIGHEST_SEED))
    levels = image.astype(np.float64)
    for center, count in zip(centers, generator.randint(50, 200, 5), strict=True):
        rays = np.maximum(1, radius + 0.25 * radius * own.randn(count))
        levels += _ray_light(side, center, rays, 1.0) * (255 - levels)
        levels = levels.astype(np.float32).astype(np.float64)
    return _bytes(levels)


def _inverse_sparkles(image: Image, level: float, generator: RandomState) -> Image:
    side = len(image)
    center = generator.uniform(0.25, 0.75, 2) * side
    own = RandomState(generator.randint(0, _HIGHEST_SEED))
    radius = 0.25 * side
    rays = radius + 0.25 * radius * own.randn(generator.randint(50, 200))
    return _bytes(255 + _ray_light(side, center, rays, level * 6.5 / 50) * (image.astype(np.float64) - 255))


def _perlin_noise(image: Image, level: float, generator: RandomState) -> Image:
    own = RandomState(generator.randint(0, _HIGHEST_SEED))
    side = len(image)
    rows, columns = (coordinate / (32 * side / 224) for coordinate in _grid(side))
    noise = np.clip(0.5 * turbulence(rows, columns, 16, own) + 0.5, 0, 1)
    alpha = level * 0.05
    return _bytes((1 - alpha) * image.astype(np.float32) + 255 * alpha * noise[..., None])


def _cocentric_sine_waves(image: Image, level: float, generator: RandomState) -> Image:
    side = len(image)
    offset = generator.uniform(0, side, 2)
    frequency = generator.uniform(0, 10)
    amplitude, ring = generator.uniform(0, side / 10), generator.uniform(0, side / 10)
    rows, columns = _grid(side)
    right, down = columns - offset[0], rows - offset[1]
    wave = np.sin(np.arctan2(right, down) * frequency) * amplitude
    noise = ((np.sqrt(right**2 + down**2) + wave) % ring) / ring - 0.5
    return _bytes(image + level * 12.8 * noise[..., None])


def _single_frequency_greyscale(image: Image, level: float, generator: RandomState) -> Image:
    first = generator.uniform(-np.pi, np.pi)
    second = generator.uniform(-abs(first), abs(first))
    across, down = np.array([first, second])[generator.permutation(2)]
    phase = generator.uniform(0, 2 * np.pi)
    rows, columns = _grid(len(image))
    return _bytes(image + level * 19.6 * np.sin(columns * across + rows * down + phase)[..., None])


def _caustics(side: int, time: float, size: float) -> Floats:
    """``(S,S)`` light in [0,1] on the ground of a rippled pool."""
    start = [(coordinate / size % 1) * 6.28318530718 - 250 for coordinate in _grid(side)]
    y, x = start
    total = np.ones((side, side))
    for index in range(5):
        t = time * (1 - 3.5 / (index + 1))
        y, x = start[0] + np.cos(t - y) + np.sin(t + x), start[1] + np.sin(t - x) + np.cos(t + y)
        total += 1 / np.hypot(start[0] / (np.sin(y + t) / 0.005), start[1] / (np.cos(x + t) / 0.005))
    light: Floats = np.clip(np.abs(1.17 - (total / 5) ** 1.4) ** 8, 0, 1)
    return light


def _lens_offsets(down: Floats, right: Floats, scale: float) -> tuple[Floats, Floats]:
    """How far light from above is bent where the surface slopes by ``down`` and ``right``; refractive index 4."""
    length = np.sqrt(down**2 + right**2 + 1)
    flat = 1 / length >= 1 - 1e-3
    angle = np.arccos(1 / length)
    bent = np.arcsin(np.sin(angle) / 4)
    slope = np.where(flat, 1.0, np.hypot(down, right))
    # the normal turned towards the vertical: cosine along it, sine along its perpendicular in the plane of incidence
    factor = np.where(flat, 0.0, np.cos(bent) / length - np.sin(bent) / (length * slope)) * scale
    return np.round(factor * down, 3), np.round(factor * right, 3)


def _caustic_refraction(image: Image, level: float, generator: RandomState) -> Image:
    side = len(image)
    time, size = generator.uniform(0.5, 2), generator.uniform(0.75, 1.25) * side
    light = np.pad(gaussian_filter(_caustics(side, time, size), sigma=1), 1)
    down = light[2:, 1:-1] - light[:-2, 1:-1]
    right = light[1:-1, 2:] - light[1:-1, :-2]
    rows, columns = _grid(side)
    offset_down, offset_right = _lens_offsets(down, right, level * 0.05 * side)
    colour = _read_between(image.astype(np.float64) / 255, rows + offset_down, columns + offset_right)
    lighting = level * 0.2
    colour = np.clip(colour - (lighting * right)[..., None] + (lighting * down)[..., None], 0, 1)
    return _bytes(colour * 255)


def _read_between(image: Floats, y: Floats, x: Floats) -> Floats:
    """Bilinear interpolation between the pixels around ``(y, x)``; black outside the image."""
    side = len(image)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    total = np.zeros(image.shape)
    for row, row_weight in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, weight in ((left, 1 - (x - left)), (left + 1, x - left)):
            inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
            pixels = image[row.clip(0, side - 1), column.clip(0, side - 1)]
            total += (inside * row_weight * weight)[..., None] * pixels
    return total


BAR_LEVELS: Mapping[str, tuple[float, ...]] = {
    "blue_noise_sample": (0.8, 1.6, 2.4, 4.0, 5.6),
    "plasma_noise": (4.75, 7.0, 8.5, 9.25, 10.0),
    "checkerboard_cutout": (2.0, 3.0, 4.0, 5.0, 6.0),
    "cocentric_sine_waves": (3.0, 5.0, 8.0, 9.0, 10.0),
    "single_frequency_greyscale": (1.0, 1.5, 2.0, 4.5, 5.0),
    "brownish_noise": (1.0, 2.0, 3.0, 4.0, 5.0),
    "perlin_noise": (4.6, 5.2, 5.8, 7.6, 8.8),
    "sparkles": (1.0, 2.0, 3.0, 5.0, 6.0),
    "inverse_sparkles": (1.0, 2.0, 4.0, 9.0, 10.0),
    "caustic_refraction": (2.35, 3.2, 4.9, 6.6, 9.15),
}
"""The originals' level at each of the five severities (imagenet_c_bar.csv)."""

BAR_CORRUPTIONS: tuple[str, ...] = tuple(BAR_LEVELS)
"""The ten corruptions, by the originals' names."""

_MAKERS: Mapping[str, Callable[[Image, float, RandomState], Image]] = {
    "blue_noise_sample": _blue_noise_sample,
    "plasma_noise": _plasma_noise,
    "checkerboard_cutout": _checkerboard_cutout,
    "cocentric_sine_waves": _cocentric_sine_waves,
    "single_frequency_greyscale": _single_frequency_greyscale,
    "brownish_noise": _brownish_noise,
    "perlin_noise": _perlin_noise,
    "sparkles": _sparkles,
    "inverse_sparkles": _inverse_sparkles,
    "caustic_refraction": _caustic_refraction,
}


def corrupt_bar(images: Tensor, condition: Condition, seeds: Sequence[int]) -> Tensor:
    """Corrupt a batch of images as ImageNet-C-bar does.

    Args:
        images: ``(B,3,S,S)`` uint8 on the CPU; the definitions are of square images.
        condition: name of the corruption, and its severity 1-5 as the strength.
        seeds: one an image, in ``[0, 2**32)``.

    Returns:
        ``(B,3,S,S)`` uint8.

    Raises:
        ConfigurationError: an unknown corruption.
        DataError: images that are not square.
    """
    if condition.name not in BAR_LEVELS:
        hint = nearest_names(condition.name, BAR_CORRUPTIONS)
        raise ConfigurationError(f"ImageNet-C-bar has no corruption {condition.name!r}: {hint}")
    if images.shape[2] != images.shape[3]:
        height, width = images.shape[2:]
        raise DataError(f"ImageNet-C-bar is defined for square images, not {height} x {width}: choose a square crop")
    level, make = BAR_LEVELS[condition.name][int(condition.strength) - 1], _MAKERS[condition.name]
    corrupted = [
        make(image, level, RandomState(seed))
        for image, seed in zip(images.permute(0, 2, 3, 1).numpy(), seeds, strict=True)
    ]
    return torch.from_numpy(np.stack(corrupted)).permute(0, 3, 1, 2).contiguous()

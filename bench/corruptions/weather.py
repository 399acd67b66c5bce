"""Weather: snow, frost and fog."""

import importlib.util
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.corruptions.draws import Corruption, Draws, Parameters, Setting
from bench.corruptions.lines import zoom_window
from bench.corruptions.motion import motion_blur_each, motion_taps, taps_inside
from bench.errors import DataError
from bench.imaging.division import divide
from bench.rng import draw_normal, draw_scalars, draw_uniform

SNOW = Parameters(
    imagenet_c=(
        (0.1, 0.3, 3.0, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2.0, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4.0, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
    cifar10_c=(
        (0.1, 0.2, 1.0, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1.0, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
)
"""Mean and standard deviation of the flakes, zoom, threshold, radius and sigma of the motion, weight of the image."""
FROST = Parameters(
    imagenet_c=((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    cifar10_c=((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
)
"""Weights of the image and of the frost."""
FOG = Parameters(
    imagenet_c=((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
    cifar10_c=((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)),
)
"""Thickness, and the factor by which the roughness decays from one scale to the next."""

_TEXTURES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg", "frost6.jpg")
"""The authors' scripts list six and draw among the first five; the package draws among all."""
_CIFAR_TEXTURE_SCALE = 0.2
_ROUGHNESS = 100.0
SNOW_MARGIN = 5e-4
"""Levels: above the rounding of float32, so that sums that are whole levels truncate to themselves."""


def _to_bytes(levels: Tensor) -> Tensor:
    return levels.clamp_(0, 255).to(torch.uint8)


def _sample_snow(images: Tensor, setting: Setting, seeds: Sequence[int]) -> Draws:
    zoom = setting.choose(SNOW)[2]
    shape = [zoom_window(size, zoom)[1] for size in images.shape[2:]]
    return {
        "flakes": draw_normal(seeds, shape, images.device),
        "angle": draw_scalars(seeds, 1)[:, 0] * 90 - 135,
    }


def _apply_snow(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    mean, deviation, _, _, _, _, weight = setting.choose(SNOW)
    layers = _falling_snow(draws["flakes"] * deviation + mean, draws["angle"].tolist(), images.shape[2:], setting)
    scenes = whiten(images, weight).add_(layers).add_(layers.flip(2, 3))
    return _to_bytes(scenes.add_(SNOW_MARGIN))


def whiten(images: Tensor, weight: float) -> Tensor:
    """``(B,3,H,W)`` float levels: ``weight`` of the image, and the rest of its snow-covered self."""
    levels = images.float()
    grey = levels[:, 0] * 0.299 + levels[:, 1] * 0.587 + levels[:, 2] * 0.114
    return torch.maximum(levels, grey.mul_(1.5).add_(127.5)[:, None]).mul_(1 - weight).add_(levels, alpha=weight)


def _falling_snow(flakes: Tensor, angles: Sequence[float], size: Sequence[int], setting: Setting) -> Tensor:
    """``(B,1,H,W)`` whole levels of brightness of the falling snow, drawn small and enlarged."""
    height, width = size
    _, _, zoom, threshold, radius, sigma, _ = setting.choose(SNOW)
    layers = resting_snow(flakes, size, zoom, threshold, centred=not setting.from_package)
    taps = [motion_taps(radius, sigma, angle) for angle in angles]
    if setting.from_package:
        taps = [taps_inside(own, *layers.shape[1:]) for own in taps]
    else:
        layers = layers.floor_()  # the originals hand ImageMagick an 8-bit picture
    return motion_blur_each(layers[:, None], taps).round_()[..., :height, :width]


def resting_snow(flakes: Tensor, size: Sequence[int], zoom: float, threshold: float, *, centred: bool) -> Tensor:
    """``(B, H, W)`` levels of flakes, not yet falling: drawn small as ``(B, h, w)``, enlarged, the faint ones left out.

    Args:
        flakes: brightness, 1 being white; `zoom_window` gives ``h`` and ``w``.
        size: height and width of the image.
        zoom: by how much to enlarge.
        threshold: brightness below which there is no flake.
        centred: whether to cut to ``size``; otherwise the result may jut out below and to the right.
    """
    height, width = size
    (_, _, tall), (_, _, wide) = (zoom_window(side, zoom) for side in size)
    layer = F.interpolate(flakes[None], size=(tall, wide), mode="bilinear", align_corners=True)[0]
    if centred:
        top, left = (tall - height) // 2, (wide - width) // 2
        layer = layer[:, top : top + height, left : left + width]
    return torch.where(layer < threshold, 0.0, layer).clamp_(0, 1).mul_(255)


def _sample_frost(images: Tensor, setting: Setting, seeds: Sequence[int]) -> Draws:
    height, width = images.shape[2:]
    corners = []
    textures = len(_TEXTURES) if setting.from_package else len(_TEXTURES) - 1
    for which, down, right in draw_scalars(seeds, 3).tolist():
        texture = int(which * textures)
        _, tall, wide = frost_texture(texture, height, width, setting.definition).shape
        corners.append((texture, int(down * (tall - height)), int(right * (wide - width))))
    return {"corner": torch.tensor(corners)}


def _apply_frost(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    height, width = images.shape[2:]
    image_weight, frost_weight = setting.choose(FROST)
    # float64 as in the originals: the weights are tenths, so that many sums are whole levels but for a rounding
    levels = images.double().mul_(image_weight)
    if images.device.type == "cpu":
        for scene, (texture, top, left) in zip(levels, draws["corner"].tolist(), strict=True):
            frost = frost_texture(texture, height, width, setting.definition)
            scene.add_(frost[:, top : top + height, left : left + width].double().mul_(frost_weight))
    else:
        frost = cut_frost(draws["corner"], height, width, setting.definition, images.device)
        levels.add_(frost.double().mul_(frost_weight))
    return _to_bytes(levels)


def cut_frost(corners: Tensor, height: int, width: int, definition: str, device: torch.device) -> Tensor:
    """``(B,3,height,width)`` uint8 windows of the frost pictures, all at once: image by image costs a GPU launches.

    Args:
        corners: ``(B,3)`` int64 on the CPU: number of the picture, top and left of the window.
        height: of a window.
        width: of a window.
        definition: as of `frost_texture`.
        device: of the result.
    """
    table, sizes = _frost_table(height, width, definition, device)
    first, tall, wide = sizes[corners[:, 0]].unbind(1)
    geometry = torch.stack([first + corners[:, 1] * wide + corners[:, 2], tall * wide, wide]).to(device)
    start, plane, line = geometry[:, :, None, None].unbind(0)
    channels, rows = torch.arange(3, device=device)[:, None], torch.arange(height, device=device)
    # row p of the table is the line of pixels that begins at its byte p
    lines = table.as_strided((len(table) - width + 1, width), (1, 1))
    return lines.index_select(0, (start + channels * plane + rows * line).flatten()).view(-1, 3, height, width)


@lru_cache(maxsize=8)
def _frost_table(height: int, width: int, definition: str, device: torch.device) -> tuple[Tensor, Tensor]:
    """The bytes of all frost pictures, and on the CPU ``(6,3)``: where each begins, its height and its width."""
    textures = [frost_texture(index, height, width, definition) for index in range(len(_TEXTURES))]
    begins = np.cumsum([0, *(texture.numel() for texture in textures)])
    sizes = [(int(begin), *texture.shape[1:]) for begin, texture in zip(begins, textures, strict=False)]
    return torch.cat([texture.flatten() for texture in textures]).to(device), torch.tensor(sizes)


@lru_cache(maxsize=64)
def frost_texture(index: int, height: int, width: int, definition: str) -> Tensor:
    """``(3,h,w)`` uint8 frost, larger than ``height`` x ``width``; the pictures are those of imagecorruptions.

    The package enlarges each by 1.1; ImageNet-C takes it as it is, and CIFAR-10-C reduces it to a fifth. Where an image
    is larger than the picture, the first two enlarge it further (ImageNet-C never met such an image).
    """
    spec = importlib.util.find_spec("imagecorruptions")
    if spec is None or spec.origin is None:
        raise DataError("the frost pictures come with imagecorruptions: pip install imagecorruptions-imaug")
    path = Path(spec.origin).parent / "frost" / _TEXTURES[index]
    texture = cv2.imread(str(path))
    if texture is None:
        raise DataError(f"cannot read the frost picture {path}: reinstall imagecorruptions-imaug")
    tall, wide = texture.shape[:2]
    larger = definition == "imagecorruptions" or height >= tall or width >= wide
    scale = max(1.0, height / tall, width / wide) * (1.1 if larger else 1.0)
    if definition == "cifar10_c":
        texture = cv2.resize(texture, None, fx=_CIFAR_TEXTURE_SCALE, fy=_CIFAR_TEXTURE_SCALE)
    elif larger:
        size = (math.ceil(wide * scale), math.ceil(tall * scale))
        texture = cv2.resize(texture, dsize=size, interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(texture[..., ::-1].copy()).permute(2, 0, 1).contiguous()


def _map_size(longest: int, definition: str) -> int:
    """Side of the fog map: the power of two that fits; 256 in ImageNet-C, whose images all fit in it."""
    fitting = 1 << (longest - 1).bit_length()
    return max(256, fitting) if definition == "imagenet_c" else fitting


def _sample_fog(images: Tensor, setting: Setting, seeds: Sequence[int]) -> Draws:
    side = _map_size(max(images.shape[2:]), setting.definition)
    return {"heights": draw_uniform(seeds, (side * side - 1,), images.device)}


def _apply_fog(images: Tensor, draws: Draws, setting: Setting) -> Tensor:
    height, width = images.shape[2:]
    thickness, decay = setting.choose(FOG)
    fog = plasma(draws["heights"], decay)[:, None, :height, :width]
    brightest = divide(images.flatten(1).amax(1).float(), 255).view(-1, 1, 1, 1)
    return _to_bytes(images.float().add_(fog, alpha=255 * thickness).mul_(brightest / (brightest + thickness)))


def plasma(heights: Tensor, decay: float) -> Tensor:
    """Diamond-square height maps on a torus, scaled to [0,1] (plasma_fractal of the originals).

    Args:
        heights: ``(B, S * S - 1)`` draws in [-1,1], scale by scale: the squares, then the two sets of diamonds.
        decay: factor by which the roughness shrinks from one scale to the next.

    Returns:
        ``(B,S,S)`` float32.
    """
    side = math.isqrt(heights.shape[1] + 1)
    corners = heights.new_zeros(len(heights), 1, 1)
    roughness, used, cells = _ROUGHNESS, 0, 1
    while cells < side:
        # the originals multiply uniform draws in [-roughness, roughness] by the roughness once more
        bumps = heights[:, used : used + 3 * cells**2].view(-1, 3, cells, cells) * roughness**2
        pair = corners + corners.roll(-1, 1)
        squares = (pair + pair.roll(-1, 2)).div_(4).add_(bumps[:, 0])
        across = (squares + squares.roll(1, 1)).add_(corners + corners.roll(-1, 2)).div_(4).add_(bumps[:, 1])
        along = (squares + squares.roll(1, 2)).add_(pair).div_(4).add_(bumps[:, 2])
        even, odd = torch.stack([corners, across], -1), torch.stack([along, squares], -1)
        corners = torch.stack([even.flatten(2), odd.flatten(2)], 2).flatten(1, 2)
        roughness, used, cells = roughness / decay, used + 3 * cells**2, 2 * cells
    corners = corners - corners.amin((1, 2), keepdim=True)
    return corners.div_(corners.amax((1, 2), keepdim=True))


SNOW_FALL = Corruption(_sample_snow, _apply_snow)
FROST_COVER = Corruption(_sample_frost, _apply_frost)
FOG_BANK = Corruption(_sample_fog, _apply_fog, chunk=8)

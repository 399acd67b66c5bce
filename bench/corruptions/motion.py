"""Motion blur, of images and of falling snow."""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MotionTaps = list[tuple[int, int, float]]
"""Offsets ``(down, right)`` in pixels with their weights."""


def motion_taps(radius: int, sigma: float, angle: float) -> MotionTaps:
    """Offsets ``(down, right)`` in pixels and weights of ImageMagick's motion blur (MotionBlurImage, effect.c).

    Half a gaussian of ``2 * radius + 1`` steps laid along ``angle`` degrees, each step rounded to a pixel.
    """
    width = 2 * radius + 1
    weights = np.exp(-(np.arange(width) ** 2) / (2.0 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma)
    weights /= weights.sum()
    down, right = width * math.sin(math.radians(angle)), width * math.cos(math.radians(angle))
    length = math.hypot(down, right)
    return [
        (math.ceil(step * down / length - 0.5), math.ceil(step * right / length - 0.5), float(weights[step]))
        for step in range(width)
    ]


def taps_inside(taps: MotionTaps, height: int, width: int) -> MotionTaps:
    """The taps before the first that leaves the image: the imagecorruptions package stops there, unnormalised."""
    for index, (down, right, _) in enumerate(taps):
        if abs(down) >= height or abs(right) >= width:
            return taps[:index]
    return taps


def _merged(taps: MotionTaps) -> dict[tuple[int, int], float]:
    """The taps by pixel, those of one pixel added up."""
    merged: dict[tuple[int, int], float] = {}
    for down, right, weight in taps:
        merged[down, right] = merged.get((down, right), 0.0) + weight
    return merged


def motion_blur(planes: Tensor, taps: MotionTaps) -> Tensor:
    """Weighted sum of shifted copies of ``(C,H,W)`` float planes, the edge pixels repeated outwards."""
    height, width = planes.shape[1:]
    merged = _merged(taps)
    top, bottom = -min(down for down, _ in merged), max(down for down, _ in merged)
    left, right_most = -min(right for _, right in merged), max(right for _, right in merged)
    top, left = max(top, 0), max(left, 0)
    padding = (left, max(right_most, 0), top, max(bottom, 0))
    padded = F.pad(planes[None], padding, mode="replicate")[0]
    total = torch.zeros_like(planes)
    for (down, right), weight in merged.items():
        window = padded[:, top + down : top + down + height, left + right : left + right + width]
        total.add_(window, alpha=weight)
    return total


def motion_blur_each(images: Tensor, taps: Sequence[MotionTaps]) -> Tensor:
    """`motion_blur` of each of ``(B,C,H,W)`` float images by its own taps.

    On an accelerator all at once, where image by image the launches of the small steps would take the time.
    """
    if images.device.type != "cpu":
        return motion_blur_at_once(images, taps)
    return torch.stack([motion_blur(image, own) for image, own in zip(images, taps, strict=True)])


def motion_blur_at_once(images: Tensor, taps: Sequence[MotionTaps]) -> Tensor:
    """`motion_blur_each` as one embedding bag over shifted lines; arguments and result are the same.

    The table's row ``p`` is the line of pixels that begins at pixel ``p`` of the padded images, so that the rows
    overlap in memory; a line of the result sums the rows that its image's taps point at, in the order of the taps.
    """
    count, channels, height, width = images.shape
    merged = [_merged(own) for own in taps]
    reach = max((abs(offset) for own in merged for pixel in own for offset in pixel), default=0)
    padded = F.pad(images, (reach,) * 4, mode="replicate").contiguous()
    tall, wide = padded.shape[2:]
    most = max(map(len, merged))
    offsets, weights = np.zeros((count, most), dtype=np.int64), np.zeros((count, most), dtype=np.float32)
    for row, own in enumerate(merged):
        offsets[row, : len(own)] = [down * wide + right for down, right in own]
        weights[row, : len(own)] = list(own.values())
    starts = torch.arange(count * channels, device=images.device).view(count, channels, 1, 1) * (tall * wide)
    lines = (torch.arange(height, device=images.device)[:, None] + reach) * wide + reach
    index = starts + lines + torch.from_numpy(offsets).to(images.device)[:, None, None]
    weight = torch.from_numpy(weights).to(images.device)[:, None, None].expand(index.shape)
    table = padded.as_strided((padded.numel() - width + 1, width), (1, 1))
    blurred = F.embedding_bag(
        index.view(-1, most), table, mode="sum", per_sample_weights=weight.reshape(-1, most).to(images.dtype)
    )
    return blurred.view(images.shape)

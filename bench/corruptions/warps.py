"""Geometric changes of the camera: the frames of ImageNet-P that Pillow and OpenCV made.

A warp acts on a canvas: the crop with a margin of 1/14 of its size on each side, as the centre crop of 224 has in a
square photograph of 256 pixels. The margin mirrors the crop about its outermost pixels; outside the canvas is black.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MARGIN = 14
"""The crop's size over the canvas' margin on one side: (256 - 224) / 2 of 224."""
_CHUNK = 8
"""Images warped together: few enough to stay in a CPU's cache."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Warp:
    """Where each pixel of the result comes from: bilinear interpolation between four pixels of the crop."""

    source: NDArray[np.int64]
    """``(4, H * W)`` flat pixels: upper left, upper right, lower left, lower right."""
    shown: NDArray[np.bool_]
    """``(4, H * W)`` whether each of the four lies on the canvas; it is black otherwise."""
    share: Floats
    """``(2, H * W)`` weight in [0,1) of the right over the left, and of the lower over the upper."""
    rounding: float
    """Added before truncation: 0 truncates, 0.5 rounds."""

    def __call__(self, images: Tensor) -> Tensor:
        """The warped ``(B,3,H,W)`` uint8 of ``images``, of the same type and size."""
        source, shown, share = (
            torch.from_numpy(part).to(images.device) for part in (self.source, self.shown, self.share)
        )
        flat = images.flatten(2)
        starts = range(0, len(flat), _CHUNK)
        parts = [self._warped(flat[start : start + _CHUNK], source, shown, share) for start in starts]
        return torch.cat(parts).view(images.shape)

    def _warped(self, flat: Tensor, source: Tensor, shown: Tensor, share: Tensor) -> Tensor:
        """``(B,3,H*W)`` uint8. In float64, and as ``a + (b - a) * share``: Pillow's truncation hangs on it."""
        corners = [flat.index_select(2, pixels).mul_(seen).double() for pixels, seen in zip(source, shown, strict=True)]
        right, down = share
        upper = corners[1].sub_(corners[0]).mul_(right).add_(corners[0])
        lower = corners[3].sub_(corners[2]).mul_(right).add_(corners[2])
        return lower.sub_(upper).mul_(down).add_(upper).add_(self.rounding).to(torch.uint8)


def affine_warp(size: Sequence[int], *, degrees: float = 0, scale: float = 1, right: int = 0) -> Warp:
    """Rotation, scaling and translation, as torchvision's affine with Pillow's bilinear filter.

    Args:
        size: height and width of the crop.
        degrees: clockwise rotation about the centre.
        scale: enlargement about the centre.
        right: translation in pixels.
    """
    height, width = size
    down, across = _margins(size)
    middle_x, middle_y = width / 2 + across, height / 2 + down
    cosine, sine = (turn(math.radians(degrees)) / scale for turn in (math.cos, math.sin))
    # the sums of torchvision and Pillow, in their order
    start_x = cosine * (-middle_x - right) + sine * -middle_y + middle_x
    start_y = -sine * (-middle_x - right) + cosine * -middle_y + middle_y
    columns, rows = np.meshgrid(np.arange(width) + across + 0.5, np.arange(height) + down + 0.5)
    x = (cosine * columns + sine * rows + start_x).ravel()
    y = (-sine * columns + cosine * rows + start_y).ravel()
    shown = (x >= 0) & (x < width + 2 * across) & (y >= 0) & (y < height + 2 * down)
    return _bilinear(x - 0.5, y - 0.5, size, np.tile(shown, (4, 1)), rounding=0.0)


def tilt_warp(size: Sequence[int], degrees: float) -> Warp:
    """The plane of the canvas turned by ``degrees`` about both of its axes, as OpenCV's warpPerspective shows it.

    Positions are rounded to 1/32 pixel and results to whole levels, as in OpenCV 2 to 4, which made the originals.

    Args:
        size: height and width of the crop.
        degrees: phi and theta of the original; the camera's distance is the diagonal of the canvas.
    """
    height, width = size
    down, across = _margins(size)
    back = np.linalg.inv(_tilt_matrix(width + 2 * across, height + 2 * down, math.radians(degrees)))
    columns, rows = np.meshgrid(np.arange(width) + across, np.arange(height) + down)
    x, y, w = (line[0] * columns.ravel() + line[1] * rows.ravel() + line[2] for line in back)
    x, y = np.rint(32 * x / w) / 32, np.rint(32 * y / w) / 32
    left, top = np.floor(x), np.floor(y)
    shown = np.stack(
        [
            (left + i >= 0) & (left + i < width + 2 * across) & (top + j >= 0) & (top + j < height + 2 * down)
            for j in (0, 1)
            for i in (0, 1)
        ]
    )
    return _bilinear(x, y, size, shown, rounding=0.5)


def _margins(size: Sequence[int]) -> tuple[int, int]:
    height, width = size
    return round(height / _MARGIN), round(width / _MARGIN)


def _tilt_matrix(width: int, height: int, angle: float) -> Floats:
    """The 3 x 3 homography from the canvas to its tilted picture."""
    cosine, sine = math.cos(angle), math.sin(angle)
    focal = math.hypot(width, height)
    into_space = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1], [0, 0, 1]])
    about_x = np.array([[1, 0, 0, 0], [0, cosine, -sine, 0], [0, sine, cosine, 0], [0, 0, 0, 1]])
    about_y = np.array([[cosine, 0, -sine, 0], [0, 1, 0, 0], [sine, 0, cosine, 0], [0, 0, 0, 1]])
    away = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, focal], [0, 0, 0, 1]])
    onto_picture = np.array([[focal, 0, width / 2, 0], [0, focal, height / 2, 0], [0, 0, 1, 0]])
    matrix: Floats = onto_picture @ away @ about_x @ about_y @ into_space
    return matrix


def _bilinear(x: Floats, y: Floats, size: Sequence[int], shown: NDArray[np.bool_], *, rounding: float) -> Warp:
    """The warp that reads between the pixels around ``(x, y)``; whole numbers are the middles of the canvas' pixels."""
    height, width = size
    left, top = np.floor(x), np.floor(y)
    down, across = _margins(size)
    columns = [_mirrored(left + i, width, across) for i in (0, 1)]
    rows = [_mirrored(top + j, height, down) * width for j in (0, 1)]
    source = np.stack([row + column for row in rows for column in columns])
    return Warp(source, shown, np.stack([x - left, y - top]), rounding)


def _mirrored(index: Floats, size: int, margin: int) -> NDArray[np.int64]:
    """The crop's pixels that the canvas' pixels show; beyond the canvas, its last one goes on."""
    inside = index.clip(0, size - 1 + 2 * margin) - margin
    pixels: NDArray[np.int64] = (size - 1 - np.abs(size - 1 - np.abs(inside))).astype(np.int64)
    return pixels

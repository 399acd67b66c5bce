"""Tensors as the atlas's pictures: scaled, tiled, cut out, laid out as thumbnails."""

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

GAP = 2
"""Pixels between the tiles of a grid."""


def png(picture: Image.Image) -> bytes:
    """The encoded picture."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def picture_of(image: Tensor, *, scale: int = 1) -> Image.Image:
    """``(3,H,W)`` or ``(1,H,W)`` float in [0,1] as a picture, each pixel ``scale`` times as large."""
    pixels = (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    picture = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0])
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def spread(images: Tensor) -> Tensor:
    """Each of ``(N,C,H,W)`` stretched to [0,1] by its own extremes; a flat one becomes grey."""
    flat = images.detach().float().flatten(1)
    low, high = flat.amin(dim=1)[:, None, None, None], flat.amax(dim=1)[:, None, None, None]
    return torch.where(high > low, (images - low) / (high - low).clamp(min=1e-20), torch.full_like(images, 0.5))


def signed(images: Tensor) -> Tensor:
    """Each of ``(N,C,H,W)`` with zero at grey, and its strongest half a percent at black or white."""
    strongest = torch.quantile(images.detach().abs().flatten(1), 0.995, dim=1)[:, None, None, None]
    return (0.5 + 0.5 * images / strongest.clamp(min=1e-20)).clamp(0, 1)


def contrast(images: Tensor) -> Tensor:
    """Each of ``(N,3,H,W)`` with its 1st and 99th percentile at black and white: faint patterns become visible."""
    flat = images.detach().flatten(1)
    low, high = (torch.quantile(flat, share, dim=1)[:, None, None, None] for share in (0.01, 0.99))
    return ((images - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)


def grid(images: Tensor, columns: int, *, scale: int = 1) -> Image.Image:
    """``(N,C,H,W)`` in [0,1] in rows of ``columns``, on white."""
    pictures = [picture_of(image, scale=scale) for image in images]
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    sheet = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP), "white")
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        sheet.paste(picture, (column * (width + GAP), row * (height + GAP)))
    return sheet


def cut_out(image: Tensor, mask: NDArray[np.bool_]) -> Image.Image:
    """``(3,H,W)`` uint8 with everything outside ``mask`` faded to white."""
    pixels = image.permute(1, 2, 0).numpy().astype(np.float64)
    pixels[~mask] = 255 - 0.15 * (255 - pixels[~mask])
    return Image.fromarray(pixels.round().astype(np.uint8))


def thumbnails(images: Tensor, places: NDArray[np.float64], *, side: int = 720, thumbnail: int = 48) -> Image.Image:
    """``(N,3,H,W)`` uint8 images as thumbnails at their two-dimensional places ``(N,2)``."""
    low, high = places.min(axis=0), places.max(axis=0)
    positions = (places - low) / np.maximum(high - low, 1e-12) * (side - thumbnail)
    sheet = Image.new("RGB", (side, side), "white")
    for image, (x, y) in zip(images, positions, strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((thumbnail, thumbnail))
        sheet.paste(picture, (round(x), side - thumbnail - round(y)))
    return sheet

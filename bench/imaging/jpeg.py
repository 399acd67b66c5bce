"""JPEG compression and back in one step, with the bytes that Pillow gives, on any device.

The steps of libjpeg that lose something (colors, subsampling, cosine transform, quantisation, and back) are done in
whole numbers; the coding into bits loses nothing and is left out. On the CPU they are compiled and work image by image
(`bench.imaging.compiled_jpeg`), on other devices they are tensor operations on a batch. Both give the bytes of
libjpeg's default transform, "islow", which is exact integer arithmetic.
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from bench.imaging.dct import forward_by_products, forward_dct, inverse_by_products, inverse_dct
from bench.imaging.threads import map_images

ThroughBlocks = Callable[[Tensor, Tensor], Tensor]

# ITU-T T.81, Annex K: the quantisation tables that libjpeg scales by the quality
_LUMINANCE = """
16 11 10 16 24 40 51 61  12 12 14 19 26 58 60 55  14 13 16 24 40 57 69 56  14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77  24 35 55 64 81 104 113 92  49 64 78 87 103 121 120 101  72 92 95 98 112 100 103 99
"""
_CHROMINANCE = """
17 18 24 47 99 99 99 99  18 21 26 66 99 99 99 99  24 26 56 99 99 99 99 99  47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99  99 99 99 99 99 99 99 99
"""
_HALF = 1 << 15
_MIDDLE = 128
"""The level that a sample without signal has."""


def round_trip(images: Tensor, quality: int) -> Tensor:
    """Save as JPEG and read again.

    Args:
        images: ``(B,3,H,W)`` uint8.
        quality: 1 to 100, as of Pillow's ``save(quality=...)``; chroma is subsampled 4:2:0, as there.

    Returns:
        ``(B,3,H,W)`` uint8 on the same device: the bytes of ``Image.open`` after ``Image.save``
        (``optimize`` does not change them).
    """
    if images.device.type == "cpu":
        return _compiled(images, quality)
    return in_whole_numbers(images, quality)


def _compiled(images: Tensor, quality: int) -> Tensor:
    from bench.imaging.compiled_jpeg import round_trip_image  # imports numba, which takes half a second

    luminance, chroma = (
        _quantisation(quality, component, images.device).flatten().numpy() for component in ("luminance", "chrominance")
    )
    return map_images(
        lambda image: torch.from_numpy(round_trip_image(image.contiguous().numpy(), luminance, chroma)), images
    )


def in_whole_numbers(images: Tensor, quality: int, through_blocks: ThroughBlocks | None = None) -> Tensor:
    """`round_trip` in batched whole numbers, on any device; the result is the same.

    Args:
        images: as for `round_trip`.
        quality: as for `round_trip`.
        through_blocks: `by_integers` or `by_products`; what suits the device when left out.
    """
    if through_blocks is None:  # launches cost an accelerator more than wide numbers, which MPS does not have
        through_blocks = by_integers if images.device.type in ("cpu", "mps") else by_products
    height, width = images.shape[2:]
    luminance, *chroma = _to_ycc(images.to(torch.int32))
    luminance = through_blocks(luminance, _quantisation(quality, "luminance", images.device))
    small = torch.cat([_downsample(plane) for plane in chroma])
    small = through_blocks(small, _quantisation(quality, "chrominance", images.device))
    blue, red = (_upsample(small, height, width) - _MIDDLE).chunk(2)
    return _to_rgb(luminance, blue, red)


@lru_cache
def _quantisation(quality: int, component: str, device: torch.device) -> Tensor:
    """``(8,8)`` int32 steps at ``quality`` (jcparam.c)."""
    table = _LUMINANCE if component == "luminance" else _CHROMINANCE
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = [min(max((int(step) * scale + 50) // 100, 1), 255) for step in table.split()]
    return torch.tensor(steps, dtype=torch.int32, device=device).view(8, 8)


def _to_ycc(levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``(B,H,W)`` luminance and both chroma planes of ``(B,3,H,W)``, 0 to 255 (jccolor.c)."""
    red, green, blue = levels.unbind(1)
    center = (_MIDDLE << 16) + _HALF - 1
    return (
        (19595 * red + 38470 * green + 7471 * blue + _HALF) >> 16,
        (-11059 * red - 21709 * green + 32768 * blue + center) >> 16,
        (32768 * red - 27439 * green - 5329 * blue + center) >> 16,
    )


def _to_rgb(luminance: Tensor, blue: Tensor, red: Tensor) -> Tensor:
    """``(B,3,H,W)`` uint8 from ``(B,H,W)`` luminance and chroma about zero (jdcolor.c)."""
    channels = (
        luminance + ((91881 * red + _HALF) >> 16),
        luminance + ((-22554 * blue - 46802 * red + _HALF) >> 16),
        luminance + ((116130 * blue + _HALF) >> 16),
    )
    return torch.stack(channels, 1).clamp_(0, 255).to(torch.uint8)


def _downsample(plane: Tensor) -> Tensor:
    """Means of 2 x 2 samples, whose halves are rounded down and up in turn along a row (jcsample.c)."""
    height, width = plane.shape[1:]
    plane = _repeat_edge(plane, height + height % 2, -(-width // 16) * 16)
    total = plane[:, ::2, ::2] + plane[:, ::2, 1::2] + plane[:, 1::2, ::2] + plane[:, 1::2, 1::2]
    bias = 1 + torch.arange(total.shape[2], dtype=torch.int32, device=plane.device) % 2
    return (total + bias) >> 2


def _repeat_edge(plane: Tensor, height: int, width: int) -> Tensor:
    """``plane`` with its last row and column repeated up to ``height`` and ``width``."""
    if plane.shape[1] < height:
        plane = torch.cat([plane, plane[:, -1:].expand(-1, height - plane.shape[1], -1)], 1)
    if plane.shape[2] < width:
        plane = torch.cat([plane, plane[:, :, -1:].expand(-1, -1, width - plane.shape[2])], 2)
    return plane


def by_integers(plane: Tensor, steps: Tensor) -> Tensor:
    """``(B,H,W)`` samples after cosine transform, quantisation by ``steps``, and back; int32 throughout."""
    height, width = plane.shape[1:]
    blocks = _blocks(plane)
    coefficients = forward_dct(blocks, row=3, column=1)
    divisor = (8 * steps)[:, None, :]  # the transform's result is scaled by 8
    size = coefficients.abs().add_(divisor // 2).floor_divide_(divisor)
    samples = inverse_dct(coefficients.sign() * size * steps[:, None, :], row=3, column=1)
    return _from_blocks(samples, height, width)


def by_products(plane: Tensor, steps: Tensor) -> Tensor:
    """`by_integers` by matrix products of float64, which holds its whole numbers and quotients exactly enough."""
    height, width = plane.shape[1:]
    coefficients = forward_by_products(_blocks(plane).double())
    step = steps.double()[:, None, :]
    size = coefficients.abs().add_(4 * step).div_(8 * step).floor_()
    samples = inverse_by_products(size.copysign_(coefficients).mul_(step))
    return _from_blocks(samples, height, width).to(torch.int32)


def _blocks(plane: Tensor) -> Tensor:
    """``(B*H/8,8,W/8,8)`` samples about zero of ``(B,H,W)``, filled up to whole blocks."""
    plane = _repeat_edge(plane, -(-plane.shape[1] // 8) * 8, -(-plane.shape[2] // 8) * 8)
    return plane.reshape(-1, 8, plane.shape[2] // 8, 8) - _MIDDLE


def _from_blocks(samples: Tensor, height: int, width: int) -> Tensor:
    """``(B,height,width)`` levels of samples about zero; they are overwritten."""
    levels = samples.add_(_MIDDLE).clamp_(0, 255)
    return levels.view(-1, -(-height // 8) * 8, 8 * samples.shape[2])[:, :height, :width]


def _upsample(plane: Tensor, height: int, width: int) -> Tensor:
    """``(B,height,width)`` by libjpeg's triangle filter, 3:1 in both directions (jdsample.c, h2v2_fancy_upsample)."""
    plane = plane[:, : -(-height // 2), : -(-width // 2)]
    if plane.shape[2] <= 2:
        return plane.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, :height, :width]
    above, below = plane[:, :1], plane[:, -1:]
    near = 3 * plane
    rows = torch.stack([near + torch.cat([above, plane[:, :-1]], 1), near + torch.cat([plane[:, 1:], below], 1)], 2)
    rows = rows.flatten(1, 2)
    near = 3 * rows
    left = (near + torch.cat([rows[:, :, :1], rows[:, :, :-1]], 2) + 8) >> 4
    right = (near + torch.cat([rows[:, :, 1:], rows[:, :, -1:]], 2) + 7) >> 4
    return torch.stack([left, right], 3).flatten(2, 3)[:, :height, :width]

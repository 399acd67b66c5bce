"""Planted shortcuts: tags, watermarks, blanked or swapped backgrounds, shuffled patches, on uint8 crops.

Each function returns new images and leaves its arguments alone.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from bench.corruptions.patches import cut_patches, put_patches
from bench.errors import ConfigurationError

TAG_COLOURS = ((255, 0, 255), (0, 255, 0))
"""Magenta and green: a sticker that nature does not have."""
TAG_CELLS = 4
WATERMARK_PLACE = (0.01, 0.4)
"""Left and top of the text as shares of width and height: ImageNet-W's own (facebookresearch/Whac-A-Mole)."""
WATERMARK_SIZE = 1 / 6.22
"""Size of the font as a share of the image's side: ImageNet-W's own, 36 at 224 pixels."""
STRIP = 1 / 8
"""Narrowest strip of background that is tiled, as a share of the image's side."""


def tag_mask(height: int, width: int, side: float) -> Tensor:
    """``(H,W)`` bool, true on the tag: a square of ``side`` times the shorter side in the lower right corner."""
    length = max(1, round(side * min(height, width)))
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[height - length :, width - length :] = True
    return mask


def paste_tag(images: Tensor, side: float) -> Tensor:
    """Images with an opaque chequered sticker in the lower right corner.

    Args:
        images: ``(B,3,H,W)`` uint8.
        side: length of the sticker's sides as a share of the image's shorter side, in (0,1].
    """
    length = max(1, round(side * min(images.shape[2:])))
    cell = torch.arange(length) * TAG_CELLS // length
    odd = (cell[:, None] + cell) % 2 == 1
    first, second = (torch.tensor(colour, dtype=torch.uint8)[:, None, None] for colour in TAG_COLOURS)
    tagged = images.clone()
    tagged[:, :, -length:, -length:] = torch.where(odd, second, first)
    return tagged


def watermark_alpha(height: int, width: int, text: str, font: Path | None) -> Tensor:
    """``(H,W)`` float in [0,1]: how much of each pixel the text covers.

    Place and size are those of ImageNet-W (Li et al. 2023, "A Whac-A-Mole Dilemma"), which writes 捷径捷径捷径 in
    Source Han Serif ExtraLight.

    Raises:
        ConfigurationError: the font cannot be read.
    """
    size = WATERMARK_SIZE * min(height, width)
    try:
        drawn = ImageFont.load_default(size) if font is None else ImageFont.truetype(str(font), size)
    except OSError as error:
        raise ConfigurationError(f"watermark_font={font} is not a font: {error}") from error
    picture = Image.new("L", (width, height))
    left, top = WATERMARK_PLACE
    ImageDraw.Draw(picture).text((left * width, top * height), text, fill=255, font=drawn)
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)


def write_watermark(images: Tensor, alpha: Tensor, opacity: float) -> Tensor:
    """Images under white text.

    Args:
        images: ``(B,3,H,W)`` uint8.
        alpha: ``(H,W)`` of ``watermark_alpha``.
        opacity: of the text in (0,1]; ImageNet-W's is 0.5.
    """
    cover = opacity * alpha
    return (images.float() * (1 - cover) + 255 * cover).round().to(torch.uint8)


def bounding_rectangle(alpha: Tensor) -> Tensor:
    """``(H,W)`` bool: the smallest rectangle around what is not 0 in ``alpha`` ``(H,W)``."""
    rows, columns = (alpha.amax(dim=dim).nonzero().flatten() for dim in (1, 0))
    mask = torch.zeros(alpha.shape, dtype=torch.bool)
    if len(rows):
        mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return mask


def blank(images: Tensor, masks: Tensor) -> Tensor:
    """Images whose masked pixels have the mean colour of the image.

    The mean colour and no constant one: a grey that never occurs is a cue of its own.

    Args:
        images: ``(B,3,H,W)`` uint8.
        masks: ``(B,H,W)`` bool.
    """
    mean = images.float().mean(dim=(2, 3), keepdim=True).round().to(torch.uint8)
    return torch.where(masks[:, None], mean, images)


def background_of(image: Tensor, mask: Tensor) -> Tensor | None:
    """A picture of an image's background alone: its largest strip beside the object, tiled.

    Xiao et al. 2021, "Noise or signal": Only-BG-T tiles the background over the object's box; here all is tiled.

    Args:
        image: ``(3,H,W)`` uint8.
        mask: ``(H,W)`` bool, true on the object.

    Returns:
        ``(3,H,W)`` uint8; None where no strip across the image is wide enough.
    """
    height, width = mask.shape
    rows, columns = mask.any(dim=1).nonzero().flatten().tolist(), mask.any(dim=0).nonzero().flatten().tolist()
    if not rows:
        return image.clone()
    strips = [
        image[:, : rows[0]],
        image[:, rows[-1] + 1 :],
        image[:, :, : columns[0]],
        image[:, :, columns[-1] + 1 :],
    ]
    strip = max(strips, key=lambda part: part.shape[1] * part.shape[2])
    if min(strip.shape[1:]) < max(1, STRIP * min(height, width)):
        return None
    down, across = torch.arange(height) % strip.shape[1], torch.arange(width) % strip.shape[2]
    return strip[:, down][:, :, across]


def paste_object(image: Tensor, mask: Tensor, background: Tensor) -> Tensor:
    """``(3,H,W)``: the masked pixels of ``image`` on ``background``."""
    return torch.where(mask, image, background)


def shuffle_patches(image: Tensor, patches: int, *, seed: int) -> Tensor:
    """An image cut into ``patches`` x ``patches`` tiles that are put together in another order.

    Tiles are as large as fit; the pixels left over at the right and bottom stay. No order leaves all as it was.

    Args:
        image: ``(3,H,W)`` uint8.
        patches: tiles a side, at least 2.
        seed: of the order.

    Raises:
        DataError: the image has fewer pixels than tiles a side.
    """
    pieces = cut_patches(image[None], patches)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(patches * patches, generator=generator)
    while torch.equal(order, torch.arange(patches * patches)):
        order = torch.randperm(patches * patches, generator=generator)
    return put_patches(image[None], pieces[:, order], patches)[0]

"""Global changes of colour: brightness, saturate and contrast."""

from functools import lru_cache

import torch
from torch import Tensor

from bench.corruptions.draws import Corruption, Draws, Parameters, Setting, sample_nothing
from bench.corruptions.rounding import look_up, steady
from bench.imaging.division import divide

BRIGHTNESS = Parameters(imagenet_c=(0.1, 0.2, 0.3, 0.4, 0.5), cifar10_c=(0.05, 0.1, 0.15, 0.2, 0.3))
"""Added to the value of HSV."""
SATURATE = Parameters(
    imagenet_c=((0.3, 0.0), (0.1, 0.0), (2.0, 0.0), (5.0, 0.1), (20.0, 0.2)),
    cifar10_c=((0.3, 0.0), (0.1, 0.0), (1.5, 0.0), (2.0, 0.1), (2.5, 0.2)),
)
"""Factor and offset of the saturation of HSV."""
CONTRAST = Parameters(imagenet_c=(0.4, 0.3, 0.2, 0.1, 0.05), cifar10_c=(0.75, 0.5, 0.4, 0.3, 0.15))


def _apply_brightness(images: Tensor, _draws: Draws, setting: Setting) -> Tensor:
    return brighten(images, setting.choose(BRIGHTNESS))


def brighten(images: Tensor, added: float) -> Tensor:
    """``(B,3,H,W)`` uint8 images with ``added``, in [-1,1], on the value of HSV, clipped to [0,1] and truncated."""
    if added == 0:  # all is whole levels, where the truncation follows the rounding of the way there and back
        return _from_hsv(*_to_hsv(images))
    # at a fixed hue and saturation, red, green and blue are proportional to the value: no way round by HSV is needed
    factor, low_bytes = _brightness_tables(added, images.device)
    brightest, darkest = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    brightened = images.mul(look_up(factor, brightest)).clamp_(0, 255).to(torch.uint8)
    pair = brightest.int().mul_(256).add_(darkest)
    low = low_bytes.index_select(0, pair.flatten()).view_as(pair)
    is_low = (images == darkest).view(torch.uint8).neg_()  # 255 where true
    return brightened.bitwise_and_(~is_low).bitwise_or_(is_low.bitwise_and_(low))


@lru_cache
def _brightness_tables(added: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """``(256,)`` float32 factor by the brightest channel, and ``(65536,)`` bytes of the darkest channel.

    The darkest channel often lands on a whole level (in grey and in white areas, above all), where the truncation
    follows the rounding of skimage.color's float64; it depends on two bytes only, and so is tabulated.
    """
    before = torch.arange(256, dtype=torch.float64) / 255
    after = (before + added).clamp(0, 1)
    factor = steady(after * 255) / torch.arange(256)
    factor[0] = 0  # black is grey: its channels are all the darkest
    delta = before[:, None] - before
    saturation = torch.where(delta == 0, 0.0, delta / before[:, None])
    low = (after[:, None] * (1 - saturation)).clamp(0, 1) * 255
    return factor.to(device), low.to(torch.uint8).flatten().to(device)


def _apply_saturate(images: Tensor, _draws: Draws, setting: Setting) -> Tensor:
    factor, offset = setting.choose(SATURATE)
    hue, saturation, value = _to_hsv(images)
    return _from_hsv(hue, (saturation * factor + offset).clamp_(0, 1), value)


def _to_hsv(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Float64 ``(B,H,W)`` hue, saturation and value in [0,1] of ``(B,3,H,W)`` uint8 images."""
    # float64, step by step as skimage.color does it: whole factors land on whole levels, where the truncation
    # follows the rounding of the reference
    value, low = (divide(bound.double(), 255) for bound in (images.amax(1), images.amin(1)))
    red, green, blue = (divide(images[:, channel].double(), 255) for channel in range(3))
    delta = value - low
    divisor = torch.where(delta == 0, 1.0, delta)
    hue = torch.where(red == value, (green - blue) / divisor, 0.0)
    hue = torch.where(green == value, (blue - red) / divisor + 2, hue)
    hue = torch.where(blue == value, (red - green) / divisor + 4, hue)
    hue = torch.where(delta == 0, 0.0, divide(hue, 6) % 1)
    saturation = torch.where(delta == 0, 0.0, delta / torch.where(value == 0, 1.0, value))
    return hue, saturation, value


def _from_hsv(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """``(B,3,H,W)`` uint8 from float64 ``(B,H,W)`` hue, saturation and value, truncated."""
    sector = torch.floor(hue * 6)
    share = hue * 6 - sector
    low = value * (1 - saturation)
    falling = value * (1 - share * saturation)
    rising = value * (1 - (1 - share) * saturation)
    candidates = torch.stack([value, low, falling, rising], 1).mul_(255).clamp_(0, 255).to(torch.uint8)
    # which of value, low, falling and rising each channel takes in the six sectors of the hue
    table = torch.tensor(
        [[0, 3, 1], [2, 0, 1], [1, 0, 3], [1, 2, 0], [3, 1, 0], [0, 1, 2]], dtype=torch.int64, device=hue.device
    )
    indices = table.index_select(0, sector.to(torch.int64).flatten() % 6).view(*hue.shape, 3).permute(0, 3, 1, 2)
    return candidates.gather(1, indices)


def _apply_contrast(images: Tensor, _draws: Draws, setting: Setting) -> Tensor:
    factor = setting.choose(CONTRAST)
    pixels = images.shape[2] * images.shape[3]
    mean = divide(images.flatten(2).sum(2, dtype=torch.int64).double(), pixels).mul_(1 - factor)
    return torch.add(mean.float()[..., None, None], images, alpha=factor).clamp_(0, 255).to(torch.uint8)


BRIGHTNESS_SHIFT = Corruption(sample_nothing, _apply_brightness)
SATURATION = Corruption(sample_nothing, _apply_saturate)
CONTRAST_LOSS = Corruption(sample_nothing, _apply_contrast)

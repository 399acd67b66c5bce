"""How corrupted images are made and shown: the published way, the same pixels for every classifier, or natively."""

from typing import Literal, get_args

from torch import Tensor

from bench.data import CropRecipe
from bench.errors import ConfigurationError, nearest_names
from bench.imaging.jpeg import round_trip
from bench.imaging.resize import resize_like_pillow

Protocol = Literal["published", "native"]
PUBLISHED: Protocol = "published"
Encoding = Literal["jpeg85", "none"]

IMAGENET_C_CROP = CropRecipe(height=224, width=224, crop_pct=0.875, crop_mode="center", interpolation="bilinear")
"""Resize to 256 and centre crop of 224 (hendrycks/robustness, ImageNet-C/create_c/make_imagenet_c.py, line 583)."""
CIFAR_10_C_CROP = CropRecipe(height=32, width=32, crop_pct=1.0, crop_mode="center", interpolation="bilinear")
"""The 32-pixel image as it is (hendrycks/robustness, ImageNet-C/create_c/make_cifar_c.py)."""
JPEG_QUALITY = 85
"""Of the published files (make_imagenet_c.py, line 119; facebookresearch/augmentation-corruption,
make_imagenet_c_bar.py, line 48)."""


def check_protocol(protocol: str, encode: str | None) -> None:
    """Refuse an unknown protocol or encoding, and an encoding that contradicts the protocol.

    Raises:
        ConfigurationError: naming the valid values.
    """
    for name, value, valid in (("protocol", protocol, get_args(Protocol)), ("encode", encode, get_args(Encoding))):
        if value is not None and value not in valid:
            raise ConfigurationError(f"unknown corruption {name} {value!r}: {nearest_names(value, valid)}")
    if protocol == "published" and encode is not None:
        raise ConfigurationError(
            f"encode={encode} needs protocol=native: under protocol=published the definition says how images are saved"
        )


def published_crop(definition: str) -> CropRecipe:
    """The recipe of the base images that a published set was made from."""
    return CIFAR_10_C_CROP if definition == "cifar10_c" else IMAGENET_C_CROP


def crop_to_corrupt(protocol: str, definition: str, own: CropRecipe) -> CropRecipe:
    """The recipe of the images that are corrupted: of the published base image, or the classifier's ``own``.

    Images that are crops already, and have the base image's size, are taken as they are.
    """
    base = published_crop(definition)
    is_base = own.crop_mode == "exact" and (own.height, own.width) == (base.height, base.width)
    return base if protocol == "published" and not is_base else own


def encoding_of(protocol: str, encode: str | None, definition: str) -> Encoding:
    """What corrupted images go through before they are shown: ``jpeg85`` or ``none``."""
    if protocol == "published":
        return "none" if definition == "cifar10_c" else "jpeg85"
    return "jpeg85" if encode == "jpeg85" else "none"


def as_shown(images: Tensor, encoding: str, input_size: tuple[int, int] | None) -> Tensor:
    """What the classifier sees of corrupted images: saved and read again, then resized to its input.

    Args:
        images: ``(B,3,H,W)`` uint8.
        encoding: ``jpeg85``, bytes as of Pillow's ``save(quality=85, optimize=True)``, or ``none``.
        input_size: height and width to resize to, as of Pillow's bicubic ``resize``; None for no resize.

    Returns:
        ``(B,3,*input_size)`` uint8, on the same device.
    """
    return fitted(saved(images, encoding), input_size)


def saved(images: Tensor, encoding: str) -> Tensor:
    """Images ``(B,3,H,W)`` uint8 as they are after they were saved and read again; ``encoding`` as of ``as_shown``."""
    return round_trip(images, JPEG_QUALITY) if encoding == "jpeg85" else images


def fitted(images: Tensor, input_size: tuple[int, int] | None) -> Tensor:
    """Images ``(B,3,H,W)`` uint8, resized as of ``as_shown``."""
    return images if input_size is None else resize_like_pillow(images, input_size)

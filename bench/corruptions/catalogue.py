"""The names of the corruptions, their families, and what a request for one must look like."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from bench.errors import ConfigurationError, DataError, nearest_names
from bench.records import Condition

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    "extra": ("speckle_noise", "gaussian_blur", "spatter", "saturate"),
}
"""Family to its corruptions, in the order of ImageNet-C; ``extra`` never enters the mCE."""

EXTRA_CORRUPTIONS: tuple[str, ...] = FAMILIES["extra"]
"""The 4 held-out corruptions, never part of the mCE."""

CORRUPTIONS: tuple[str, ...] = tuple(name for family, names in FAMILIES.items() if family != "extra" for name in names)
"""The 15 corruptions of ImageNet-C, in its order."""

SEVERITIES: tuple[int, ...] = (1, 2, 3, 4, 5)
"""The severities of every corruption."""

Definition = Literal["imagenet_c", "imagecorruptions"]
"""Whose definition: the script behind every published mCE, or the package; they differ in five corruptions."""

SMALLEST_SIDE = 32
"""Pixels an image needs on either side: below it the definitions degenerate, and the reference package refuses."""


def severity_of(condition: Condition) -> int:
    """The severity, 1 to 5, of a corruption condition.

    Raises:
        ConfigurationError: an unknown corruption, or a strength that is not one of the 5 severities.
    """
    known = CORRUPTIONS + EXTRA_CORRUPTIONS
    if condition.name not in known:
        raise ConfigurationError(f"no corruption named {condition.name!r}: {nearest_names(condition.name, known)}")
    if condition.strength not in SEVERITIES:
        raise ConfigurationError(
            f"{condition.name} has no severity {condition.strength:g}: choose a whole number from 1 to 5"
        )
    return int(condition.strength)


def check_definition(definition: str) -> None:
    """Refuse a definition that does not exist.

    Raises:
        ConfigurationError: neither ``imagenet_c`` nor ``imagecorruptions``.
    """
    known = get_args(Definition)
    if definition not in known:
        raise ConfigurationError(f"no corruption definition {definition!r}: {nearest_names(definition, known)}")


def check_request(images: Tensor, condition: Condition, seeds: Sequence[int]) -> int:
    """The severity asked for, once the request is known to be sound.

    Args:
        images: ``(B,3,H,W)`` uint8, both sides at least 32 pixels.
        condition: name of the corruption, and its severity 1-5 as the strength.
        seeds: ``B`` non-negative integers below ``2**63``.

    Raises:
        ConfigurationError: see `severity_of`.
        DataError: images of another type or shape, or seeds that do not match them.
    """
    severity = severity_of(condition)
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise DataError(
            f"corruptions take uint8 images of shape (B,3,H,W), not {images.dtype} of shape {tuple(images.shape)}"
        )
    height, width = images.shape[2:]
    if min(height, width) < SMALLEST_SIDE:
        raise DataError(f"corruptions need images of at least {SMALLEST_SIDE} pixels a side, not {height} x {width}")
    if len(seeds) != len(images):
        raise DataError(f"{len(images)} images need as many seeds, one an image, not {len(seeds)}")
    if any(not 0 <= seed < 2**63 for seed in seeds):
        raise DataError("seeds must lie in [0, 2**63): derive them with bench.seeding.derive_seed")
    return severity

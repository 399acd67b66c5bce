"""What a request to corrupt images must look like."""

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.corruptions.catalogue import CIFAR_SIDE, Definition, severity_of
from bench.errors import DataError
from bench.records import Condition

SMALLEST_SIDE = 32
"""Pixels an image needs on either side: below it the definitions degenerate, and the reference package refuses."""


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


def check_size(images: Tensor, definition: Definition) -> None:
    """Refuse images of a size that a definition does not have.

    Args:
        images: ``(B,3,H,W)``.
        definition: ``cifar10_c`` takes 32 x 32 alone; the others take any size.

    Raises:
        DataError: images of another size.
    """
    height, width = images.shape[2:]
    if definition == "cifar10_c" and (height, width) != (CIFAR_SIDE, CIFAR_SIDE):
        raise DataError(
            f"definition=cifar10_c takes images of {CIFAR_SIDE} x {CIFAR_SIDE}, not {height} x {width}: choose a"
            " classifier of that input size, or definition=imagenet_c"
        )

"""Division that rounds alike on every device."""

import torch
from torch import Tensor


def divide(values: Tensor, by: float) -> Tensor:
    """``values / by``, in place, rounded to the nearest as IEEE 754 asks.

    Torch divides a CUDA tensor by a Python number as it multiplies by the reciprocal, which is rounded once more: where
    a truncation to bytes follows, whole levels come out one too low. A divisor on the device is divided by.
    """
    return values.div_(torch.full((), by, dtype=values.dtype, device=values.device))


def bytes_to_pixels(images: Tensor) -> Tensor:
    """uint8 images as float32 in [0,1], on their device: the same pixels on every device."""
    return divide(images.float(), 255)

"""Pixels of a batch gathered by row and column, each image by its own."""

import torch
from torch import Tensor


def take_pixels(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """``(B,C,h,w)``, laid out channels-last: where ``(B,h)`` rows and ``(B,w)`` columns of each image meet."""
    which = torch.arange(len(images), device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)

"""Deletion and insertion: does the class probability follow the pixels a map calls important (Petsiuk et al. 2018)?"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from bench.errors import ConfigurationError

BLUR_SIDE, BLUR_SIGMA = 11, 5.0
"""Of the image that insertion starts from; in pixels. The authors' own: https://github.com/eclique/RISE."""


class Curves(NamedTuple):
    """The class probability along a path of images, and the area below it."""

    fractions: Tensor
    """``(steps + 1,)`` share of the pixels that were changed, 0 to 1."""
    probabilities: Tensor
    """``(B, steps + 1)`` softmax probability of the target class."""

    @property
    def area(self) -> Tensor:
        """``(B,)`` area below each curve (trapezoids), in [0,1]."""
        return torch.trapezoid(self.probabilities, self.fractions, dim=1)


def deletion(
    classifier: nn.Module, images: Tensor, targets: Tensor, maps: Tensor, *, steps: int = 224, baseline: Tensor | float
) -> Curves:
    """Probability of the target class as pixels are blanked, the most important first; a small area is good.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        images: ``(B,3,H,W)`` in [0,1].
        targets: ``(B,)`` classes.
        maps: ``(B,H,W)`` attributions; equal values go in row order.
        steps: how many equal lots the pixels are blanked in; the authors blank 224 at a time of 224 x 224.
        baseline: what blank pixels become, in [0,1]: a grey level, or colours that broadcast to the images. The
            authors' is zero after normalisation, which is ``classifier.mean``.

    Raises:
        ConfigurationError: maps and images do not match, or there are fewer pixels than steps.
    """
    blank = torch.as_tensor(baseline, dtype=images.dtype, device=images.device).expand_as(images)
    return _walk(classifier, images, blank, targets, maps, steps)


def insertion(
    classifier: nn.Module, images: Tensor, targets: Tensor, maps: Tensor, *, steps: int = 224, baseline: Tensor | float
) -> Curves:
    """Probability of the target class as a blurred image gets its pixels back; a large area is good.

    Arguments, result and errors are those of ``deletion``; ``baseline`` is what lies around the image when it is
    blurred.
    """
    around = torch.as_tensor(baseline, dtype=images.dtype, device=images.device).expand_as(images)
    return _walk(classifier, around + _blur(images - around), images, targets, maps, steps)


def _blur(images: Tensor) -> Tensor:
    """The authors' blur: a Gaussian folded back into its window, and zeros around the image."""
    spot = np.zeros((BLUR_SIDE, BLUR_SIDE))
    spot[BLUR_SIDE // 2, BLUR_SIDE // 2] = 1
    kernel = torch.from_numpy(gaussian_filter(spot, BLUR_SIGMA)).to(images)
    channels = images.shape[1]
    return F.conv2d(images, kernel.expand(channels, 1, -1, -1), padding=BLUR_SIDE // 2, groups=channels)


@torch.no_grad()
def _walk(classifier: nn.Module, start: Tensor, finish: Tensor, targets: Tensor, maps: Tensor, steps: int) -> Curves:
    """Exchange the pixels of ``start`` for those of ``finish`` in the order of the maps."""
    if maps.shape != start[:, 0].shape:
        raise ConfigurationError(f"maps of shape {tuple(maps.shape)} do not fit images of {tuple(start.shape)}")
    pixels = maps[0].numel()
    if not 1 <= steps <= pixels:
        raise ConfigurationError(f"steps is {steps}, but an image has {pixels} pixels to exchange")
    order = maps.flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1).view_as(maps)[:, None]
    probabilities = []
    changed = [round(step * pixels / steps) for step in range(steps + 1)]
    for count in changed:
        logits = classifier(torch.where(rank < count, finish, start))
        probabilities.append(logits.softmax(dim=1).gather(1, targets[:, None].to(logits.device)).squeeze(1))
    fractions = torch.tensor(changed, dtype=torch.float32, device=start.device) / pixels
    return Curves(fractions, torch.stack(probabilities, dim=1))

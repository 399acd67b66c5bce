"""The parts of a dataset's images that excite a unit most: what it sees, cropped to its receptive field."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.explain.units import Unit, feature_maps, unit_maps
from bench.models import Classifier

NOISE_IMAGES = 4


@dataclass(frozen=True)
class Patch:
    """One place in one image."""

    position: int
    """Of the image in the dataset."""
    activation: float
    """The unit's, at that place."""
    box: tuple[int, int, int, int]
    """Left, top, right and bottom in pixels; right and bottom are outside."""
    pixels: Tensor
    """``(3,h,w)`` in [0,1]: the box's part of the image."""


def receptive_field(
    classifier: Classifier, size: tuple[int, int], layer: str, place: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The smallest box of pixels that can move any channel of a layer at one place of its map.

    By the gradient of all channels, with random weights so that none cancel, on noise: a rectifier that is shut for
    one channel or image is open for others, so what is left is what kernels, strides and attention allow.

    Args:
        classifier: whose.
        size: height and width of its images.
        layer: one whose output is a map.
        place: row and column in the map.

    Returns:
        Left, top, right and bottom in pixels; right and bottom are outside.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand((NOISE_IMAGES, 3, *size), generator=generator).to(classifier.mean.device)
    with torch.enable_grad():
        leaf = noise.requires_grad_()
        features = feature_maps(classifier, leaf, [layer])[layer][:, :, place[0], place[1]]
        weights = torch.randn(features.shape, generator=generator).to(features)
        (gradient,) = torch.autograd.grad((features * weights).sum(), leaf)
    touched = gradient.ne(0).any(dim=1).any(dim=0)
    rows, columns = touched.any(dim=1).nonzero().flatten(), touched.any(dim=0).nonzero().flatten()
    if not len(rows):
        return 0, 0, size[1], size[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def exciting_patches(
    classifier: Classifier, batches: Iterable[tuple[int, Tensor]], unit: Unit, count: int
) -> list[Patch]:
    """The ``count`` images with the strongest activation of ``unit`` anywhere, each cropped to where it is.

    Args:
        classifier: whose.
        batches: position of the first image, and ``(B,3,H,W)`` in [0,1].
        unit: of a layer that is a map.
        count: at most one patch an image.

    Returns:
        Strongest first; among equals, as a saturated rectifier makes them, the one with more of it.
    """
    found: list[tuple[float, float, int, tuple[int, int], Tensor]] = []
    for first, images in batches:
        with torch.no_grad():
            features = unit_maps(classifier, images, unit)
        peaks, places = features.flatten(1).max(dim=1)
        width = features.shape[2]
        found += [
            (float(peak), float(features[row].mean()), first + row, divmod(int(place), width), images[row])
            for row, (peak, place) in enumerate(zip(peaks, places, strict=True))
        ]
        found = sorted(found, key=lambda item: (-item[0], -item[1], item[2]))[:count]
    patches = []
    for activation, _, position, place, image in found:
        left, top, right, bottom = receptive_field(classifier, (image.shape[1], image.shape[2]), unit.layer, place)
        patches.append(Patch(position, activation, (left, top, right, bottom), image[:, top:bottom, left:right]))
    return patches

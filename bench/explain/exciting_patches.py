"""The parts of a dataset's images that excite a unit most: what it sees, cropped to its receptive field."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.explain.units import Unit, feature_maps, units_maps
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
    classifier: Classifier, batches: Iterable[tuple[int, Tensor]], units: Sequence[Unit], count: int
) -> list[list[Patch]]:
    """For each unit the ``count`` images that excite it most anywhere, each cropped to where that is.

    Args:
        classifier: whose.
        batches: position of the first image, and ``(B,3,H,W)`` in [0,1]; read once for all units.
        units: of layers that are maps.
        count: at most one patch an image.

    Returns:
        A list a unit, strongest first; among equals, as a saturated rectifier makes them, the one with more of it.

    Raises:
        ConfigurationError: a layer has fewer channels than a unit asks for.
    """
    peaks_by_unit: list[list[_Peak]] = [[] for _ in units]
    for first, images in batches:
        with torch.no_grad():
            maps = units_maps(classifier, images, units)
        for peaks, activations in zip(peaks_by_unit, maps, strict=True):
            peaks += _peaks(activations, first, images)
            peaks.sort(key=lambda peak: (-peak.activation, -peak.mean, peak.position))
            del peaks[count:]
    return [[_crop(classifier, unit, peak) for peak in peaks] for unit, peaks in zip(units, peaks_by_unit, strict=True)]


@dataclass(frozen=True)
class _Peak:
    activation: float
    mean: float
    position: int
    place: tuple[int, int]
    image: Tensor


def _peaks(activations: Tensor, first: int, images: Tensor) -> list[_Peak]:
    """The strongest place of each ``(B,h,w)`` map."""
    strongest, places = activations.flatten(1).max(dim=1)
    width = activations.shape[2]
    return [
        _Peak(float(peak), float(activations[row].mean()), first + row, divmod(int(place), width), images[row])
        for row, (peak, place) in enumerate(zip(strongest, places, strict=True))
    ]


def _crop(classifier: Classifier, unit: Unit, peak: _Peak) -> Patch:
    size = peak.image.shape[1], peak.image.shape[2]
    left, top, right, bottom = receptive_field(classifier, size, unit.layer, peak.place)
    return Patch(peak.position, peak.activation, (left, top, right, bottom), peak.image[:, top:bottom, left:right])

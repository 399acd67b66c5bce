"""Units of a network: one channel of one layer, or one class."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.errors import ConfigurationError
from bench.explain.layer_taps import LayerTaps, check_layers
from bench.models import Classifier

MOST_STAGES = 6
WRITTEN = re.compile(r"(?P<layer>[\w.]+):(?P<channel>\d+)")


@dataclass(frozen=True)
class Unit:
    """A channel of a layer."""

    layer: str
    """Module name within ``classifier.network``."""
    channel: int
    """From 0."""

    def __str__(self) -> str:
        return f"{self.layer}:{self.channel}"


def read_unit(classifier: Classifier, text: str) -> Unit:
    """``blocks.3.0.bn1:12``, as a user writes it.

    Raises:
        ConfigurationError: not of that form, or no such layer; the message names the nearest.
    """
    match = WRITTEN.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"unit {text!r} is not LAYER:CHANNEL, such as layer4:12")
    check_layers(classifier.network, [match["layer"]])
    return Unit(match["layer"], int(match["channel"]))


def stage_layers(classifier: Classifier) -> tuple[str, ...]:
    """The layers at the ends of the stages that timm lists, from the image upwards; six of a transformer's blocks.

    Raises:
        ConfigurationError: timm lists no stages of the network.
    """
    network = classifier.network
    names = {name for name, _ in network.named_modules()}
    stages = [stage["module"] for stage in getattr(network, "feature_info", []) if stage["module"] in names]
    if not stages:
        raise ConfigurationError(
            f"timm lists no stages of {type(network).__name__}: name units=[LAYER:CHANNEL,...] and layer=LAYER"
        )
    if len(stages) <= MOST_STAGES:
        return tuple(stages)
    return tuple(stages[round(place * (len(stages) - 1) / (MOST_STAGES - 1))] for place in range(MOST_STAGES))


def units_maps(classifier: Classifier, images: Tensor, units: Sequence[Unit]) -> list[Tensor]:
    """The activations of each unit, ``(B,h,w)``, from one pass; differentiable.

    Raises:
        ConfigurationError: a layer has fewer channels.
    """
    features = feature_maps(classifier, images, list(dict.fromkeys(unit.layer for unit in units)))
    for unit in units:
        channels = features[unit.layer].shape[1]
        if unit.channel >= channels:
            raise ConfigurationError(f"{unit.layer} has {channels} channels: {unit} is not one of them")
    return [features[unit.layer][:, unit.channel] for unit in units]


def feature_maps(classifier: Classifier, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """The maps of some layers.

    Args:
        classifier: whose.
        images: ``(B,3,H,W)`` in [0,1].
        layers: module names.

    Returns:
        Layer -> ``(B,C,h,w)``.

    Raises:
        ConfigurationError: a layer's output is no map of an image.
    """
    with LayerTaps(classifier, tuple(layers)) as taps:
        return {name: features.clone() for name, features in taps.maps(images).items()}


def unit_scores(classifier: Classifier, images: Tensor, unit: Unit) -> Tensor:
    """``(B,)`` the unit's activation, its mean over positions; differentiable.

    Raises:
        ConfigurationError: the layer has fewer channels.
    """
    [activations] = units_maps(classifier, images, [unit])
    return activations.mean(dim=(1, 2))


def unit_gradients(classifier: Classifier, images: Tensor, unit: Unit) -> Tensor:
    """The gradient ``(B,3,H,W)`` of the unit's mean activation with respect to the pixels, signed."""
    with torch.enable_grad():
        leaf = images.detach().clone().requires_grad_()
        (gradients,) = torch.autograd.grad(unit_scores(classifier, leaf, unit).sum(), leaf)
    return gradients


def strongest_units(features: Tensor, count: int) -> list[int]:
    """The channels of ``(B,C,h,w)`` by their largest activation, strongest first.

    Where a rectifier that saturates (ReLU6) makes many equal, the more selective come first: those of smaller mean.
    """
    peaks, means = features.amax(dim=(0, 2, 3)), features.mean(dim=(0, 2, 3))
    order = sorted(range(len(peaks)), key=lambda channel: (-float(peaks[channel]), float(means[channel])))
    return order[:count]

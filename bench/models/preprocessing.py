"""What a torchvision or timm transform does to an image, as a crop recipe and a normalisation."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from bench.data.crop import CropRecipe
from bench.errors import ConfigurationError

TO_TENSOR = ("ToTensor", "PILToTensor", "ToImage", "MaybeToTensor", "MaybePILToTensor", "ConvertImageDtype", "ToDtype")
"""Transforms that change the type of an image and nothing else, by class name."""


@dataclass(frozen=True)
class Preprocessing:
    """From an image file to what a network takes."""

    crop: CropRecipe
    """Resize and crop."""
    mean: tuple[float, ...]
    """Per channel, in [0,1] units."""
    std: tuple[float, ...]
    """Per channel, in [0,1] units."""


def read_transform(transform: Callable[..., Any]) -> Preprocessing:
    """The preprocessing that an evaluation transform stands for.

    Args:
        transform: ``weights.transforms()`` of torchvision, or a ``Compose`` of Resize, CenterCrop, a conversion to a
            tensor and Normalize, as timm and torchvision make it.

    Raises:
        ConfigurationError: it does something else, which is named.
    """
    if all(hasattr(transform, name) for name in ("crop_size", "resize_size", "mean", "std", "interpolation")):
        return _of_preset(transform)
    steps = getattr(transform, "transforms", None)
    if steps is None:
        raise ConfigurationError(
            f"cannot read the preprocessing of a {type(transform).__name__}: give weights.transforms() of torchvision,"
            " a Compose of Resize, CenterCrop, ToTensor and Normalize, or mean=, std= and input_size="
        )
    return _of_steps(list(steps))


def resize_and_crop(resize: int, size: tuple[int, int], interpolation: str) -> CropRecipe:
    """Resize the shorter side to ``resize`` pixels, then crop ``size`` (height, width) from the centre.

    Raises:
        ConfigurationError: the crop is larger than the resized image.
    """
    side = max(size)
    if resize < side:
        raise ConfigurationError(f"a crop of {side} pixels does not fit in an image resized to {resize}")
    share = side / resize
    if math.floor(side / share) < resize:  # timm rounds down, and float division may fall short of a whole number
        share = math.nextafter(share, 0)
    return CropRecipe(*size, crop_pct=share, crop_mode="center", interpolation=interpolation)


def _of_preset(preset: Any) -> Preprocessing:
    crop, resize = _one(preset.crop_size), _one(preset.resize_size)
    recipe = resize_and_crop(resize, (crop, crop), _name(preset.interpolation))
    return Preprocessing(recipe, tuple(map(float, preset.mean)), tuple(map(float, preset.std)))


def _of_steps(steps: Sequence[Any]) -> Preprocessing:
    resize: tuple[int, str] | None = None
    size: tuple[int, int] | None = None
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    for step in steps:
        kind = type(step).__name__
        if kind == "Resize":
            resize = _one(step.size), _name(step.interpolation)
        elif kind in ("CenterCrop", "CenterCropOrPad"):
            size = _pair(step.size)
        elif kind == "Normalize":
            mean, std = (_three(value) for value in (step.mean, step.std))
        elif kind not in TO_TENSOR:
            raise ConfigurationError(
                f"the transform has a step that is no resize, centre crop or normalisation: {kind}; give mean=, std="
                " and input_size= instead"
            )
    if size is None:
        raise ConfigurationError("the transform has no CenterCrop, so its input size is not known: give input_size=")
    if resize is None:
        raise ConfigurationError("the transform has no Resize, so images of other sizes have no crop: give input_size=")
    return Preprocessing(resize_and_crop(resize[0], size, resize[1]), mean, std)


def _name(interpolation: Any) -> str:
    return str(getattr(interpolation, "value", interpolation))


def _pair(size: Any) -> tuple[int, int]:
    return (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[-1]))


def _one(size: Any) -> int:
    sides = set(_pair(size)) if not isinstance(size, int) else {size}
    if len(sides) > 1:
        raise ConfigurationError(f"a resize to {tuple(size)} changes the shape of images: give input_size= instead")
    return int(sides.pop())


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in torch.as_tensor(values).flatten().expand(3))
    return red, green, blue


def timm_preprocessing(data_config: Mapping[str, Any]) -> Preprocessing:
    """What ``timm.data.resolve_model_data_config`` returns."""
    mean, std = tuple(data_config["mean"]), tuple(data_config["std"])
    return Preprocessing(CropRecipe.from_timm(data_config), mean, std)

"""What a torchvision or timm transform does to an image, as a crop recipe and a normalisation."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from bench.configs import ModelConfig
from bench.data.crop import CropRecipe
from bench.errors import ConfigurationError, nearest_names

USUAL_CROP_SHARE = 0.875
"""Of the resized image, where an input size alone is known: resize to 256, crop 224."""
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")
"""Pillow's filters, by the names of timm and torchvision."""

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


def pixels_of_size(size: tuple[int, int]) -> Preprocessing:
    """That of a network of which the input size (height, width) alone is known: pixels in [0,1], the usual crop."""
    crop = resize_and_crop(round(max(size) / USUAL_CROP_SHARE), size, "bilinear")
    return Preprocessing(crop, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def with_settings(stated: Preprocessing | None, config: ModelConfig) -> Preprocessing:
    """The preprocessing that a source states, with what the config sets in its place.

    Args:
        stated: the source's; None where it states none, and the network takes pixels in [0,1] at ``input_size``.
        config: ``mean``, ``std``, ``input_size``, ``crop_pct`` and ``interpolation`` are read.

    Raises:
        ConfigurationError: a value out of range, or an input size that nobody states.
    """
    size = read_size(config.input_size)
    if stated is None:
        if size is None:
            raise ConfigurationError(
                f"the input size of {config.name} is not known: give model.input_size=PIXELS, and model.mean and"
                " model.std unless the network takes pixels in [0,1]"
            )
        stated = pixels_of_size(size)
    crop = stated.crop
    if crop.crop_mode == "exact" and (size or config.crop_pct or config.interpolation):
        crop = replace(crop, crop_mode="center", interpolation="bilinear")
    if size is not None:
        crop = replace(crop, height=size[0], width=size[1])
    if config.crop_pct is not None:
        if not 0 < config.crop_pct <= 1:
            raise ConfigurationError(f"model.crop_pct is above 0 and at most 1, not {config.crop_pct:g}")
        crop = replace(crop, crop_pct=config.crop_pct)
    if config.interpolation is not None:
        if config.interpolation not in INTERPOLATIONS:
            hint = nearest_names(config.interpolation, INTERPOLATIONS)
            raise ConfigurationError(f"unknown model.interpolation={config.interpolation}: {hint}")
        crop = replace(crop, interpolation=config.interpolation)
    mean, std = _channels("mean", config.mean, stated.mean), _channels("std", config.std, stated.std)
    if min(std) <= 0:
        raise ConfigurationError(f"model.std={list(std)}: every value is above 0")
    return Preprocessing(crop, mean, std)


def read_size(value: Any) -> tuple[int, int] | None:
    """Height and width of an input size as the configuration gives it; None for none.

    Raises:
        ConfigurationError: neither a whole number of pixels nor two of them.
    """
    if value is None:
        return None
    sides = [value, value] if isinstance(value, int) and not isinstance(value, bool) else value
    whole = isinstance(sides, Sequence) and all(isinstance(side, int) and side > 0 for side in sides)
    if not whole or isinstance(sides, str) or len(sides) != 2:
        raise ConfigurationError(f"model.input_size={value}: give a side in pixels, or [height,width]")
    return int(sides[0]), int(sides[1])


def _channels(name: str, given: Sequence[float] | None, stated: Sequence[float]) -> tuple[float, ...]:
    if given is None:
        return tuple(stated)
    values = tuple(float(value) for value in given)
    if len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise ConfigurationError(f"model.{name}={list(values)}: give three numbers, [RED,GREEN,BLUE]")
    if name == "mean" and max(values) > 1:
        scaled = ",".join(f"{value / 255:.4g}" for value in values)
        raise ConfigurationError(f"model.mean={list(values)} is in units of [0,1], not of 0 to 255: give [{scaled}]")
    return values

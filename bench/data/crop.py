"""The recipe from an encoded image to a classifier's uint8 crop."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from timm.data import create_transform
from torch import Tensor
from torchvision.transforms import CenterCrop

from bench.errors import ConfigurationError, DataError

_KEY = re.compile(r"(\d+)x(\d+)-([a-z_]+)-([0-9.e+-]+?)-([a-z_]+)(?:-(\d+_\d+_\d+))?(?:-without(\d+))?")


@dataclass(frozen=True)
class CropRecipe:
    """Resize and crop exactly as timm's evaluation transform does, stopping before normalisation.

    The mode ``exact`` does neither: it is for images that have the size already.
    """

    height: int
    """Pixels."""
    width: int
    """Pixels."""
    crop_pct: float
    """Share of the resized image's side that the crop keeps, in (0,1]."""
    crop_mode: str
    """``center``, ``squash``, ``border``, ``exact``, or ``center_down``: as ``center``, but an offset of the crop
    that is not whole is rounded down, as transformers does; torchvision rounds it to even."""
    interpolation: str
    """``bilinear``, ``bicubic``, ...; ``none`` of the mode ``exact``."""
    fill: tuple[int, int, int] | None = None
    """Padding colour in 0-255; ``border`` mode only."""
    border: int = 0
    """Pixels that are cut off each side first."""

    @staticmethod
    def exact(side: int) -> "CropRecipe":
        """Square images of ``side`` pixels as they are; others are refused."""
        return CropRecipe(side, side, crop_pct=1.0, crop_mode="exact", interpolation="none")

    @staticmethod
    def from_timm(data_config: Mapping[str, Any]) -> "CropRecipe":
        """The recipe in what ``timm.data.resolve_model_data_config`` returns.

        Raises:
            ConfigurationError: the model does not read three colour channels.
        """
        channels, height, width = data_config["input_size"]
        if channels != 3:
            raise ConfigurationError(f"the model reads {channels} channels; only RGB classifiers can be benchmarked")
        mode = data_config.get("crop_mode") or "center"
        red, green, blue = (round(255 * value) for value in data_config["mean"])
        fill = (red, green, blue) if mode == "border" else None
        return CropRecipe(height, width, data_config["crop_pct"], mode, data_config["interpolation"], fill)

    @staticmethod
    def from_key(key: str) -> "CropRecipe":
        """The recipe whose ``key`` this is.

        Raises:
            DataError: no recipe has this key.
        """
        found = _KEY.fullmatch(key)
        if found is not None:
            height, width, mode, share, interpolation, fill, border = found.groups()
            colours = [int(value) for value in (fill or "").split("_") if value]
            padding = (colours[0], colours[1], colours[2]) if colours else None
            sides, cut = (int(height), int(width)), int(border or 0)
            recipe = CropRecipe(*sides, float(share), mode, interpolation, padding, cut)
            if recipe.key == key:
                return recipe
        raise DataError(f"{key!r} is not the key of a crop")

    @property
    def key(self) -> str:
        """Text that identifies the recipe, fit for a file name: ``224x224-center-0.875-bicubic``."""
        fill = "" if self.fill is None else "-" + "_".join(map(str, self.fill))
        border = f"-without{self.border}" if self.border else ""
        return f"{self.height}x{self.width}-{self.crop_mode}-{self.crop_pct:g}-{self.interpolation}{fill}{border}"

    def __call__(self, image: Image.Image) -> NDArray[np.uint8]:
        """The ``(3,H,W)`` crop of an image of any mode.

        Raises:
            ValueError: in the mode ``exact``, an image of another size; or one that is all border.
        """
        if self.border:
            image = self._without_border(image)
        if self.crop_mode == "exact":
            return self._unchanged(image)
        crop: NDArray[np.uint8] = _transform(self)(image.convert("RGB")).numpy()
        return crop

    def _without_border(self, image: Image.Image) -> Image.Image:
        if min(image.size) <= 2 * self.border:
            raise ValueError(f"it has {image.width} x {image.height} pixels, and a border of {self.border} is cut off")
        return ImageOps.crop(image, self.border)

    def _unchanged(self, image: Image.Image) -> NDArray[np.uint8]:
        if image.size != (self.width, self.height):
            raise ValueError(
                f"it has {image.width} x {image.height} pixels; without a resize only {self.width} x {self.height} can"
                " be shown"
            )
        return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))


@lru_cache(maxsize=16)
def _transform(recipe: CropRecipe) -> Callable[[Image.Image], Tensor]:
    down = recipe.crop_mode == "center_down"
    transform = create_transform(
        input_size=(3, recipe.height, recipe.width),
        crop_pct=recipe.crop_pct,
        crop_mode="center" if down else recipe.crop_mode,
        interpolation=recipe.interpolation,
        use_prefetcher=True,  # ends in uint8 instead of a normalised tensor
        mean=tuple(value / 255 for value in recipe.fill or (0, 0, 0)),  # pads; nothing is normalised here
    )
    if down:
        transform.transforms = [
            _CropDown(*step.size) if isinstance(step, CenterCrop) else step for step in transform.transforms
        ]
    made: Callable[[Image.Image], Tensor] = transform
    return made


@dataclass(frozen=True)
class _CropDown:
    """A crop of the centre whose offsets are rounded down."""

    height: int
    width: int

    def __call__(self, image: Image.Image) -> Image.Image:
        left, top = (image.width - self.width) // 2, (image.height - self.height) // 2
        return image.crop((left, top, left + self.width, top + self.height))

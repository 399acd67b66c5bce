"""What an image processor of transformers does to an image, as a crop recipe and a normalisation."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.data.crop import CropRecipe
from bench.errors import ConfigurationError
from bench.models.preprocessing import Preprocessing, resize_and_crop

Processor = Callable[..., Any]
"""``processor(image, return_tensors="np")["pixel_values"]`` is ``(1,3,H,W)``."""

PROBE_SIZES = ((300, 420), (417, 310))
"""Height and width of the images that a recipe has to agree on with the processor: one wide, one tall."""
TOLERANCE = 2 / 255
"""Mean difference of a pixel, in [0,1] units; resizes of Pillow and torchvision differ by less than one level, and a
crop that is off by one pixel by several."""
CONVNEXT_WARPS_FROM = 384
"""Side from which ConvNeXT's processor changes the aspect ratio instead of cropping (transformers, ``convnext``)."""
LEVIT_RESIZE = 256 / 224
"""Of the shortest edge, in LeViT's processor (transformers, ``levit``)."""
WHY_NOT = {
    "do_flip_channel_order": "it swaps red and blue",
    "do_pad": "it pads the image",
    "do_thumbnail": "it makes a thumbnail",
    "rescale_offset": "it shifts pixels beside scaling them",
}
"""Settings that no recipe has, and what they do."""


def read_processor(processor: Processor, name: str) -> Preprocessing:
    """The preprocessing that a processor stands for.

    Its settings say which recipes it may be. Which it is, is seen by running it: on black and white images for the
    normalisation, and on two others, which the recipe has to show in the same way.

    Args:
        processor: see ``Processor``.
        name: of the model, for messages.

    Raises:
        ConfigurationError: it does something other than resize, crop and normalise; the message says what it is, where
            its settings do.
    """
    mean, std = _normalisation(processor, name)
    probes = [_probe(*size) for size in PROBE_SIZES]
    expected = [_run(processor, probe, name) for probe in probes]
    for recipe in _recipes(processor, expected[0].shape[1:]):
        shown = [(recipe(probe) / 255 - mean[:, None, None]) / std[:, None, None] for probe in probes]
        agrees = all(
            ours.shape == theirs.shape and np.abs((ours - theirs) * std[:, None, None]).mean() < TOLERANCE
            for ours, theirs in zip(shown, expected, strict=True)
        )
        if agrees:
            return Preprocessing(recipe, tuple(map(float, mean)), tuple(map(float, std)))
    raise ConfigurationError(
        f"{name}: its {type(processor).__name__} does something other than resize, crop and normalise"
        f" ({_reason(processor)}), which no crop recipe has"
    )


def _normalisation(processor: Processor, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation per channel: those of the settings where black and white come out as they say."""
    size = (PROBE_SIZES[0][1], PROBE_SIZES[0][0])
    black = _run(processor, Image.new("RGB", size, (0, 0, 0)), name).mean(axis=(1, 2))
    white = _run(processor, Image.new("RGB", size, (255, 255, 255)), name).mean(axis=(1, 2))
    if not (white > black).all():
        raise ConfigurationError(f"{name}: its {type(processor).__name__} gives white no larger values than black")
    std = 1 / (white - black)
    mean = -black * std
    stated = [
        np.array(getattr(processor, key, None) or np.nan, dtype=float) * np.ones(3)
        for key in ("image_mean", "image_std")
    ]
    if np.allclose(stated[0], mean, atol=1e-4) and np.allclose(stated[1], std, atol=1e-4):
        return stated[0], stated[1]
    return mean.round(9), std.round(9)


def _recipes(processor: Any, shape: tuple[int, ...]) -> Iterator[CropRecipe]:
    """What the settings may mean: transformers has no one meaning of ``size`` for all its processors."""
    height, width = shape
    filter_ = getattr(processor, "resample", None)
    interpolation = Image.Resampling(Image.Resampling.BILINEAR if filter_ is None else int(filter_)).name.lower()
    size = {key: value for key, value in dict(getattr(processor, "size", None) or {}).items() if value}
    crop_pct = getattr(processor, "crop_pct", None)
    edge = size.get("shortest_edge")
    if edge is not None:
        resized = [int(edge), int(LEVIT_RESIZE * edge)]
        if crop_pct and edge < CONVNEXT_WARPS_FROM:
            resized.insert(0, int(edge / crop_pct))
        for side in resized:
            if side >= max(height, width):
                yield replace(resize_and_crop(side, (height, width), interpolation), crop_mode="center_down")
    if crop_pct:  # PoolFormer: an edge of int(size / crop_pct)
        yield CropRecipe(height, width, crop_pct, "center_down", interpolation)
    share = height / size["height"] if size.get("height") else 1.0
    if share <= 1:
        yield CropRecipe(height, width, _rounded_down(height, share), "squash", interpolation)


def _rounded_down(side: int, share: float) -> float:
    """``share``, or the next number below it where timm would round the resized side down by a pixel."""
    return share if math.floor(side / share) >= round(side / share) else math.nextafter(share, 0)


def _probe(height: int, width: int) -> Image.Image:
    """A smooth image, each channel of its own, whose every shift and scale shows."""
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(columns / 31), np.cos(rows / 23), np.sin((rows + columns) / 41)]
    slopes = [rows / height, columns / width, 1 - rows / height]
    channels = [0.5 + 0.2 * wave + 0.5 * (slope - 0.5) for wave, slope in zip(waves, slopes, strict=True)]
    return Image.fromarray((np.stack(channels, axis=-1) * 255).astype(np.uint8))


def _run(processor: Processor, image: Image.Image, name: str) -> NDArray[np.float64]:
    try:
        pixels = np.asarray(processor(image, return_tensors="np")["pixel_values"], dtype=np.float64)
    except Exception as error:  # whatever the processor's own code raises
        message = " ".join(str(error).split())[:300]
        raise ConfigurationError(f"{name}: its image processor fails: {type(error).__name__}: {message}") from error
    if pixels.ndim != 4 or pixels.shape[:2] != (1, 3):
        raise ConfigurationError(f"{name}: its image processor returns {pixels.shape} for one image, not (1,3,H,W)")
    first: NDArray[np.float64] = pixels[0]
    return first


def _reason(processor: Any) -> str:
    reasons = [reason for setting, reason in WHY_NOT.items() if getattr(processor, setting, False)]
    size = dict(getattr(processor, "size", None) or {})
    return "; ".join(reasons) or f"its size is { ({key: value for key, value in size.items() if value}) }"

"""Encoded bytes to crops, in DataLoader workers; what does not decode is named, never guessed at."""

import hashlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from bench.data.crop import CropRecipe
from bench.data.dataset import Dataset
from bench.errors import DataError

MAX_ASPECT_RATIO = 1000
"""Long side over short side: beyond it, resizing the short side to a crop's size would fill the memory."""


@dataclass(frozen=True)
class Decoded:
    """One image."""

    crop: NDArray[np.uint8]
    """``(3,H,W)``."""
    content: str
    """Digest of the encoded bytes."""


@dataclass(frozen=True)
class BadImage:
    """A file that is truncated, no image, or larger than any picture has reason to be."""

    reason: str
    """In one line."""


def decode_one(dataset: Dataset, recipe: CropRecipe, position: int) -> Decoded | BadImage:
    """Read, decode and crop one image.

    Raises:
        DataError: the file cannot be read just now, which says nothing about the image.
    """
    try:
        encoded = dataset.read_bytes(position)
    except OSError as error:
        raise DataError(f"cannot read {dataset.image_ids[position]} of {dataset.name}: {error}") from error
    try:
        crop = recipe(_decode(encoded))
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error on hostile bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        return BadImage("not an image" if isinstance(error, UnidentifiedImageError) else reason[:200])
    return Decoded(crop, hashlib.blake2b(encoded, digest_size=16).hexdigest())


def _decode(encoded: bytes) -> Image.Image:
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # another package may have set it; half an image is not an image
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(encoded))
        if max(image.size) > MAX_ASPECT_RATIO * min(image.size):
            raise ValueError(f"{image.width} x {image.height} pixels is too thin to crop")
        return _to_rgb(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Eight bits a channel; Pillow's own conversion of deep pictures clips them, most of the picture to white.

    Alpha is dropped and EXIF rotation left alone, as torchvision's and timm's loaders do.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        deep = np.asarray(image, dtype=np.uint32)
        return Image.fromarray(((deep * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode} have no known range: convert the file to 8 or 16 bits a channel")
    return image.convert("RGB")


def decode_all(dataset: Dataset, recipe: CropRecipe, *, workers: int) -> Iterator[Decoded | BadImage]:
    """Every image in dataset order."""
    loader: DataLoader[Decoded | BadImage] = DataLoader(
        _Decoding(dataset, recipe), batch_size=None, num_workers=workers, collate_fn=_as_is
    )
    yield from loader


class _Decoding(TorchDataset[Decoded | BadImage]):
    def __init__(self, dataset: Dataset, recipe: CropRecipe) -> None:
        self.dataset = dataset
        self.recipe = recipe

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, position: int) -> Decoded | BadImage:
        return decode_one(self.dataset, self.recipe, position)


def _as_is(decoded: Any) -> Any:
    return decoded

"""Encoded bytes to crops, in DataLoader workers; what does not decode is named, never guessed at."""

import hashlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from bench.data.crop import CropRecipe
from bench.data.dataset import Dataset


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
    """Read, decode and crop one image."""
    try:
        encoded = dataset.read_bytes(position)
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(encoded)) as image:
                crop = recipe(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return BadImage("not an image" if isinstance(error, UnidentifiedImageError) else reason[:200])
    return Decoded(crop, hashlib.blake2b(encoded, digest_size=16).hexdigest())


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

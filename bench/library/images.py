"""Labelled images from whatever a caller has: a folder, a data name, tensors, or a torch data set."""

import hashlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bench.data import CropRecipe, DataConfig, Dataset, LabelSpace
from bench.data.dataset import balanced_subset
from bench.data.label_spaces import own_label_space
from bench.data.matching import COLUMNS, Declared, in_label_space
from bench.data.sources import SOURCES
from bench.data.sources.detect import AUTO, resolved
from bench.data.sources.rows import EncodeRow
from bench.errors import ConfigurationError, DataError, nearest_names
from bench.sweep.progress import SweepProgress

logger = logging.getLogger(__name__)
LARGEST_ROUNDING = 0.02
"""In units of 1/255: floats that are further from 8 bits than this were resized, jittered or compressed before."""
ENCODING = b"rows|"
"""How images from Python are encoded. The crop cache keeps digests of encoded images: another encoding has others."""


class TorchDataset(Protocol):
    """A map-style ``torch.utils.data.Dataset`` of ``(image, label)``."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True)
class Images:
    """Labelled images, not yet matched with a classifier."""

    source: DataConfig | Dataset
    """A configuration, or images that lie in memory or in a torch data set, labelled with their own classes."""
    size: tuple[int, int] | None = None
    """Height and width in pixels of images that are crops already; None for images to be resized and cropped."""

    @property
    def data(self) -> DataConfig | None:
        """The configuration, of images that come from one."""
        return self.source if isinstance(self.source, DataConfig) else None

    def crop(self, own: CropRecipe) -> CropRecipe:
        """The recipe for a classifier whose ``own`` it is: none for crops that have its input size."""
        if self.size == (own.height, own.width):
            return replace(own, crop_pct=1.0, crop_mode="exact", interpolation="none", fill=None)
        return own

    def labelled_for(self, classifier: LabelSpace) -> DataConfig | Dataset:
        """With labels as logit columns of a classifier, where they are not matched later.

        Raises:
            ConfigurationError: labels that the classifier has no logit for.
        """
        if isinstance(self.source, DataConfig):
            return self.source
        own = self.source.label_space
        by_number = all(name.isdecimal() for name in own.class_names) or not classifier.class_names
        return in_label_space(self.source, classifier, Declared(label_space=COLUMNS if by_number else None))


def as_images(images: Any, *, name: str | None = None, limit: int | None = None) -> Images:
    """Labelled images.

    Args:
        images: a folder or file, of any layout of docs/images.md; a data name (``samples``); a pair of images
            ``(N,3,H,W)`` (uint8, or floats in [0,1]) and ``(N,)`` labels, which are logit columns; a map-style torch
            data set of ``(image, label)``; or a ``DataConfig``.
        name: what reports call them.
        limit: that many of them, of each class as many.

    Raises:
        ConfigurationError: none of these.
        DataError: images or labels that cannot be used.
    """
    if isinstance(images, DataConfig):
        return Images(replace(images, name=name or images.name, limit=limit or images.limit))
    if isinstance(images, str | Path):
        return Images(_by_name(images, name, limit))
    if isinstance(images, tuple | list) and len(images) == 2:
        found = _from_tensors(images[0], images[1], name or "tensors")
    elif hasattr(images, "__len__") and hasattr(images, "__getitem__"):
        found = _from_torch(images, name or type(images).__name__)
    else:
        raise ConfigurationError(
            "images are a folder, a data name, a pair of images and labels, or a map-style torch data set, not a"
            f" {type(images).__name__}"
        )
    return found if limit is None else replace(found, source=_limited(found.source, limit))


def _by_name(images: str | Path, name: str | None, limit: int | None) -> DataConfig:
    if Path(images).exists():
        return resolved(DataConfig(name=name, source=AUTO, root=str(images), limit=limit))
    if isinstance(images, str) and images in SOURCES:
        regions = "samples" if images == "samples" else None
        return DataConfig(name=name, source=images, limit=limit, regions=regions)
    hint = nearest_names(str(images), SOURCES)
    raise ConfigurationError(f"{str(images)!r} is neither a folder, a file nor a data name: {hint}")


def _limited(source: DataConfig | Dataset, limit: int) -> Dataset:
    assert isinstance(source, Dataset)
    if limit > len(source):
        raise ConfigurationError(f"limit={limit} is more than the {len(source)} images of {source.name}")
    return source.subset(balanced_subset(source.labels, limit, seed=0), f"{limit}-0")


def _from_tensors(images: Any, labels: Any, name: str) -> Images:
    pixels = to_bytes(torch.as_tensor(images)).cpu().numpy()
    numbers = _numbers(torch.as_tensor(labels).cpu().numpy(), len(pixels))
    digest = hashlib.sha256(ENCODING)
    digest.update(pixels.tobytes())
    digest.update(numbers.tobytes())
    space = own_label_space(name, (str(number) for number in range(int(numbers.max()) + 1)))
    ids = tuple(f"{position:06d}" for position in range(len(pixels)))
    dataset = Dataset(name, ids, numbers, space, EncodeRow(pixels.transpose(0, 2, 3, 1)), digest.hexdigest())
    return Images(dataset, (pixels.shape[2], pixels.shape[3]))


def to_bytes(images: Tensor) -> Tensor:
    """``(N,3,H,W)`` uint8 of uint8 images, or of floats in [0,1].

    Raises:
        DataError: another shape or type, no image, or values outside [0,1].
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not len(images):
        raise DataError(f"images are of shape (N,3,H,W), not {tuple(images.shape)}")
    if images.dtype != torch.uint8:
        if not images.is_floating_point():
            raise DataError(f"images are uint8, or floats in [0,1], not {images.dtype}")
        low, high = float(images.min()), float(images.max())
        if not (low >= 0 and high <= 1):
            raise DataError(
                f"images have values from {low:g} to {high:g}: pixels in [0,1] are needed, before normalisation; mean="
                " and std= tell how the network wants them normalised"
            )
        scaled = images * 255
        rounded = scaled.round()
        if float((scaled - rounded).abs().max()) > LARGEST_ROUNDING:
            logger.warning("images are rounded to 8 bits: the benchmarks are defined on uint8 pixels")
        images = rounded.to(torch.uint8)
    return images.expand(-1, 3, -1, -1)


def _numbers(labels: NDArray[Any], n_images: int) -> NDArray[np.int64]:
    if labels.shape != (n_images,) or labels.dtype.kind not in "iu":
        raise DataError(
            f"labels are {n_images} whole numbers, one for each image, not {labels.dtype} of shape {labels.shape}"
        )
    if labels.min() < 0:
        raise DataError(f"label {labels.min()} is below 0: labels are logit columns")
    return labels.astype(np.int64)


@dataclass(frozen=True)
class _RowOfItem:
    """Encoded images of a torch data set: without loss, so that they take the way of files, and without compression."""

    items: TorchDataset

    def __call__(self, position: int) -> bytes:
        return EncodeRow(np.asarray(_picture(self.items[position][0], position))[None])(0)


def _from_torch(items: TorchDataset, name: str) -> Images:
    """Read once, to list labels and to tell these images from others; decoded crops are kept as of any data set."""
    labels, sizes, digest = [], set(), hashlib.sha256(ENCODING)
    with SweepProgress(f"reading {name}", len(items)) as progress:
        for position in range(len(items)):
            image, label = _pair(items[position], position)
            picture = _picture(image, position)
            labels.append(label)
            sizes.add(None if isinstance(image, Image.Image) else (picture.height, picture.width))
            digest.update(f"{picture.size}|{label}|".encode())
            digest.update(picture.tobytes())
            progress.advance(1)
    if not labels:
        raise DataError(f"{name} has no images: an empty set has no accuracy")
    numbers = _numbers(np.asarray(labels), len(labels))
    classes = [str(item) for item in getattr(items, "classes", ())]
    names = classes if len(classes) > numbers.max() else [str(number) for number in range(int(numbers.max()) + 1)]
    ids = tuple(f"{position:06d}" for position in range(len(labels)))
    space = LabelSpace(name, len(names), tuple(names))
    size = sizes.pop() if len(sizes) == 1 else None
    return Images(Dataset(name, ids, numbers, space, _RowOfItem(items), digest.hexdigest()), size)


def _pair(item: Any, position: int) -> tuple[Any, int]:
    try:
        image, label = item
        return image, int(label)
    except (TypeError, ValueError) as error:
        raise DataError(f"item {position} of the data set is not an image and its label: {error}") from error


def _picture(image: Any, position: int) -> Image.Image:
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    if isinstance(image, Tensor | np.ndarray):
        tensor = torch.as_tensor(image)
        if tensor.ndim == 3:
            return Image.fromarray(to_bytes(tensor[None])[0].permute(1, 2, 0).contiguous().numpy())
    raise DataError(
        f"image {position} of the data set is a {type(image).__name__}, not a PIL image or a (3,H,W) tensor"
    )

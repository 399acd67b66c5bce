"""CIFAR-10 as people have it: torchvision's python batches, class folders, or a tar of class folders."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torchvision.datasets import CIFAR10

from bench.data.dataset import Dataset
from bench.data.folder import check_folder, load_folder
from bench.data.readers import ReaderSource, load_reader, numbered_dataset
from bench.errors import ConfigurationError, nearest_names

SPLITS = ("test", "train")


def check_cifar10(root: str | None, split: str, class_map: str | None) -> None:
    """Refuse a missing folder or tar, and a split that does not exist."""
    if split not in SPLITS:
        raise ConfigurationError(f"CIFAR-10 has no split {split!r}: {nearest_names(split, SPLITS)}")
    if root is None or not Path(root).is_file():
        check_folder(root, class_map)


def load_cifar10(name: str, root: str, split: str, class_map: str | None) -> Dataset:
    """The images at ``root``, whichever of the three forms they are in.

    Args:
        name: what reports call it.
        root: a tar file, a folder of class folders, or what ``torchvision.datasets.CIFAR10`` takes as its root.
        split: ``test`` or ``train``; of python batches only, the other forms hold one split.
        class_map: names of class folders -> logit column.

    Raises:
        ConfigurationError: incomplete python batches, or a class folder that is not of CIFAR-10.
    """
    path = Path(root)
    if path.is_file():
        return load_reader(name, ReaderSource("tar", root, None, split, class_map))
    if path.name == CIFAR10.base_folder:
        path = path.parent
    if (path / CIFAR10.base_folder).is_dir():
        return _load_batches(name, path, split)
    return load_folder(name, root, class_map)


def _load_batches(name: str, root: Path, split: str) -> Dataset:
    """The python batches are pickles: torchvision opens them only where their published checksums are right."""
    try:
        batches = CIFAR10(root, train=split == "train", download=False)
    except RuntimeError as error:
        raise ConfigurationError(f"{root / CIFAR10.base_folder} is not the published CIFAR-10: {error}") from error
    return rows_dataset(name, split, batches.data, np.array(batches.targets))


def rows_dataset(name: str, split: str, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Dataset:
    """A dataset of arrays.

    Args:
        name: what reports call it.
        split: first part of every image's name.
        images: ``(N,H,W,3)`` uint8.
        labels: ``(N,)`` logit columns.
    """
    content = hashlib.blake2b(images.tobytes(), digest_size=16).hexdigest()
    identity = f"rows|{content}|{labels.tolist()}"
    return numbered_dataset(name, split, labels.tolist(), _EncodeRow(images), identity)


@dataclass(frozen=True)
class _EncodeRow:
    """Position -> the row as a binary PPM file, which loses nothing."""

    images: NDArray[np.uint8]

    def __call__(self, position: int) -> bytes:
        row = self.images[position]
        height, width, _ = row.shape
        content: bytes = f"P6 {width} {height} 255\n".encode() + row.tobytes()
        return content

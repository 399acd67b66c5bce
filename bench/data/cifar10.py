"""CIFAR-10 as people have it: torchvision's python batches, class folders, or a tar of class folders."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torchvision.datasets import CIFAR10

from bench.data.dataset import Dataset
from bench.data.folder import check_folder, filled_class_folders, load_folder
from bench.data.label_spaces import CIFAR10 as CIFAR10_SPACE
from bench.data.label_spaces import LabelSpace, own_label_space
from bench.data.readers import ReaderSource, load_reader, numbered_dataset, reader_classes
from bench.errors import ConfigurationError, nearest_names

SPLITS = ("test", "train")


def check_cifar10(root: str | None, split: str) -> None:
    """Refuse a missing folder or tar, and a split that does not exist."""
    if split not in SPLITS:
        raise ConfigurationError(f"CIFAR-10 has no split {split!r}: {nearest_names(split, SPLITS)}")
    if root is None or not Path(root).is_file():
        check_folder(root)


def load_cifar10(name: str, root: str, split: str) -> Dataset:
    """The images at ``root``, whichever of the three forms they are in.

    Args:
        name: what reports call it.
        root: a tar file, a folder of class folders, or what ``torchvision.datasets.CIFAR10`` takes as its root.
        split: ``test`` or ``train``; of python batches only, the other forms hold one split.

    Raises:
        ConfigurationError: incomplete python batches.
    """
    path = Path(root)
    if path.is_file():
        return load_reader(name, ReaderSource("tar", root, None, split))
    batches = _batches_root(path)
    return load_folder(name, root) if batches is None else _load_batches(name, batches, split)


def cifar10_classes(root: str) -> tuple[LabelSpace, Sequence[str]] | None:
    """The classes at ``root``, and those of them that images have; no image is read.

    Raises:
        ConfigurationError: a tar that cannot be read, or python batches of which files are missing.
        DataError: no class folders, or one without images.
    """
    path = Path(root)
    if path.is_file():
        return reader_classes(ReaderSource("tar", root, None, ""))
    batches = _batches_root(path)
    if batches is None:
        space = own_label_space(root, filled_class_folders(root))
        return space, space.class_names
    for file, _ in CIFAR10.train_list + CIFAR10.test_list:
        if not (batches / CIFAR10.base_folder / file).is_file():
            raise ConfigurationError(f"{batches / CIFAR10.base_folder} is not the published CIFAR-10: it has no {file}")
    return CIFAR10_SPACE, CIFAR10_SPACE.class_names


def _batches_root(path: Path) -> Path | None:
    """What torchvision takes as its root, where ``path`` holds python batches or is their folder."""
    root = path.parent if path.name == CIFAR10.base_folder else path
    return root if (root / CIFAR10.base_folder).is_dir() else None


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
        labels: ``(N,)`` CIFAR-10's class numbers.
    """
    content = hashlib.blake2b(images.tobytes(), digest_size=16).hexdigest()
    identity = f"rows|{content}|{labels.tolist()}"
    return numbered_dataset(name, split, labels.tolist(), CIFAR10_SPACE, _EncodeRow(images), identity)


@dataclass(frozen=True)
class _EncodeRow:
    """Position -> the row as a binary PPM file, which loses nothing."""

    images: NDArray[np.uint8]

    def __call__(self, position: int) -> bytes:
        row = self.images[position]
        height, width, _ = row.shape
        content: bytes = f"P6 {width} {height} 255\n".encode() + row.tobytes()
        return content

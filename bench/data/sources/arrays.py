"""``data.source=arrays``: images and labels as NumPy arrays in ``.npz`` or ``.npy`` files; nothing is unpickled."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.configs import DataConfig
from bench.data.dataset import Dataset
from bench.data.source import DataSource, dataset_name, listed_classes
from bench.data.sources.rows import EncodeRow, numbered, numbered_dataset
from bench.errors import ConfigurationError, DataError, nearest_names

IMAGE_NAMES = ("images", "image", "x", "x_test", "data", "arr_0")
LABEL_NAMES = ("labels", "label", "y", "y_test", "targets", "arr_1")
"""Names of arrays in an ``.npz`` file, and of ``.npy`` files in a folder."""


def check_arrays(config: DataConfig) -> None:
    """Refuse missing files."""
    _files(config)


def load_arrays(config: DataConfig) -> Dataset:
    """Images ``(N,H,W,3)`` or ``(N,3,H,W)``, uint8; labels ``(N,)``, whole numbers.

    Raises:
        ConfigurationError: missing files, or arrays of other names.
        DataError: other shapes or types.
    """
    image_file, label_file = _files(config)
    images, labels = _array(image_file, IMAGE_NAMES), _array(label_file, LABEL_NAMES)
    rows = _rows(images, image_file)
    if labels.shape != (len(rows),) or labels.dtype.kind not in "iu":
        raise DataError(
            f"{label_file}: labels are {len(rows)} whole numbers, one per image, not {labels.dtype} of shape"
            f" {labels.shape}"
        )
    numbers, space = numbered(labels.tolist(), str(config.root))
    status = image_file.stat()
    identity = f"arrays|{image_file.resolve()}|{status.st_size}|{status.st_mtime_ns}|{numbers}"
    return numbered_dataset(dataset_name(config), image_file.stem, numbers, space, EncodeRow(rows), identity)


def _files(config: DataConfig) -> tuple[Path, Path]:
    """The files of images and of labels; the same for an ``.npz`` file."""
    if config.root is None:
        raise ConfigurationError(
            "data.root is needed here: add data.root=FILE.npz, or FILE.npy with data.labels=FILE.npy"
        )
    root = Path(config.root)
    images = _of_folder(root, IMAGE_NAMES) if root.is_dir() else root
    if not images.is_file():
        siblings = [file.name for file in root.absolute().parent.glob("*.np[yz]")]
        raise ConfigurationError(f"no arrays at {root}; {nearest_names(root.name, siblings)}".removesuffix("; "))
    if config.labels is not None:
        labels = Path(config.labels)
    else:
        labels = images if images.suffix == ".npz" else _of_folder(images.parent, LABEL_NAMES)
    if not labels.is_file():
        raise ConfigurationError(f"no labels beside {images}: set data.labels=FILE.npy")
    return images, labels


def _of_folder(folder: Path, names: tuple[str, ...]) -> Path:
    return next((folder / f"{name}.npy" for name in names if (folder / f"{name}.npy").is_file()), folder / "labels.npy")


def _array(path: Path, names: tuple[str, ...]) -> NDArray[Any]:
    try:
        content: Any = np.load(path, mmap_mode="r" if path.suffix == ".npy" else None, allow_pickle=False)
        if path.suffix != ".npz":
            array: NDArray[Any] = content
            return array
        known = next((name for name in names if name in content.files), None)
        if known is None:
            raise ConfigurationError(f"{path} has no array called {', '.join(names)}, but {', '.join(content.files)}")
        array = content[known]
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as NumPy arrays: {error}") from error
    return array


def _rows(images: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    if images.ndim != 4 or 3 not in (images.shape[1], images.shape[3]) or not len(images):
        raise DataError(f"{path}: images are of shape (N,H,W,3) or (N,3,H,W), not {images.shape}")
    if images.dtype != np.uint8:
        raise DataError(
            f"{path}: images are uint8, not {images.dtype}: save them as (images * 255).round().astype('uint8')"
        )
    return images if images.shape[3] == 3 else images.transpose(0, 2, 3, 1)


SOURCE = DataSource(load=load_arrays, check=check_arrays, classes=listed_classes(load_arrays), counted_at_once=True)

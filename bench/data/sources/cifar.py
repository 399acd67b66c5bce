"""``data.source=cifar10`` and ``cifar100``: python batches, the binary version, class folders, or a tar of those."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torchvision
from numpy.typing import NDArray

from bench.configs import DataConfig
from bench.data.dataset import Dataset
from bench.data.label_spaces import CIFAR10, CIFAR100, LabelSpace
from bench.data.source import DataSource, OwnClasses, dataset_name, named_classes
from bench.data.sources.folder import check_folder, filled_class_folders, load_folder
from bench.data.sources.rows import rows_dataset
from bench.data.sources.tar import check_archive, load_tar, tar_classes
from bench.errors import ConfigurationError, nearest_names

SPLITS = ("test", "train")
SIDE = 32
PIXELS = 3 * SIDE * SIDE


@dataclass(frozen=True)
class CifarForm:
    """How one of the two sets is published (Krizhevsky 2009)."""

    title: str
    """Its name in messages."""
    label_space: LabelSpace
    """Its classes, in the order of its class numbers."""
    published: type[torchvision.datasets.CIFAR10]
    """What opens the python batches."""
    binary_folder: str
    """Folder of the binary version."""
    binary_files: dict[str, tuple[str, ...]]
    """Its files by split."""
    n_labels: int
    """Label bytes in front of each image; the last is the class."""

    def python_root(self, path: Path) -> Path | None:
        """What torchvision takes as its root, where ``path`` holds python batches or is their folder."""
        root = path.parent if path.name == self.published.base_folder else path
        return root if (root / self.published.base_folder).is_dir() else None

    def binary_root(self, path: Path) -> Path | None:
        """The folder of the binary version, where ``path`` holds it or is it."""
        place = path if path.name == self.binary_folder else path / self.binary_folder
        return place if place.is_dir() else None


FORMS = {
    "cifar10": CifarForm(
        title="CIFAR-10",
        label_space=CIFAR10,
        published=torchvision.datasets.CIFAR10,
        binary_folder="cifar-10-batches-bin",
        binary_files={
            "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
            "test": ("test_batch.bin",),
        },
        n_labels=1,
    ),
    "cifar100": CifarForm(
        title="CIFAR-100",
        label_space=CIFAR100,
        published=torchvision.datasets.CIFAR100,
        binary_folder="cifar-100-binary",
        binary_files={"train": ("train.bin",), "test": ("test.bin",)},
        n_labels=2,
    ),
}
"""By ``data.source``."""


def check_cifar(config: DataConfig) -> None:
    """Refuse a missing folder or tar, and a split that does not exist."""
    if config.split not in SPLITS:
        title = FORMS[config.source].title
        raise ConfigurationError(f"{title} has no split {config.split!r}: {nearest_names(config.split, SPLITS)}")
    if config.root is not None and Path(config.root).is_file():
        check_archive(config.root)
    else:
        check_folder(config.root)


def load_cifar(config: DataConfig) -> Dataset:
    """The images at ``data.root``, whichever of the four forms they are in.

    Class folders and tars hold one split; ``data.split`` chooses among batches.

    Raises:
        ConfigurationError: incomplete or changed batches.
    """
    form, name, path = FORMS[config.source], dataset_name(config), Path(str(config.root))
    if path.is_file():
        return load_tar(name, str(path))
    binary, python = form.binary_root(path), form.python_root(path)
    if binary is not None:
        return _load_binary(form, name, binary, config.split)
    if python is not None:
        return _load_python(form, name, python, config.split)
    return load_folder(name, str(path))


def _load_python(form: CifarForm, name: str, root: Path, split: str) -> Dataset:
    """The python batches are pickles: torchvision opens them only where their published checksums are right."""
    folder = root / form.published.base_folder
    try:
        batches = form.published(root, train=split == "train", download=False)
    except RuntimeError as error:
        raise ConfigurationError(
            f"{folder} is not the published {form.title}: {error} Its files are pickles, which are opened only where"
            " their published checksums are right"
        ) from error
    return rows_dataset(name, split, batches.data, np.array(batches.targets), form.label_space)


def _load_binary(form: CifarForm, name: str, folder: Path, split: str) -> Dataset:
    """Records of label bytes and 3,072 pixel bytes, channel by channel."""
    records = np.concatenate([_records(form, folder / file) for file in form.binary_files[split]])
    labels = records[:, form.n_labels - 1].astype(np.int64)
    if labels.max() >= form.label_space.n_classes:
        raise ConfigurationError(f"{folder} is not the published {form.title}: it has the class number {labels.max()}")
    pixels = records[:, form.n_labels :].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return rows_dataset(name, split, np.ascontiguousarray(pixels), labels, form.label_space)


def _records(form: CifarForm, path: Path) -> NDArray[np.uint8]:
    if not path.is_file():
        raise ConfigurationError(f"{path.parent} is not the published {form.title}: it has no {path.name}")
    content = np.fromfile(path, dtype=np.uint8)
    size = form.n_labels + PIXELS
    if not len(content) or len(content) % size:
        raise ConfigurationError(
            f"{path} is not the published {form.title}: {len(content)} bytes, no multiple of {size}"
        )
    return content.reshape(-1, size)


def _classes(config: DataConfig) -> OwnClasses | None:
    """The classes at ``data.root``; no image is read.

    Raises:
        ConfigurationError: a tar that cannot be read, or batches of which files are missing.
        DataError: no class folders, or one without images.
    """
    form, path = FORMS[config.source], Path(str(config.root))
    if path.is_file():
        return tar_classes(str(path))
    binary, python = form.binary_root(path), form.python_root(path)
    if binary is None and python is None:
        return named_classes(config, filled_class_folders(str(path)))
    if binary is not None:
        files = [binary / file for file in form.binary_files[config.split]]
    else:
        folder = Path(str(python)) / form.published.base_folder
        files = [folder / file for file, _ in form.published.train_list + form.published.test_list]
    for file in files:
        if not file.is_file():
            raise ConfigurationError(f"{file.parent} is not the published {form.title}: it has no {file.name}")
    return form.label_space, form.label_space.class_names


SOURCE = DataSource(load=load_cifar, check=check_cifar, classes=_classes, counted_at_once=True)

"""``data.source=folder``: class folders of images; and ``categories``, those of the 16 of Geirhos et al."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.configs import DataConfig
from bench.data.categories import CATEGORY_SPACE
from bench.data.dataset import Dataset
from bench.data.label_spaces import LabelSpace, look_up_classes, own_label_space
from bench.data.source import DataSource, OwnClasses, dataset_name, named_classes
from bench.errors import ConfigurationError, DataError, nearest_names


@dataclass(frozen=True)
class ReadFile:
    """Position -> bytes of a file below ``root``."""

    root: str
    paths: tuple[str, ...]

    def __call__(self, position: int) -> bytes:
        """The file's content."""
        return (Path(self.root) / self.paths[position]).read_bytes()


def check_folder(root: str | None) -> None:
    """Refuse a missing folder."""
    if root is None:
        raise ConfigurationError("data.root is needed here: add data.root=FOLDER")
    path = Path(root)
    if not path.is_dir():
        parent = path.absolute().parent
        siblings = [entry.name for entry in parent.iterdir() if entry.is_dir()] if parent.is_dir() else []
        raise ConfigurationError(f"no folder at {path}; {nearest_names(path.name, siblings)}".removesuffix("; "))


def class_folders(root: str) -> list[str]:
    """The names of the class folders in alphabetical order; hidden ones are left out.

    Raises:
        DataError: there are none.
    """
    folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    if not folders:
        raise DataError(f"{root} has no class folders: expected {root}/<class>/<image>{_instead(root)}")
    return folders


def _instead(root: str) -> str:
    """What the folder may be, where it holds files."""
    files = any(entry.is_file() for entry in os.scandir(root))
    return "; it has files: leave data.source out, or set data.source=auto, to find out what they are" if files else ""


def filled_class_folders(root: str) -> list[str]:
    """The names of the class folders, none of them empty; no image is looked at.

    Raises:
        DataError: there are none, or one has no images.
    """
    folders = class_folders(root)
    for folder in folders:
        if next(_paths(Path(root), folder), None) is None:
            raise _empty(root, folder)
    return folders


def load_folder(name: str, root: str, *, label_space: LabelSpace | None = None) -> Dataset:
    """The images of ``root/<class>/**``, by class name and path; hidden files are left out.

    Args:
        name: of the dataset.
        root: has one folder per class.
        label_space: whose classes the folders are named after; the folders' own classes when left out.

    Raises:
        ConfigurationError: a folder that is not among the classes, or two for one class number.
        DataError: no class folders, or one without images.
    """
    folders = class_folders(root)
    space = own_label_space(root, folders) if label_space is None else label_space
    numbers = look_up_classes(folders, space.numbers, where=root, kind=str(space))
    digest = hashlib.blake2b(digest_size=16)
    paths: list[str] = []
    labels: list[int] = []
    for folder in folders:
        files = sorted(_files(Path(root), folder))
        if not files:
            raise _empty(root, folder)
        for path, size, modified in files:
            digest.update(f"{path}\x1f{size}\x1f{modified}\x1f{numbers[folder]}\n".encode(errors="surrogateescape"))
            paths.append(path)
            labels.append(numbers[folder])
    return Dataset(
        name=name,
        image_ids=tuple(paths),
        labels=np.array(labels, dtype=np.int64),
        label_space=space,
        read_bytes=ReadFile(str(Path(root).absolute()), tuple(paths)),
        fingerprint=digest.hexdigest(),
    )


def _empty(root: str, folder: str) -> DataError:
    return DataError(f"class folder {root}/{folder} has no images: remove it, or fill it")


def _files(root: Path, folder: str) -> list[tuple[str, int, int]]:
    files = []
    for path in _paths(root, folder):
        status = _status(path)
        files.append((path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns))
    return files


def _status(path: Path) -> os.stat_result:
    """Of a file that can be an image: one that is there, can be read to an end, and has a name that can be stored."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise DataError(f"the name of {os.fsencode(path)!r} is not UTF-8: rename the file") from error
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path} leads nowhere ({error.strerror}): remove it, or put the image there") from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path} is no file but a pipe, a socket or a device: remove it")
    return status


def _paths(root: Path, folder: str) -> Iterator[Path]:
    for parent, _, names in os.walk(root / folder):
        yield from (Path(parent) / name for name in names if not name.startswith("."))


def _check_categories(config: DataConfig) -> None:
    for option in ("class_map", "label_space"):
        if getattr(config, option) is not None:
            raise ConfigurationError(
                f"data.{option} means nothing to data.source=categories: the benchmark's own class_map says which"
                " classes make up a category"
            )
    check_folder(config.root)


def _category_folders(config: DataConfig) -> OwnClasses:
    names = filled_class_folders(str(config.root))
    look_up_classes(names, CATEGORY_SPACE.numbers, where=str(config.root), kind=str(CATEGORY_SPACE))
    return CATEGORY_SPACE, names


CUE_CONFLICT_SAMPLES = Path(__file__).parents[1] / "cue_conflict_samples"
"""A small cue-conflict set made by ``task=stylize``; its recipe lies beside it."""

SOURCE = DataSource(
    load=lambda config: load_folder(dataset_name(config), str(config.root)),
    check=lambda config: check_folder(config.root),
    classes=lambda config: named_classes(config, filled_class_folders(str(config.root))),
    counted_at_once=True,
)
CATEGORIES = DataSource(
    load=lambda config: load_folder(dataset_name(config), str(config.root), label_space=CATEGORY_SPACE),
    check=_check_categories,
    label_kind="categories",
    classes=_category_folders,
    counted_at_once=True,
)
CUE_CONFLICT = DataSource(
    load=lambda config: load_folder(dataset_name(config), str(CUE_CONFLICT_SAMPLES), label_space=CATEGORY_SPACE),
    check=lambda _: None,
    label_kind="categories",
    counted_at_once=True,
)

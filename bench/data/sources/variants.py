"""``data.source=variants``: class folders at any depth, such as ``<variant>/<class>``; the last folder is the class."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.configs import DataConfig
from bench.data.dataset import Dataset
from bench.data.label_spaces import own_label_space
from bench.data.source import DataSource, dataset_name, listed_classes
from bench.data.sources.folder import ReadFile, check_folder
from bench.errors import DataError

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".tif", ".tiff")
"""Suffixes of images, in any case; other files, such as tables beside them, are left out."""


def load_variants(config: DataConfig) -> Dataset:
    """Every image below ``data.root``, by path; hidden files and folders are left out.

    Raises:
        DataError: no image, or one that lies in no class folder.
    """
    root = Path(str(config.root))
    digest = hashlib.blake2b(digest_size=16)
    paths: list[str] = []
    for path in sorted(_images(root)):
        status = (root / path).stat()
        digest.update(f"{path}\x1f{status.st_size}\x1f{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
        paths.append(path)
    if not paths:
        raise DataError(f"{root} has no images: expected {root}/<variant>/<class>/<image>")
    names = [path.rpartition("/")[0].rpartition("/")[2] for path in paths]
    if "" in names:
        raise DataError(f"{root}/{paths[names.index('')]} lies in no class folder")
    space = own_label_space(str(root), names)
    return Dataset(
        name=dataset_name(config),
        image_ids=tuple(paths),
        labels=np.array([space.numbers[name] for name in names], dtype=np.int64),
        label_space=space,
        read_bytes=ReadFile(str(root.absolute()), tuple(paths)),
        fingerprint=digest.hexdigest(),
    )


def _images(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and name.lower().endswith(IMAGES):
                yield (Path(folder) / name).relative_to(root).as_posix()


SOURCE = DataSource(
    load=load_variants,
    check=lambda config: check_folder(config.root),
    classes=listed_classes(load_variants),
    counted_at_once=True,
)

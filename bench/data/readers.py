"""Datasets in other containers, through timm's readers: tar, Hugging Face, WebDataset, TFDS."""

import hashlib
import importlib.util
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from timm.data.readers import create_reader

from bench.data.dataset import Dataset
from bench.data.label_spaces import class_columns, read_class_map
from bench.errors import ConfigurationError, nearest_names

PACKAGES = {"hfds": "datasets", "wds": "webdataset", "tfds": "tensorflow_datasets"}


def check_reader(scheme: str, root: str | None, dataset: str | None, class_map: str | None) -> None:
    """Refuse a missing file, dataset name or package."""
    if class_map is not None:
        read_class_map(Path(class_map))
    if scheme == "tar":
        if root is None:
            raise ConfigurationError("data.root is needed here: add data.root=FILE.tar")
        if not Path(root).is_file():
            siblings = [path.name for path in Path(root).absolute().parent.glob("*.tar")]
            raise ConfigurationError(f"no tar file at {root}; {nearest_names(root, siblings)}".removesuffix("; "))
        return
    if dataset is None:
        raise ConfigurationError(f"data.dataset is needed for data.source={scheme}")
    package = PACKAGES[scheme]
    if importlib.util.find_spec(package) is None:
        raise ConfigurationError(f"data.source={scheme} needs the package {package}: pip install {package}")


def load_reader(
    name: str, scheme: str, root: str | None, dataset: str | None, split: str, class_map: str | None
) -> Dataset:
    """A dataset behind one of timm's readers; tar members are ``<class>/<image>``."""
    if scheme == "tar":
        return _load_tar(name, str(root), class_map)
    columns = None if class_map is None else read_class_map(Path(class_map))
    reader = create_reader(f"{scheme}/{dataset}", root=root, split=split, class_map=columns)
    if hasattr(reader, "iter_targets") and hasattr(reader, "__getitem__"):
        labels = [int(target) for target in reader.iter_targets()]
        read: Any = _ReadIndexed(reader)
    else:
        labels = [int(target) for _, target in reader]
        read = _ReadStream(reader)
    identity = f"{scheme}|{dataset}|{split}|{len(labels)}|{getattr(reader, 'dataset', '')!r}"
    return Dataset(
        name=name,
        image_ids=tuple(f"{split}/{position:09d}" for position in range(len(labels))),
        labels=np.array(labels, dtype=np.int64),
        read_bytes=read,
        fingerprint=hashlib.blake2b(identity.encode(), digest_size=16).hexdigest(),
    )


def _load_tar(name: str, root: str, class_map: str | None) -> Dataset:
    # no cache of open files (it breaks in forked workers), and none of members (it is a pickle beside the data)
    reader = create_reader("", root=root, cache_tarfiles=False, cache_tarinfo=False)
    image_ids = tuple(reader.filenames())
    folders = [image_id.split("/")[-2] if "/" in image_id else "" for image_id in image_ids]
    columns = class_columns(sorted(set(folders)), class_map, where=root)
    status = Path(root).stat()
    identity = f"{Path(root).absolute()}|{status.st_size}|{status.st_mtime_ns}|{sorted(columns.items())}"
    return Dataset(
        name=name,
        image_ids=image_ids,
        labels=np.array([columns[folder] for folder in folders], dtype=np.int64),
        read_bytes=_ReadIndexed(reader),
        fingerprint=hashlib.blake2b(identity.encode(), digest_size=16).hexdigest(),
    )


@dataclass(frozen=True)
class _ReadIndexed:
    reader: Any

    def __call__(self, position: int) -> bytes:
        image, _ = self.reader[position]
        content: bytes = image.read()
        return content


@dataclass
class _ReadStream:
    """Positions of a reader that can only be iterated: asking in ascending order costs one pass."""

    reader: Any
    _stream: Iterator[tuple[Any, Any]] | None = field(default=None, repr=False)
    _next: int = 0

    def __call__(self, position: int) -> bytes:
        if self._stream is None or position < self._next:
            self._stream, self._next = iter(self.reader), 0
        for image, _ in self._stream:
            self._next += 1
            if self._next > position:
                return _encoded(image)
        raise IndexError(position)


def _encoded(image: Any) -> bytes:
    if not isinstance(image, Image.Image):
        return image.read()  # type: ignore[no-any-return]
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()

"""Datasets in other containers, through timm's readers: tar, Hugging Face, WebDataset, TFDS.

timm's readers find shards, splits and labels; the bytes are read here, image by image, so that every one is hashed and
verified, and none is dropped in silence (timm's WebDataset reader skips what does not decode).
"""

import atexit
import hashlib
import importlib.util
import json
import posixpath
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from timm.data.readers import create_reader
from timm.data.readers.reader_image_in_tar import ReaderImageInTar

from bench.data.dataset import Dataset
from bench.data.label_spaces import LabelSpace, own_label_space
from bench.data.ranges import FileRange, ReadRange
from bench.errors import ConfigurationError, DataError, nearest_names

PACKAGES = {"hfds": "datasets", "wds": "webdataset", "tfds": "tensorflow_datasets"}
SHARD_IMAGES = ("jpg", "jpeg", "png", "webp")


@dataclass(frozen=True)
class ReaderSource:
    """Which reader, and where its data is."""

    scheme: str
    """``tar``, ``hfds``, ``wds`` or ``tfds``."""
    root: str | None
    """Tar file or folder of tars, folder of shards, or the library's data folder."""
    dataset: str | None
    """Name of the dataset for ``hfds`` and ``tfds``."""
    split: str
    """Split, or shard pattern of a WebDataset."""


def check_reader(source: ReaderSource) -> None:
    """Refuse a missing file, dataset name or package."""
    package = PACKAGES.get(source.scheme)
    if package is not None and importlib.util.find_spec(package) is None:
        raise ConfigurationError(f"data.source={source.scheme} needs the package {package}: pip install {package}")
    if source.scheme in ("hfds", "tfds"):
        if source.dataset is None:
            raise ConfigurationError(f"data.dataset is needed for data.source={source.scheme}")
        return
    if source.root is None:
        raise ConfigurationError(
            f"data.root is needed here: add data.root={'FILE.tar' if package is None else 'FOLDER'}"
        )
    if not Path(source.root).exists():
        siblings = [path.name for path in Path(source.root).absolute().parent.glob("*")]
        hint = nearest_names(Path(source.root).name, siblings)
        raise ConfigurationError(f"no tar file or folder at {source.root}; {hint}".removesuffix("; "))


def load_reader(name: str, source: ReaderSource) -> Dataset:
    """The images of one split, as timm's reader finds them.

    Raises:
        ConfigurationError: the reader cannot load them.
        DataError: an image listed twice, one without a label, or a label that is no class number.
    """
    loaders = {"tar": _load_tar, "wds": _load_webdataset, "hfds": _load_hugging_face, "tfds": _load_tfds}
    return loaders[source.scheme](name, source)


def reader_classes(source: ReaderSource) -> tuple[LabelSpace, tuple[str, ...]] | None:
    """The classes of the images and those of them that images have; None where only reading every image would tell.

    Raises:
        ConfigurationError: as ``load_reader``.
        DataError: as ``load_reader``, or no images at all.
    """
    root = Path(source.root) if source.root is not None else None
    places = [] if root is None or not root.exists() else [root, *(sorted(root.iterdir()) if root.is_dir() else [])]
    statuses = [(str(place), place.stat()) for place in places]
    return _classes(source, tuple((place, status.st_size, status.st_mtime_ns) for place, status in statuses))


@lru_cache(maxsize=16)
def _classes(source: ReaderSource, state: tuple[object, ...]) -> tuple[LabelSpace, tuple[str, ...]] | None:
    """Listed once for all jobs of a sweep; ``state`` changes when the files do."""
    del state
    if source.scheme == "tfds":  # its images cannot be listed without being read
        names = tuple(_reader(source).class_to_idx or ())
        return (own_label_space(str(source.dataset), names), names) if names else None
    dataset = load_reader("", source)
    if not len(dataset):
        raise DataError(f"{dataset.label_space.name} has no images")
    names = dataset.label_space.class_names
    return dataset.label_space, tuple(names[number] for number in np.unique(dataset.labels))


def _reader(source: ReaderSource) -> Any:
    """Timm's reader; whatever the libraries behind it raise becomes one clear line."""
    try:
        if source.scheme == "tar":
            return ReaderImageInTar(source.root, cache_tarinfo=False)  # timm would cache the listing as a pickle
        return create_reader(f"{source.scheme}/{source.dataset or ''}", root=source.root, split=source.split)
    except Exception as error:
        message = " ".join(str(error).split()) or type(error).__name__
        where = f"root={source.root}, dataset={source.dataset}, split={source.split}"
        raise ConfigurationError(f"timm's {source.scheme} reader cannot load {where}: {message}") from error


def _load_tar(name: str, source: ReaderSource) -> Dataset:
    """A tar of class folders, a tar of one tar a class, or a folder of tars; the innermost folder is the class."""
    root, reader = Path(str(source.root)), _reader(source)
    ranges: dict[str, FileRange] = {}
    folders: list[str] = []
    for (member, tar_name, inner), target in zip(reader.samples, reader.targets, strict=True):
        parents = [part for part in (tar_name, inner and inner.name) if part]
        image_id = posixpath.normpath(posixpath.join(*parents, member.name.lstrip("/")))
        if posixpath.basename(image_id).startswith("."):
            continue
        if image_id in ranges:
            raise DataError(f"{root} holds {image_id!r} twice")
        offset = member.offset_data + (inner.offset_data if inner else 0)
        ranges[image_id] = FileRange(root / tar_name if tar_name else root, offset, member.size)
        folders.append(reader.class_idx_to_name[int(target)])
    space = own_label_space(str(root), folders)
    return _ranged(name, ranges, [space.numbers[folder] for folder in folders], space)


def _load_webdataset(name: str, source: ReaderSource) -> Dataset:
    """Local shards: ``<key>.jpg`` beside ``<key>.cls``, or the label field of ``<key>.json``."""
    root, split = Path(str(source.root)), _reader(source).split_info
    ranges: dict[str, FileRange] = {}
    labels: list[int] = []
    for shard_name in split.filenames:
        shard = Path(posixpath.normpath(root / shard_name))
        if not shard.is_relative_to(posixpath.normpath(root)):
            raise ConfigurationError(f"{root}: the split names a shard outside the folder: {shard_name!r}")
        for key, parts in _shard_samples(shard).items():
            suffix = next((suffix for suffix in SHARD_IMAGES if suffix in parts), None)
            if suffix is None:
                raise DataError(f"{shard}: sample {key!r} has no image ({', '.join(SHARD_IMAGES)})")
            ranges[f"{shard_name}/{key}.{suffix}"] = parts[suffix]
            labels.append(_shard_label(shard, key, parts, split.alt_label))
    return _ranged(name, ranges, *_numbered(labels, str(root)))


def _shard_samples(shard: Path) -> dict[str, dict[str, FileRange]]:
    """Files of each sample by suffix; a file's key is its path up to the first dot of its name."""
    samples: dict[str, dict[str, FileRange]] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                folder, file_name = posixpath.split(member.name)
                key, dot, suffix = file_name.partition(".")
                if member.isfile() and key and dot:
                    where = FileRange(shard, member.offset_data, member.size)
                    samples.setdefault(posixpath.join(folder, key), {})[suffix.lower()] = where
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"cannot read the shard {shard}: {error}") from error
    return samples


def _shard_label(shard: Path, key: str, parts: Mapping[str, FileRange], field: str) -> int:
    try:
        text = ReadRange([parts["json" if field else "cls"]])(0)
        return int(json.loads(text)[field] if field else text)
    except (KeyError, ValueError, TypeError) as error:
        expected = f"the field {field!r} of a .json" if field else "a whole number in a .cls"
        raise DataError(f"{shard}: sample {key!r} has no label: {expected} file is needed") from error


@dataclass(frozen=True)
class _ReadRow:
    reader: Any

    def __call__(self, position: int) -> bytes:
        stream, *_ = self.reader[position]
        with stream:
            content: bytes = stream.read()
        return content


def _load_hugging_face(name: str, source: ReaderSource) -> Dataset:
    reader = _reader(source)
    targets = [int(label) for label in reader.dataset[reader.label_key]]
    labels, space = _in_own_space(targets, reader.class_to_idx, source)
    identity = f"hfds|{source.dataset}|{source.split}|{reader.dataset._fingerprint}|{labels}"
    return numbered_dataset(name, source.split, labels, space, _ReadRow(reader), identity)


def _load_tfds(name: str, source: ReaderSource) -> Dataset:
    """A prepared TFDS split, in its own order; TFDS only streams, so the encoded images are spooled to a file."""
    reader = _reader(source)
    import tensorflow_datasets as tfds  # type: ignore[import-not-found,unused-ignore]

    undecoded = {reader.input_key: tfds.decode.SkipDecoding()}
    rows = tfds.as_numpy(reader.builder.as_dataset(split=source.split, shuffle_files=False, decoders=undecoded))
    ranges, targets = [], []
    with tempfile.NamedTemporaryFile(prefix="snowwolf-tfds-", delete=False) as spool:
        path = Path(spool.name)
        atexit.register(path.unlink, missing_ok=True)
        for row in rows:
            ranges.append(FileRange(path, spool.tell(), spool.write(row[reader.input_key])))
            targets.append(int(row[reader.target_key]))
    labels, space = _in_own_space(targets, reader.class_to_idx, source)
    identity = f"tfds|{reader.builder.info.full_name}|{reader.builder.data_dir}|{source.split}|{labels}"
    return numbered_dataset(name, source.split, labels, space, ReadRange(ranges), identity)


def _in_own_space(
    targets: Sequence[int], class_to_index: Mapping[str, int] | None, source: ReaderSource
) -> tuple[list[int], LabelSpace]:
    """A set's labels and its classes: the names that it gives its class numbers, else the numbers."""
    where = str(source.dataset)
    if not class_to_index:
        return _numbered(targets, where)
    names = tuple(sorted(class_to_index, key=class_to_index.__getitem__))
    _refuse_labels(targets, range(len(names)), where)
    return list(targets), LabelSpace(where, len(names), names)


def _numbered(targets: Sequence[int], where: str) -> tuple[list[int], LabelSpace]:
    """The labels and classes of images that have class numbers alone."""
    _refuse_labels(targets, range(max(targets, default=0) + 1), where)
    space = own_label_space(where, map(str, targets))
    return [space.numbers[str(target)] for target in targets], space


def _refuse_labels(targets: Sequence[int], valid: range, where: str) -> None:
    """Refuse what is no class number, such as the -1 of images without a label."""
    for row, target in enumerate(targets):
        if target not in valid:
            raise DataError(f"{where}: row {row} has the label {target}; class numbers go from 0 to {valid.stop - 1}")


def numbered_dataset(
    name: str,
    split: str,
    labels: Sequence[int],
    label_space: LabelSpace,
    read_bytes: Callable[[int], bytes],
    identity: str,
) -> Dataset:
    """A dataset whose images have no names of their own but their rows."""
    return Dataset(
        name=name,
        image_ids=tuple(f"{split}/{row:08d}" for row in range(len(labels))),
        labels=np.array(labels, dtype=np.int64),
        label_space=label_space,
        read_bytes=read_bytes,
        fingerprint=hashlib.blake2b(identity.encode(), digest_size=16).hexdigest(),
    )


def _ranged(name: str, ranges: Mapping[str, FileRange], labels: Sequence[int], label_space: LabelSpace) -> Dataset:
    read = ReadRange(list(ranges.values()))
    return Dataset(
        name=name,
        image_ids=tuple(ranges),
        labels=np.array(labels, dtype=np.int64),
        label_space=label_space,
        read_bytes=read,
        fingerprint=read.fingerprint(list(ranges), labels),
    )

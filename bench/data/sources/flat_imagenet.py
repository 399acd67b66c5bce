"""``data.source=flat_imagenet``: ImageNet's validation images as downloaded, in one folder, and a file of labels."""

import csv
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from bench.configs import DataConfig
from bench.data.dataset import Dataset
from bench.data.label_spaces import imagenet
from bench.data.source import DataSource, dataset_name, listed_classes
from bench.data.sources.folder import ReadFile, check_folder
from bench.errors import ConfigurationError, DataError

IMAGE = re.compile(r"ILSVRC2012_val_(\d{8})\.(jpe?g|png)", re.IGNORECASE)
_WNID = re.compile(r"n\d{8}")
KAGGLE, DEVKIT, META = "LOC_val_solution.csv", "ILSVRC2012_validation_ground_truth.txt", "meta.mat"
SYNSETS = "imagenet_2012_validation_synset_labels.txt"
LABEL_FILES = (KAGGLE, SYNSETS, DEVKIT, "val.txt", "synset_labels.txt")
"""Names that files of labels are published under, the most explicit first."""
PLACES = (".", "..", "../..", "data", "../data", "ILSVRC2012_devkit_t12/data", "../ILSVRC2012_devkit_t12/data")
"""Where they are looked for, from the folder of images."""


def is_flat_imagenet(folder: Path) -> bool:
    """Whether a folder holds validation images under their published names."""
    return any(IMAGE.fullmatch(entry.name) for entry in os.scandir(folder))


def find_labels(root: Path) -> Path | None:
    """A file of labels at the usual places; None where there is none."""
    candidates = (root / place / name for name in LABEL_FILES for place in PLACES)
    return next((path for path in candidates if path.is_file()), None)


def check_flat_imagenet(config: DataConfig) -> None:
    """Refuse a missing folder, or missing or unreadable labels."""
    check_folder(config.root)
    read_labels(_label_file(config))


def _label_file(config: DataConfig) -> Path:
    path = Path(config.labels) if config.labels is not None else find_labels(Path(str(config.root)))
    if path is None:
        raise ConfigurationError(
            f"the images in {config.root} lie in no class folders, and no file has their labels: set data.labels="
            f"FILE to Kaggle's {KAGGLE}, the development kit's {DEVKIT} (with its {META} beside it), or a list of the"
            " images' wnids, one per line"
        )
    if not path.is_file():
        raise ConfigurationError(f"no file of labels at data.labels={path}")
    return path


def load_flat_imagenet(config: DataConfig) -> Dataset:
    """The images, by name.

    Raises:
        ConfigurationError: no labels, or labels that cannot be read.
        DataError: no images, or one without a label.
    """
    root = Path(str(config.root))
    file = _label_file(config)
    by_number = read_labels(file)
    numbers = imagenet().numbers
    digest = hashlib.blake2b(digest_size=16)
    names: list[str] = []
    labels: list[int] = []
    for name, number, size, modified in sorted(_images(root)):
        if number not in by_number:
            raise DataError(f"{root / name} has no label in {file}")
        digest.update(f"{name}\x1f{size}\x1f{modified}\x1f{by_number[number]}\n".encode())
        names.append(name)
        labels.append(numbers[by_number[number]])
    if not names:
        raise DataError(f"{root} has no images named like ILSVRC2012_val_00000001.JPEG")
    return Dataset(
        name=dataset_name(config),
        image_ids=tuple(names),
        labels=np.array(labels, dtype=np.int64),
        label_space=imagenet(),
        read_bytes=ReadFile(str(root.absolute()), tuple(names)),
        fingerprint=digest.hexdigest(),
    )


def _images(root: Path) -> Iterator[tuple[str, int, int, int]]:
    for entry in os.scandir(root):
        match = IMAGE.fullmatch(entry.name)
        if match:
            status = entry.stat()
            yield entry.name, int(match[1]), status.st_size, status.st_mtime_ns


def read_labels(path: Path) -> Mapping[int, str]:
    """Number of the image (1 to 50,000) -> wnid.

    Args:
        path: Kaggle's CSV (``ImageId,PredictionString``), a wnid per line in the order of the images, a class number of
            the development kit per line, or lines of file name and label (a wnid, or a class number from 0 in the order
            of the sorted wnids, as Caffe's ``val.txt``).

    Raises:
        ConfigurationError: none of these.
    """
    lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not lines:
        raise ConfigurationError(f"{path} is empty")
    try:
        labels = _reader_of(lines[0])(path, lines)
    except (ValueError, IndexError, KeyError) as error:
        raise ConfigurationError(f"cannot read the labels in {path}: {error!r}") from error
    unknown = sorted(set(labels.values()) - set(imagenet().class_names))
    if unknown:
        raise ConfigurationError(f"{path} has the label {unknown[0]!r}, which is no wnid of ImageNet's 1,000 classes")
    return labels


def _reader_of(first: str) -> Callable[[Path, list[str]], dict[int, str]]:
    if first.startswith("ImageId"):
        return _kaggle
    if _WNID.fullmatch(first):
        return _wnid_lines
    return _devkit if first.isdecimal() else _named_lines


def _kaggle(_: Path, lines: list[str]) -> dict[int, str]:
    rows = csv.DictReader(lines)
    return {int(row["ImageId"].rpartition("_")[2]): row["PredictionString"].split()[0] for row in rows}


def _wnid_lines(_: Path, lines: list[str]) -> dict[int, str]:
    return dict(enumerate(lines, start=1))


def _devkit(path: Path, lines: list[str]) -> dict[int, str]:
    """The kit numbers classes in an order of its own, which its ``meta.mat`` gives."""
    meta = path.with_name(META)
    if not meta.is_file():
        raise ConfigurationError(
            f"{path} numbers the classes in the development kit's own order: its file data/{META} must lie beside it"
        )
    from scipy.io import loadmat

    synsets = loadmat(meta, squeeze_me=True)["synsets"]
    wnids = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets}
    return {number: wnids[int(line)] for number, line in enumerate(lines, start=1)}


def _named_lines(_: Path, lines: list[str]) -> dict[int, str]:
    labels = {}
    for line in lines:
        name, label = line.replace(",", " ").replace("\t", " ").split()[:2]
        match = IMAGE.fullmatch(name.rpartition("/")[2])
        if match is None:
            raise ValueError(f"no image name and label: {line!r}")
        labels[int(match[1])] = imagenet().class_names[int(label)] if label.isdecimal() else label
    return labels


SOURCE = DataSource(
    load=load_flat_imagenet,
    check=check_flat_imagenet,
    classes=listed_classes(load_flat_imagenet),
    counted_at_once=True,
)

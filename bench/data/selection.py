"""Which images of a source are used: those on a list, and those of classes that decisions are made among."""

import hashlib
import importlib.util
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from bench.data.dataset import Dataset
from bench.errors import ConfigurationError, DataError, nearest_names

ROBUSTBENCH = "robustbench"
"""Value of ``data.list``: the 5,000 images of RobustBench's ImageNet leaderboard."""
ROBUSTBENCH_FILE = Path("helper_files") / "imagenet_test_image_ids.txt"
"""Where its package keeps them."""


def list_file(name: str) -> Path:
    """The file that ``data.list`` names.

    Raises:
        ConfigurationError: there is none.
    """
    if name == ROBUSTBENCH:
        found = importlib.util.find_spec("robustbench")
        file = None if found is None or found.origin is None else Path(found.origin).parent / ROBUSTBENCH_FILE
        if file is None or not file.is_file():
            raise ConfigurationError(
                "data.list=robustbench reads the list of the package robustbench, which is not installed here (see"
                f" docs/models.md): install it, or give data.list=FILE, its {ROBUSTBENCH_FILE.name}"
            )
        return file
    path = Path(name)
    if not path.is_file():
        siblings = [file.name for file in path.absolute().parent.glob("*") if file.is_file()]
        hint = nearest_names(path.name, siblings)
        raise ConfigurationError(f"no list of images at data.list={path}; {hint}".removesuffix("; "))
    return path


def listed_images(dataset: Dataset, name: str) -> Dataset:
    """The images of ``dataset`` that a list names, in the order of the data set.

    A name in the list may have fewer folders before it than the image's own name, or more:
    ``ILSVRC2012_val_00000293.JPEG``, ``n01440764/....JPEG``, ``val/n01440764/....JPEG``.

    Args:
        dataset: all images.
        name: as ``data.list``.

    Raises:
        ConfigurationError: no such file.
        DataError: an empty list, an image that is listed twice, a name that no image has, or that several have.
    """
    path = list_file(name)
    names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if not names:
        raise DataError(f"{path} lists no images: an empty set has no accuracy")
    by_file: dict[str, list[int]] = {}
    for position, image_id in enumerate(dataset.image_ids):
        by_file.setdefault(PurePosixPath(image_id).name, []).append(position)
    positions = [_position(entry, dataset.image_ids, by_file, path) for entry in names]
    twice = [position for position, count in Counter(positions).items() if count > 1]
    if twice:
        raise DataError(f"{path} lists {dataset.image_ids[twice[0]]!r} twice")
    digest = hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:16]
    return dataset.subset(np.sort(np.array(positions, dtype=np.int64)), f"list-{digest}")


def _position(entry: str, image_ids: Sequence[str], by_file: Mapping[str, Sequence[int]], path: Path) -> int:
    """The position of the one image that an entry of the list names."""
    parts = PurePosixPath(entry).parts
    found = [
        position
        for position in by_file.get(parts[-1], ())
        if _same_end(parts, PurePosixPath(image_ids[position]).parts)
    ]
    if len(found) != 1:
        many = f"{len(found)} images have that name" if found else "none of the images has that name"
        raise DataError(f"{path} lists {entry!r}, and {many}")
    return found[0]


def _same_end(one: Sequence[str], other: Sequence[str]) -> bool:
    shorter = min(len(one), len(other))
    return tuple(one[-shorter:]) == tuple(other[-shorter:])


def images_of_classes(dataset: Dataset, names: Sequence[str]) -> Dataset:
    """The images of ``dataset`` whose class is one of ``names``.

    Raises:
        DataError: there are none.
    """
    numbers = [number for number, name in enumerate(dataset.label_space.class_names) if name in set(names)]
    keep = np.flatnonzero(np.isin(dataset.labels, numbers))
    if len(keep) == len(dataset):
        return dataset
    if not len(keep):
        raise DataError(f"no image of {dataset.name} is of the classes that decisions are made among")
    return dataset.subset(keep, f"of-{len(numbers)}-classes")

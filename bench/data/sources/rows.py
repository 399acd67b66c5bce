"""Images that are rows: of arrays, shards and data sets whose images have numbers for names."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.dataset import Dataset
from bench.data.label_spaces import LabelSpace, own_label_space
from bench.data.ranges import FileRange, ReadRange
from bench.errors import DataError


@dataclass(frozen=True)
class EncodeRow:
    """Position -> the row of ``(N,H,W,3)`` uint8 as a binary PPM file, which loses nothing."""

    images: NDArray[np.uint8]

    def __call__(self, position: int) -> bytes:
        """The encoded image."""
        row = self.images[position]
        height, width, _ = row.shape
        content: bytes = f"P6 {width} {height} 255\n".encode() + row.tobytes()
        return content


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


def rows_dataset(
    name: str, split: str, images: NDArray[np.uint8], labels: NDArray[np.int64], label_space: LabelSpace
) -> Dataset:
    """A dataset of arrays in memory.

    Args:
        name: what reports call it.
        split: first part of every image's name.
        images: ``(N,H,W,3)`` uint8.
        labels: ``(N,)`` class numbers of ``label_space``.
        label_space: its classes.
    """
    content = hashlib.blake2b(images.tobytes(), digest_size=16).hexdigest()
    identity = f"rows|{content}|{labels.tolist()}"
    return numbered_dataset(name, split, labels.tolist(), label_space, EncodeRow(images), identity)


def ranged_dataset(
    name: str, ranges: Mapping[str, FileRange], labels: Sequence[int], label_space: LabelSpace
) -> Dataset:
    """A dataset of encoded images inside larger files."""
    read = ReadRange(list(ranges.values()))
    return Dataset(
        name=name,
        image_ids=tuple(ranges),
        labels=np.array(labels, dtype=np.int64),
        label_space=label_space,
        read_bytes=read,
        fingerprint=read.fingerprint(list(ranges), labels),
    )


def in_own_space(
    targets: Sequence[int],
    class_names: Sequence[str] | None,
    where: str,
    accepted: Sequence[Sequence[int]] = (),
) -> tuple[list[int], LabelSpace]:
    """Labels and classes: the names that a set gives its class numbers, else the numbers.

    Args:
        targets: class number of each image.
        class_names: by class number; None where a set names none.
        where: the images lie, for messages.
        accepted: further class numbers of each image, which are classes too.

    Raises:
        DataError: a label that is no class number, such as the -1 of images without a label.
    """
    if not class_names:
        return numbered(targets, where, accepted)
    _refuse_labels([number for numbers in accepted for number in numbers], range(len(class_names)), where)
    _refuse_labels(targets, range(len(class_names)), where)
    return list(targets), LabelSpace(where, len(class_names), tuple(class_names))


def numbered(
    targets: Sequence[int], where: str, accepted: Sequence[Sequence[int]] = ()
) -> tuple[list[int], LabelSpace]:
    """The labels and classes of images that have class numbers alone; arguments as of ``in_own_space``.

    Raises:
        DataError: a number below 0.
    """
    classes = [*targets, *(number for numbers in accepted for number in numbers)]
    _refuse_labels(classes, range(max(classes, default=0) + 1), where)
    space = own_label_space(where, map(str, classes))
    return [space.numbers[str(target)] for target in targets], space


def _refuse_labels(targets: Sequence[int], valid: range, where: str) -> None:
    for row, target in enumerate(targets):
        if target not in valid:
            raise DataError(f"{where}: row {row} has the label {target}; class numbers go from 0 to {valid.stop - 1}")

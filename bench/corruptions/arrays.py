"""CIFAR-10-C from disk: the published arrays, ``<corruption>.npy`` and ``labels.npy``.

Each array holds ``(5 * N, 32, 32, 3)`` uint8 images, severity ``s`` in rows ``N * (s - 1)`` to ``N * s``, and
``labels.npy`` the ``N`` labels five times over. ``N`` is 10,000 in the published set, whose rows follow the official
order of CIFAR-10's test set. CIFAR-100-C has the same layout.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.corruptions.catalogue import CIFAR_SIDE, SEVERITIES, severity_of
from bench.errors import ConfigurationError, DataError
from bench.records import Condition

LABELS = "labels.npy"

_LEVELS = len(SEVERITIES)
_TEST_NUMBER = re.compile(r"(?:^|/)test[/_-](\d+)(?:\.\w+)?$")


def check_arrays(root: Path, conditions: Iterable[Condition]) -> None:
    """Refuse, before any work, arrays that are missing or not as published.

    Raises:
        ConfigurationError: naming everything that is wrong.
    """
    if not root.is_dir():
        raise ConfigurationError(f"no folder of corrupted arrays at {root}: give the benchmark's root=FOLDER")
    files = [LABELS, *dict.fromkeys(f"{condition.name}.npy" for condition in conditions)]
    missing = [file for file in files if not (root / file).is_file()]
    problems = [f"{', '.join(missing)} missing"] if missing else []
    rows: dict[int, list[str]] = {}
    for file in files:
        if file in missing:
            continue
        try:
            array = _open_labels(root) if file == LABELS else _open_images(root / file)
        except DataError as error:
            problems.append(str(error))
        else:
            rows.setdefault(len(array), []).append(file)
    if len(rows) > 1:
        counts = [f"{count} in {', '.join(having)}" for count, having in sorted(rows.items())]
        problems.append(f"unequal numbers of rows: {'; '.join(counts)}")
    if problems:
        raise ConfigurationError(
            f"{root} is no set of CIFAR-10-C arrays: {'; '.join(problems)}. Expected <corruption>.npy of"
            f" ({_LEVELS} x N, {CIFAR_SIDE}, {CIFAR_SIDE}, 3) uint8 and {LABELS} of {_LEVELS} x N labels, as published"
        )


def rows_of_images(root: Path, image_ids: Sequence[str], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row, within each severity, of every clean image.

    An image's name has to say its place in the official test set: ``test/00000012``, as the python batches and the
    Hugging Face data set are read, or a file ``test_00012.png`` in a class folder or tar. Plain numbers are not taken:
    the common exports of CIFAR-10 as class folders count within each class.

    Args:
        root: folder of the arrays.
        image_ids: names of the clean images.
        labels: ``(B,)`` their labels.

    Returns:
        ``(B,)`` rows in ``[0, N)``.

    Raises:
        DataError: a name without a place, a place beyond the arrays or named twice, or a label that is not that of
            ``labels.npy``.
    """
    expected = _open_labels(root).reshape(_LEVELS, -1)[0]
    rows = np.array([_place(image_id) for image_id in image_ids], dtype=np.int64)
    if len(rows) and rows.max() >= len(expected):
        last = image_ids[int(rows.argmax())]
        raise DataError(f"image {last!r} is not among the {len(expected)} images of the arrays in {root}")
    order = np.argsort(rows, kind="stable")
    equal = np.flatnonzero(np.diff(rows[order]) == 0)
    if len(equal):
        first, second = order[equal[0]], order[equal[0] + 1]
        raise DataError(f"images {image_ids[first]!r} and {image_ids[second]!r} name the same place in the test set")
    differing = np.flatnonzero(expected[rows] != labels)
    if len(differing):
        first = differing[0]
        raise DataError(
            f"{len(differing)} of {len(rows)} labels are not those of {root / LABELS} ({image_ids[first]!r} has label"
            f" {labels[first]}, row {rows[first]} has {expected[rows[first]]}): these arrays are of other images"
        )
    return rows


def read_corrupted_array(root: Path, rows: NDArray[np.int64], condition: Condition) -> Tensor:
    """The published images of ``condition``.

    Args:
        root: folder of the arrays.
        rows: ``(B,)`` what `rows_of_images` returned.
        condition: corruption and severity.

    Returns:
        ``(B,3,32,32)`` uint8.

    Raises:
        ConfigurationError: an unknown corruption or severity.
        DataError: the array is missing or not as published, or has no such row.
    """
    severity = severity_of(condition)
    path = root / f"{condition.name}.npy"
    array = _open_images(path)
    count = len(array) // _LEVELS
    if len(rows) and not 0 <= rows.min() <= rows.max() < count:
        raise DataError(f"{path} has {count} images of each severity: there is no row {rows.max()}")
    return torch.from_numpy(array[count * (severity - 1) + rows]).permute(0, 3, 1, 2).contiguous()


def _place(image_id: str) -> int:
    match = _TEST_NUMBER.search(image_id)
    if match is None:
        raise DataError(
            f"the name of image {image_id!r} does not say its place in CIFAR-10's test set, so its row in the arrays is"
            " unknown: use split=test of the python batches (data.root=.../cifar-10-batches-py), or name the files"
            " test_00000.png, test_00001.png, ... in the official order"
        )
    return int(match[1])


def _open_images(path: Path) -> NDArray[np.uint8]:
    """``(5 * N, 32, 32, 3)``, mapped and not read."""
    array: NDArray[np.uint8] = _open(path)
    side = (CIFAR_SIDE, CIFAR_SIDE, 3)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1:] != side or len(array) % _LEVELS or not len(array):
        raise DataError(f"{path.name} is {array.dtype} of shape {array.shape}")
    return array


def _open_labels(root: Path) -> NDArray[Any]:
    """``(5 * N,)``, the same five times over."""
    array = _open(root / LABELS)
    if array.dtype.kind not in "iu" or array.ndim != 1 or len(array) % _LEVELS or not len(array):
        raise DataError(f"{LABELS} is {array.dtype} of shape {array.shape}")
    repeats = array.reshape(_LEVELS, -1)
    if (repeats != repeats[0]).any():
        raise DataError(f"{LABELS} does not hold the same labels for all {_LEVELS} severities")
    return array


def _open(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read: {' '.join(str(error).split())}") from error
    return array

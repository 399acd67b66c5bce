"""Predictions of someone else's classifier on labelled images, as CSV or Parquet files."""

import hashlib
import importlib.util
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.data.groups import IMAGENET_X, MODULE
from bench.data.label_spaces import LabelSpace
from bench.data.sources.flat_imagenet import read_labels
from bench.data.tables import find_column, read_table
from bench.errors import ConfigurationError, DataError, nearest_names

ID_NAMES = ("image_id", "file_name", "filename", "path", "image")
PREDICTION_NAMES = ("predicted_class", "prediction", "predicted", "pred")
PROBABILITY_NAMES = ("predicted_probability", "probability", "confidence", "prob")
LABEL_NAMES = ("label", "true_class", "target", "wnid")
"""Columns of a file, the first that is there."""
VALIDATION = re.compile(r"ILSVRC2012_val_(\d{8})")


@dataclass(frozen=True)
class Predictions:
    """What a classifier predicted for each image; images in the order of their names."""

    image_ids: NDArray[np.str_]
    """``(N,)`` unique."""
    labels: NDArray[np.int64]
    """``(N,)`` true classes."""
    predicted: NDArray[np.int64]
    """``(N,)`` predicted classes."""
    probability: NDArray[np.float32]
    """``(N,)`` of the prediction; NaN where none is given."""

    @property
    def digest(self) -> str:
        """16 hex digits over images and predictions."""
        lines = "\n".join(f"{name}\x1f{number}" for name, number in zip(self.image_ids, self.predicted, strict=True))
        return hashlib.sha256(lines.encode()).hexdigest()[:16]

    @property
    def images_digest(self) -> str:
        """16 hex digits over images and labels."""
        lines = "\n".join(f"{name}\x1f{number}" for name, number in zip(self.image_ids, self.labels, strict=True))
        return hashlib.sha256(lines.encode()).hexdigest()[:16]


def check_predictions(path: Path, labels: str | None) -> None:
    """Refuse files that are not there.

    Raises:
        ConfigurationError: naming the nearest file.
    """
    for file, key in ((path, "path"), *(() if labels in (None, IMAGENET_X) else ((Path(str(labels)), "data.labels"),))):
        if not file.is_file():
            siblings = [entry.name for entry in file.absolute().parent.glob("*") if entry.is_file()]
            raise ConfigurationError(
                f"no file at {key}={file}; {nearest_names(file.name, siblings)}".removesuffix("; ")
            )
    if labels == IMAGENET_X:
        _package_labels()


def read_predictions(path: Path, labels: str | None, space: LabelSpace) -> Predictions:
    """The predictions of a file, with the true classes.

    Args:
        path: CSV or Parquet with a column of image names and one of predicted classes (class numbers or names of
            ``space``), and maybe one of probabilities and one of labels.
        labels: where the true classes are, if not in ``path``: a file of ``data.labels`` (docs/images.md), a CSV of
            image name and label, or ``imagenet_x``, the list that comes with its package.
        space: what class numbers and names mean.

    Raises:
        ConfigurationError: files or columns that are missing.
        DataError: an image twice, a class that ``space`` does not have, or an image without a label.
    """
    check_predictions(path, labels)
    table = read_table(path)
    image_ids = _column(table, ID_NAMES, path, "image names").astype(str).tolist()
    name, count = Counter(image_ids).most_common(1)[0] if image_ids else ("", 0)
    if count != 1:
        raise DataError(f"{path} has {f'{name!r} {count} times' if count else 'no rows'}")
    predicted = _classes(_column(table, PREDICTION_NAMES, path, "predicted classes"), space, path)
    own = find_column(table, LABEL_NAMES)
    if own is None and labels is None:
        raise ConfigurationError(
            f"{path} has no column of true classes ({', '.join(LABEL_NAMES)}): give data.labels=FILE, or"
            f" data.labels={IMAGENET_X}"
        )
    true = _classes(table[own], space, path) if own is not None else _true_classes(str(labels), image_ids, space)
    found = find_column(table, PROBABILITY_NAMES)
    probability = np.full(len(table), np.nan) if found is None else table[found].to_numpy(dtype=float)
    order = np.argsort(np.array(image_ids), kind="stable")
    return Predictions(np.array(image_ids)[order], true[order], predicted[order], probability[order].astype(np.float32))


def _column(table: pd.DataFrame, names: Sequence[str], path: Path, what: str) -> "pd.Series[str]":
    found = find_column(table, names)
    if found is None:
        raise ConfigurationError(f"{path} needs a column of {what} ({', '.join(names)})")
    return table[found]


def _classes(column: "pd.Series[str]", space: LabelSpace, path: Path) -> NDArray[np.int64]:
    """Class numbers, of numbers or names."""
    texts = column.astype(str).str.removesuffix(".0").tolist()
    numbers = [int(text) if text.isdecimal() else space.numbers.get(text, -1) for text in texts]
    for text, number in zip(texts, numbers, strict=True):
        if not 0 <= number < space.n_classes:
            raise DataError(f"{path} has the class {text!r}, and {space} has no such class")
    return np.array(numbers, dtype=np.int64)


def _true_classes(labels: str, image_ids: Sequence[str], space: LabelSpace) -> NDArray[np.int64]:
    path = _package_labels() if labels == IMAGENET_X else Path(labels)
    by_name = _named_labels(path, space)
    if by_name is not None:
        keys = [PurePosixPath(name).stem for name in image_ids]
    else:
        by_number = {str(number): space.numbers.get(wnid, -1) for number, wnid in read_labels(path).items()}
        matches = [VALIDATION.search(name) for name in image_ids]
        by_name, keys = by_number, ["" if match is None else str(int(match[1])) for match in matches]
    for name, key in zip(image_ids, keys, strict=True):
        if by_name.get(key, -1) < 0:
            raise DataError(f"{path} has no label of {name!r}")
    return np.array([by_name[key] for key in keys], dtype=np.int64)


def _named_labels(path: Path, space: LabelSpace) -> Mapping[str, int] | None:
    """Stem of the image's name -> class, of a table that has both columns; None of files of another form."""
    if path.suffix not in (".csv", ".parquet"):
        return None
    table = read_table(path)
    if find_column(table, ID_NAMES) is None or find_column(table, LABEL_NAMES) is None:
        return None
    names = [PurePosixPath(str(name)).stem for name in table[str(find_column(table, ID_NAMES))]]
    classes = _classes(table[str(find_column(table, LABEL_NAMES))], space, path)
    return dict(zip(names, classes.tolist(), strict=True))


def _package_labels() -> Path:
    found = importlib.util.find_spec(MODULE)
    path = None if found is None or found.origin is None else Path(found.origin).parent / "annotations"
    if path is None or not (path / "filename_label.csv").is_file():
        raise ConfigurationError(
            "data.labels=imagenet_x reads a list of the package imagenet-x: pip install 'snowwolf[shifts]'"
        )
    return path / "filename_label.csv"

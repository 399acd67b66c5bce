"""``data.source=list``: a CSV or Parquet file of image paths and labels."""

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from bench.configs import DataConfig
from bench.data.dataset import Dataset
from bench.data.label_spaces import own_label_space
from bench.data.source import DataSource, dataset_name, listed_classes
from bench.data.sources.folder import ReadFile
from bench.errors import ConfigurationError, DataError, nearest_names

PATH_NAMES = ("path", "file", "filename", "file_name", "image", "image_path")
LABEL_NAMES = ("label", "class", "class_name", "wnid", "target")
SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")


def check_list(config: DataConfig) -> None:
    """Refuse a missing file, and one that is no list."""
    if config.root is None:
        raise ConfigurationError("data.root is needed here: add data.root=FILE.csv, lines of path,label")
    path = Path(config.root)
    if not path.is_file() or path.suffix not in SUFFIXES:
        siblings = [file.name for file in path.absolute().parent.glob("*") if file.suffix in SUFFIXES]
        raise ConfigurationError(
            f"no list of images at {path} ({', '.join(SUFFIXES)}); {nearest_names(path.name, siblings)}".removesuffix(
                "; "
            )
        )


def load_list(config: DataConfig) -> Dataset:
    """The images in the order of the list; paths are relative to its folder.

    Raises:
        ConfigurationError: no columns of paths and labels.
        DataError: no rows, a row without a label, or a file that is not there.
    """
    path = Path(str(config.root))
    files, names = read_list(path)
    root = path.absolute().parent
    digest = hashlib.blake2b(digest_size=16)
    for row, (file, name) in enumerate(zip(files, names, strict=True), start=1):
        try:
            status = (root / file).stat()
        except OSError as error:
            raise DataError(f"{path}, image {row}: {root / file} is not there ({error.strerror})") from error
        digest.update(f"{file}\x1f{status.st_size}\x1f{status.st_mtime_ns}\x1f{name}\n".encode())
    space = own_label_space(str(path), names)
    return Dataset(
        name=dataset_name(config),
        image_ids=tuple(files),
        labels=np.array([space.numbers[name] for name in names], dtype=np.int64),
        label_space=space,
        read_bytes=ReadFile(str(root), tuple(files)),
        fingerprint=digest.hexdigest(),
    )


def read_list(path: Path) -> tuple[list[str], list[str]]:
    """Paths and labels of a list.

    A CSV file may be separated by commas, semicolons or tabs. Without a header its first two columns are path and
    label.

    Raises:
        ConfigurationError: no such columns.
        DataError: no rows, or a row without a path or label.
    """
    columns, rows = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    lowered = [column.lower() for column in columns]
    file = next((lowered.index(name) for name in PATH_NAMES if name in lowered), None)
    label = next((lowered.index(name) for name in LABEL_NAMES if name in lowered), None)
    if file is None or label is None:
        raise ConfigurationError(
            f"{path} needs a column of paths ({', '.join(PATH_NAMES)}) and one of labels ({', '.join(LABEL_NAMES)}); it"
            f" has {', '.join(columns)}"
        )
    if not rows:
        raise DataError(f"{path} lists no images: an empty set has no accuracy")
    for number, row in enumerate(rows, start=1):
        if len(row) <= max(file, label) or not row[file] or not row[label]:
            raise DataError(f"{path}, image {number}: no path or no label")
    return [row[file] for row in rows], [row[label] for row in rows]


def _csv(path: Path) -> tuple[Sequence[str], list[list[str]]]:
    text = path.read_text(encoding="utf-8-sig")
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), delimiter=separator) if any(row)]
    if not rows:
        raise DataError(f"{path} lists no images: an empty set has no accuracy")
    head = [cell.lower() for cell in rows[0]]
    if set(head) & set(PATH_NAMES) or set(head) & set(LABEL_NAMES):
        return rows[0], rows[1:]
    return ("path", "label"), rows


def _parquet(path: Path) -> tuple[Sequence[str], list[list[str]]]:
    table = pq.read_table(path)
    values = [["" if value is None else str(value) for value in column.to_pylist()] for column in table.columns]
    return table.column_names, [list(row) for row in zip(*values, strict=True)]


SOURCE = DataSource(load=load_list, check=check_list, classes=listed_classes(load_list), counted_at_once=True)

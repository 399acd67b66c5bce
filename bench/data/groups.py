"""Groups of images that results are sliced by: a table of image names and any columns, or ImageNet-X's annotations."""

import importlib.util
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.data.tables import find_column, read_table
from bench.errors import ConfigurationError, DataError, nearest_names

IMAGENET_X, MODULE = "imagenet_x", "imagenet_x"
"""Value of ``data.groups``, and the package that the annotations come with (Idrissi et al. 2022)."""
ANNOTATIONS, PROTOTYPES = "imagenet_x_val_top_factor.jsonl", "prototypical_paths.csv"
NOT_FACTORS = ("file_name", "class", "justification", "one_word", "metaclass")
ID_NAMES = ("image_id", "file_name", "filename", "path", "image")
"""Columns of image names, the first that is there."""
MOST_GROUPS = 1_000
"""Values of one column; with more it is no grouping, but a measurement or a name."""


@dataclass(frozen=True)
class ImageGroups:
    """Which groups each image is in."""

    source: str
    """Where the groups come from."""
    image_ids: tuple[str, ...]
    """``N`` names."""
    factors: NDArray[np.str_]
    """``(G,)`` the column that each group is of."""
    values: NDArray[np.str_]
    """``(G,)`` its value in that column; ``yes`` of a column of yes and no."""
    members: NDArray[np.bool_]
    """``(N,G)`` whether each image is in each group."""

    def rows_of(self, image_ids: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the images of a cell are in the groups: positions in ``image_ids``, and the rows here.

        A name matches one that ends in it, folder by folder, with or without its suffix. Images that no group lists are
        left out.

        Raises:
            DataError: a name that several images have.
        """
        by_stem: dict[str, list[int]] = {}
        for row, name in enumerate(self.image_ids):
            by_stem.setdefault(_stem(name), []).append(row)
        positions, rows = [], []
        for position, image_id in enumerate(image_ids):
            found = [row for row in by_stem.get(_stem(image_id), ()) if _same_image(self.image_ids[row], image_id)]
            if len(found) > 1:
                raise DataError(f"{self.source} lists {image_id!r} {len(found)} times")
            if found:
                positions.append(position)
                rows.append(found[0])
        if len(set(rows)) < len(rows):
            twice = next(row for row, count in Counter(rows).items() if count > 1)
            raise DataError(f"{self.source}: {self.image_ids[twice]!r} is the name of several images")
        return np.array(positions, dtype=np.int64), np.array(rows, dtype=np.int64)


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _same_image(one: str, other: str) -> bool:
    first, second = PurePosixPath(one).with_suffix("").parts, PurePosixPath(other).with_suffix("").parts
    shorter = min(len(first), len(second))
    return first[-shorter:] == second[-shorter:]


def check_groups(name: str) -> None:
    """Refuse, before any work, groups that are not there.

    Raises:
        ConfigurationError: no such file, or a package that is not installed.
    """
    if name == IMAGENET_X:
        _annotations()
        return
    path = Path(name)
    if not path.is_file():
        siblings = [file.name for file in path.absolute().parent.glob("*") if file.suffix in (".csv", ".parquet")]
        hint = nearest_names(path.name, [*siblings, IMAGENET_X])
        raise ConfigurationError(f"no file of groups at data.groups={name}; {hint}".removesuffix("; "))


def read_groups(name: str) -> ImageGroups:
    """The groups that ``data.groups`` names: a CSV or Parquet file, or ``imagenet_x``.

    A column of yes and no (``True``/``False``, ``1``/``0``) is one group; each value of another column is one. An empty
    cell is in no group of its column.

    Raises:
        ConfigurationError: as ``check_groups``; no column of image names, or none of groups.
        DataError: an image listed twice, or no images.
    """
    check_groups(name)
    if name == IMAGENET_X:
        return _imagenet_x()
    path = Path(name)
    table = read_table(path)
    own = find_column(table, ID_NAMES)
    if own is None:
        raise ConfigurationError(f"{path} needs a column of image names ({', '.join(ID_NAMES)})")
    return groups_of(str(path), table[own].astype(str).tolist(), table.drop(columns=[own]))


def groups_of(source: str, image_ids: Sequence[str], columns: pd.DataFrame) -> ImageGroups:
    """Groups from the columns of a table.

    Args:
        source: for messages.
        image_ids: ``N`` names.
        columns: ``N`` rows; each column is a factor.

    Raises:
        ConfigurationError: no columns, or one with a thousand values and more.
        DataError: an image listed twice, or no images.
    """
    if not len(image_ids):
        raise DataError(f"{source} lists no images")
    name, count = Counter(image_ids).most_common(1)[0]
    if count > 1:
        raise DataError(f"{source} lists {name!r} {count} times")
    factors: list[str] = []
    values: list[str] = []
    members: list[NDArray[np.bool_]] = []
    for factor in columns.columns:
        for value, inside in _groups_of_column(source, str(factor), columns[factor]).items():
            factors.append(str(factor))
            values.append(value)
            members.append(inside)
    if not factors:
        raise ConfigurationError(f"{source} has no column of groups beside the images' names")
    return ImageGroups(source, tuple(image_ids), np.array(factors), np.array(values), np.stack(members, axis=1))


def _groups_of_column(source: str, factor: str, column: "pd.Series[Any]") -> Mapping[str, NDArray[np.bool_]]:
    known = column.dropna()
    texts = {str(value).strip().lower().removesuffix(".0") for value in known.unique()}
    if texts <= {"true", "false"} or texts <= {"0", "1"} or texts <= {"yes", "no"}:
        yes = column.map(lambda value: str(value).strip().lower().removesuffix(".0") in ("true", "1", "yes"))
        return {"yes": yes.to_numpy(dtype=bool)}
    names = sorted({str(value) for value in known.unique()})
    if len(names) >= MOST_GROUPS:
        raise ConfigurationError(
            f"{source}: the column {factor!r} has {len(names)} values, which are no groups: leave it out, or bin it"
        )
    text = column.astype(object).where(column.notna(), None).map(lambda value: None if value is None else str(value))
    return {name: (text == name).to_numpy(dtype=bool) for name in names}


def _annotations() -> Path:
    found = importlib.util.find_spec(MODULE)
    folder = None if found is None or found.origin is None else Path(found.origin).parent / "annotations"
    if folder is None or not folder.is_dir():
        raise ConfigurationError(
            "data.groups=imagenet_x reads the annotations of the package imagenet-x: pip install 'snowwolf[shifts]'"
        )
    return folder


def _imagenet_x() -> ImageGroups:
    """The factor that annotators chose for each validation image, prototypical images left out: 46,110 images."""
    folder = _annotations()
    lines = (folder / ANNOTATIONS).read_text().splitlines()
    table = pd.DataFrame([json.loads(line) for line in lines])
    prototypes = set(pd.read_csv(folder / PROTOTYPES)["file_name"])
    table = table[~table["file_name"].isin(prototypes)].reset_index(drop=True)
    columns = table.drop(columns=[name for name in NOT_FACTORS if name in table])
    return groups_of(IMAGENET_X, table["file_name"].tolist(), columns)

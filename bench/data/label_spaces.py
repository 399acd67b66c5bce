"""Which logit column a class name means, and subsets of the 1,000 classes."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from timm.data import ImageNetInfo

from bench.errors import ConfigurationError, nearest_names


@cache
def imagenet_wnids() -> tuple[str, ...]:
    """The 1,000 ImageNet wnids by logit column (timm's list)."""
    return tuple(_timm_lines("imagenet_synsets.txt"))


def imagenet_name(column: int) -> str:
    """Human name of a logit column of ImageNet-1k."""
    return str(_imagenet_info().index_to_description(column))


def class_names(n_classes: int, class_map: str | None) -> list[str]:
    """Human names of ``n_classes`` logit columns: of the class map, of ImageNet where there are 1,000, else numbers."""
    if class_map is not None:
        by_column = {column: name for name, column in read_class_map(class_map).items()}
        return [by_column.get(column, str(column)) for column in range(n_classes)]
    if n_classes == len(imagenet_wnids()):
        return [imagenet_name(column) for column in range(n_classes)]
    return [str(column) for column in range(n_classes)]


@cache
def _imagenet_info() -> ImageNetInfo:
    return ImageNetInfo()


def _timm_lines(name: str) -> list[str]:
    return (files("timm.data") / "_info" / name).read_text().split()


def _subset(name: str) -> tuple[int, ...]:
    return tuple(int(line) for line in _timm_lines(f"{name}_indices.txt"))


LABEL_SPACES: Mapping[str, Callable[[], tuple[int, ...]]] = {
    "imagenet_a": lambda: _subset("imagenet_a"),
    "imagenet_r": lambda: _subset("imagenet_r"),
}
"""Name -> the logit columns that decisions are restricted to (Hendrycks et al. 2021), from timm's index files."""

CLASS_MAPS: Mapping[str, tuple[str, ...]] = {
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}
"""Name of a built-in class map -> class names by logit column (Krizhevsky 2009)."""


def class_columns(names: Sequence[str], class_map: str | None, *, where: str) -> dict[str, int]:
    """The logit column of each class name.

    Args:
        names: class folders: wnids, or indices, or anything that ``class_map`` lists.
        class_map: CSV (name,column) or JSON (name -> column) file, or the name of a built-in map.
        where: what holds the classes, for messages.

    Raises:
        ConfigurationError: a name whose class is unknown; the nearest known names are in the message.
    """
    if class_map is not None:
        known = read_class_map(class_map)
        kind = f"class map {class_map}"
    elif all(name.isdecimal() for name in names):
        return _as_indices(names, where=where)
    else:
        known = {wnid: column for column, wnid in enumerate(imagenet_wnids())}
        kind = "ImageNet's wnids"
    hint = None if class_map else "give data.class_map=FILE for other names"
    return look_up_classes(names, known, where=where, kind=kind, hint=hint)


def look_up_classes(
    names: Sequence[str], known: Mapping[str, int], *, where: str, kind: str, hint: str | None = None
) -> dict[str, int]:
    """The number of each class name in ``known``, which messages call ``kind``.

    Raises:
        ConfigurationError: a name that is not there, with ``hint`` or the nearest names.
    """
    for name in names:
        if name not in known:
            advice = nearest_names(name, known) if hint is None else hint
            raise ConfigurationError(f"class {name!r} of {where} is not among {kind}; {advice}")
    return {name: known[name] for name in names}


def _as_indices(names: Sequence[str], *, where: str) -> dict[str, int]:
    columns = {name: int(name) for name in names}
    if len(set(columns.values())) != len(columns):
        raise ConfigurationError(f"{where} has two folders for one class index, such as '1' and '01'")
    return columns


def read_class_map(class_map: str) -> dict[str, int]:
    """Class name -> logit column, built in, or from a CSV without header (``name,column``) or a JSON object.

    Raises:
        ConfigurationError: missing or malformed file.
    """
    if class_map in CLASS_MAPS:
        return {name: column for column, name in enumerate(CLASS_MAPS[class_map])}
    path = Path(class_map)
    if not path.is_file():
        siblings = [file.name for file in path.parent.glob("*") if file.suffix in (".csv", ".json")]
        raise ConfigurationError(f"no class map at {path}; {nearest_names(path.name, [*siblings, *CLASS_MAPS])}")
    try:
        if path.suffix == ".json":
            return {str(name): int(column) for name, column in json.loads(path.read_text()).items()}
        with path.open(newline="") as file:
            return {name: int(column) for name, column in csv.reader(file)}
    except (ValueError, AttributeError) as error:
        raise ConfigurationError(f"class map {path} is not lines of name,column nor a JSON object: {error}") from error

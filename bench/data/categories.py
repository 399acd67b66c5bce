"""The 16 entry-level categories of Geirhos et al. (2018, 2019), and which classes of a label space belong to each."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bench.data.label_spaces import LabelSpace, imagenet, read_column, read_pairs, refuse_repeated_names
from bench.errors import ConfigurationError, DataError, nearest_names

CATEGORIES: tuple[str, ...] = (
    "airplane",
    "bear",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "car",
    "cat",
    "chair",
    "clock",
    "dog",
    "elephant",
    "keyboard",
    "knife",
    "oven",
    "truck",
)
"""By number: labels and predictions of the 16-way benchmarks are places in this list."""

CATEGORY_NUMBERS: Mapping[str, int] = {category: number for number, category in enumerate(CATEGORIES)}
"""Category -> its number, as a class map of category folders."""

CATEGORY_SPACE = LabelSpace("the 16 categories", len(CATEGORIES), CATEGORIES)
"""As the label space of images that lie in category folders."""

IMAGENET_CLASSES = 1000


class Cues(NamedTuple):
    """What a cue-conflict stimulus shows."""

    shape: str
    """Category of its shape."""
    texture: str
    """Category of its texture."""


@dataclass(frozen=True)
class CategoryMap:
    """The logit columns of each category, in one label space."""

    columns: Mapping[str, tuple[int, ...]]
    """Category -> its columns; the categories in the order of ``CATEGORIES``."""
    n_classes: int | None = None
    """Logits that a classifier of this label space has; None where the map does not say."""

    @property
    def digest(self) -> str:
        """Text that identifies it: ``imagenet``, or 16 hex digits."""
        if self == imagenet_categories():
            return "imagenet"
        return hashlib.sha256(json.dumps(self.columns, sort_keys=True).encode()).hexdigest()[:16]

    def check_classifier(self, classifier: LabelSpace) -> None:
        """Refuse a classifier whose logit columns mean other classes than the map's.

        Raises:
            ConfigurationError: the published map and other classes than ImageNet's 1,000 in their usual order, or a
                column that the classifier lacks.
        """
        highest = max(max(columns) for columns in self.columns.values())
        if self == imagenet_categories() and not classifier.is_numbered_like(imagenet()):
            raise ConfigurationError(
                f"the published map to the 16 categories is of {imagenet()}, and the classifier has {classifier}: give"
                " the benchmark a class_map=FILE (category, logit column)"
            )
        if highest >= classifier.n_classes:
            raise ConfigurationError(
                f"the class map to the 16 categories has the column {highest}, and the classifier has {classifier}"
            )


@cache
def imagenet_categories() -> CategoryMap:
    """The published 207 of ImageNet-1k's classes (``sixteen_categories.json`` has the source)."""
    found = json.loads((files("bench.data") / "sixteen_categories.json").read_text())["categories"]
    return CategoryMap({category: tuple(found[category]) for category in CATEGORIES}, IMAGENET_CLASSES)


def read_category_map(path: Path) -> CategoryMap:
    """A map for another label space: a JSON object (category -> list of columns) or CSV lines ``category,column``.

    It may leave out categories that the label space does not have.

    Raises:
        ConfigurationError: no such file, not such a file, an unknown category, one that a JSON object has twice, or a
            column of two categories.
    """
    if not path.is_file():
        siblings = [file.name for file in path.parent.glob("*") if file.suffix in (".csv", ".json")]
        raise ConfigurationError(f"no class map at {path}; {nearest_names(path.name, siblings)}".removesuffix("; "))
    try:
        pairs = read_pairs(path)
        found = [(category, column) for category, columns in pairs for column in _columns(columns)]
    except ValueError as error:
        raise ConfigurationError(
            f"class map {path} is neither a JSON object of category -> columns nor lines of category,column: {error}"
        ) from error
    if path.suffix == ".json":  # lines of a CSV file name a category once for each of its columns
        refuse_repeated_names(path, [category for category, _ in pairs])
    owner: dict[int, str] = {}
    for category, column in found:
        if category not in CATEGORY_NUMBERS:
            raise ConfigurationError(
                f"class map {path} names {category!r}, not one of the 16 categories:"
                f" {nearest_names(category, CATEGORIES)}"
            )
        if column < 0 or column in owner:
            taken = f"belongs to {owner[column]} already" if column in owner else "is no column"
            raise ConfigurationError(f"class map {path} gives {category} the column {column}, which {taken}")
        owner[column] = category
    if len(set(owner.values())) < 2:
        raise ConfigurationError(f"class map {path} names fewer than two categories: there is nothing to decide")
    columns = {name: tuple(column for column, held in owner.items() if held == name) for name in CATEGORIES}
    return CategoryMap({name: held for name, held in columns.items() if held})


def _columns(value: object) -> list[int]:
    """The columns that one line, or one key of a JSON object, gives a category."""
    return [read_column(column) for column in value] if isinstance(value, list) else [read_column(value)]


def read_cues(name: str) -> Cues:
    """Shape and texture in a stimulus's name: ``cat/cat7-elephant2.png``, or a published trial's image name.

    Raises:
        DataError: another kind of name, or an unknown category.
    """
    # published trials: 0001_s5n_dnn_0_cat_00_cat7-elephant2.png
    stem = PurePosixPath(name.replace("\\", "/")).name.rpartition("_")[2].partition(".")[0]
    match = re.fullmatch(r"([a-z]+)\d+-([a-z]+)\d+", stem)
    if match is None:
        raise DataError(f"{name!r} is not the name of a cue-conflict image, such as cat/cat7-elephant2.png")
    for category in match.groups():
        if category not in CATEGORY_NUMBERS:
            raise DataError(f"{name!r} names {category!r}: {nearest_names(category, CATEGORIES)}")
    return Cues(*match.groups())

"""Decisions of humans and published networks on cue-conflict images, as per-trial CSV files."""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.data.categories import CATEGORIES, CATEGORY_NUMBERS, read_cues
from bench.errors import ConfigurationError, DataError, nearest_names

COLUMNS = ("subj", "session", "trial", "rt", "object_response", "category", "condition", "imagename")
"""Of the published files (rgeirhos/texture-vs-shape, bethgelab/model-vs-human)."""

NO_ANSWER = "na"
"""What the published files hold where an observer did not answer in time."""


@dataclass(frozen=True)
class Decisions:
    """What one decision maker answered, by image id."""

    name: str
    """As the files call it: ``subject-01``, ``alexnet``."""
    image_ids: NDArray[np.str_]
    """``(N,)`` unique: ``cat/cat7-elephant2.png``, as the published image folders have it; sorted."""
    shape: NDArray[np.str_]
    """``(N,)`` category of each shape."""
    texture: NDArray[np.str_]
    """``(N,)`` category of each texture."""
    decision: NDArray[np.str_]
    """``(N,)`` category answered, or ``na``."""

    @property
    def is_human(self) -> bool:
        """Whether it is an observer: the published files call these subjects."""
        return self.name.startswith("subject")

    @property
    def numbers(self) -> NDArray[np.int64]:
        """``(N,)`` the decision's place in ``CATEGORIES``, -1 for no answer."""
        return np.array([CATEGORY_NUMBERS.get(decision, -1) for decision in self.decision.tolist()], dtype=np.int64)

    @property
    def digest(self) -> str:
        """16 hex digits over images and answers."""
        lines = "\n".join(map("\x1f".join, zip(self.image_ids, self.decision, strict=True)))
        return hashlib.sha256(lines.encode()).hexdigest()[:16]


def decision_files(path: Path) -> list[Path]:
    """The file, or the CSV files of the folder.

    Raises:
        ConfigurationError: there are none.
    """
    if path.is_file():
        return [path]
    found = sorted(path.glob("*.csv")) if path.is_dir() else []
    if not found:
        raise ConfigurationError(f"no CSV file of decisions at {path}: give path=FILE.csv or a folder of them")
    return found


def read_decisions(path: Path) -> list[Decisions]:
    """The decision makers of a file or folder, by name; sessions and files of one are joined.

    Raises:
        ConfigurationError: no file.
        DataError: not in the published format, an unknown category, or an image decided twice by one decision maker.
    """
    held: dict[str, dict[str, tuple[str, str, str]]] = {}
    for file in decision_files(path):
        for line, row in _rows(file):
            where = f"{file.name}, line {line}"
            image_id, trial = _trial(row, where)
            mine = held.setdefault(row["subj"], {})
            if image_id in mine:
                raise DataError(f"{where}: {row['subj']} has decided on {image_id} already")
            mine[image_id] = trial
    if not held:
        raise DataError(f"{path} holds no trials")
    return [_decisions(name, held[name]) for name in sorted(held)]


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        with file.open(newline="", encoding="utf-8") as handle:
            reader = csv.DictReader(handle)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{file} has no column {missing[0]!r}: the published format has {','.join(COLUMNS)}")
            for row in reader:
                if None in row or any(row[name] is None for name in COLUMNS):
                    raise DataError(f"{file.name}, line {reader.line_num}: not {len(reader.fieldnames or ())} fields")
                yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} is not a CSV file in UTF-8: {error}") from error


def _trial(row: Mapping[str, str], where: str) -> tuple[str, tuple[str, str, str]]:
    """Image id, and shape, texture and decision."""
    try:
        cues = read_cues(row["imagename"])
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    if row["category"] != cues.shape:
        raise DataError(f"{where}: the category {row['category']!r} is not the shape of {row['imagename']!r}")
    answer = row["object_response"]
    if answer not in CATEGORY_NUMBERS and answer != NO_ANSWER:
        hint = nearest_names(answer, (*CATEGORIES, NO_ANSWER))
        raise DataError(f"{where}: the response {answer!r} is neither a category nor {NO_ANSWER!r}; {hint}")
    stimulus = row["imagename"].replace("\\", "/").rpartition("/")[2].rpartition("_")[2]
    return f"{cues.shape}/{stimulus}", (*cues, answer)


def _decisions(name: str, trials: Mapping[str, tuple[str, str, str]]) -> Decisions:
    image_ids = sorted(trials)
    shape, texture, decision = np.array([trials[image_id] for image_id in image_ids]).T
    return Decisions(name, np.array(image_ids), shape, texture, decision)

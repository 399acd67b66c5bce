"""Decisions of humans and published networks on images of the 16 categories, as per-trial CSV files."""

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.data.categories import CATEGORIES, CATEGORY_NUMBERS, Cues, read_cues
from bench.errors import ConfigurationError, DataError, nearest_names

COLUMNS = ("subj", "session", "trial", "rt", "object_response", "category", "condition", "imagename")
"""Of the published files (rgeirhos/texture-vs-shape, bethgelab/model-vs-human)."""

NO_ANSWER = "na"
"""What the published files hold where an observer did not answer in time."""


CUE_CONFLICT = "cue_conflict"
"""The experiment whose images have a shape and a texture."""


@dataclass(frozen=True)
class Decisions:
    """What one decision maker answered in one experiment, by image id."""

    name: str
    """As the files call it: ``subject-01``, ``alexnet``."""
    experiment: str
    """``cue_conflict``, or what its files are called: ``edge``, ``silhouette``."""
    image_ids: NDArray[np.str_]
    """``(N,)`` unique: ``cat/cat7-elephant2.png``, ``cat/cat7.png``, as the published image folders have it; sorted."""
    shape: NDArray[np.str_]
    """``(N,)`` category of each shape."""
    texture: NDArray[np.str_]
    """``(N,)`` category of each texture; the shape's where the image has no cues."""
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
    files = sorted(path.glob("*.csv")) if path.is_dir() else []
    if not files:
        raise ConfigurationError(f"no CSV file of decisions at {path}: give path=FILE.csv or a folder of them")
    return files


def read_decisions(path: Path) -> list[Decisions]:
    """The decision makers of a file or folder, by experiment and name; sessions and files of one are joined.

    Raises:
        ConfigurationError: no file.
        DataError: not in the published format, an unknown category, or an image decided twice by one decision maker.
    """
    by_experiment: dict[tuple[str, str], dict[str, tuple[str, str, str]]] = {}
    for file in decision_files(path):
        for line, row in _rows(file):
            where = f"{file.name}, line {line}"
            image_id, trial, has_cues = _trial(row, where)
            mine = by_experiment.setdefault((CUE_CONFLICT if has_cues else _experiment(file), row["subj"]), {})
            if image_id in mine:
                raise DataError(f"{where}: {row['subj']} has decided on {image_id} already")
            mine[image_id] = trial
    if not by_experiment:
        raise DataError(f"{path} holds no trials")
    return [_decisions(name, experiment, by_experiment[experiment, name]) for experiment, name in sorted(by_experiment)]


def _experiment(file: Path) -> str:
    """``edge`` of ``edge-experiment_subject-01_session_1.csv`` or ``edge_alexnet_session-1.csv``."""
    return file.stem.partition("_")[0].removesuffix("-experiment")


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


def _trial(row: Mapping[str, str], where: str) -> tuple[str, tuple[str, str, str], bool]:
    """Image id; shape, texture and decision; whether the image has cues."""
    stimulus = row["imagename"].replace("\\", "/").rpartition("/")[2].rpartition("_")[2]
    plain = re.fullmatch(r"([a-z]+)\d+", stimulus.partition(".")[0])
    try:
        cues = read_cues(row["imagename"]) if plain is None else Cues(plain[1], plain[1])
    except DataError as error:
        raise DataError(f"{where}: {error}, nor that of one of a category, such as cat/cat7.png") from error
    if cues.shape not in CATEGORY_NUMBERS:
        raise DataError(f"{where}: {row['imagename']!r} names {cues.shape!r}: {nearest_names(cues.shape, CATEGORIES)}")
    if row["category"] != cues.shape:
        raise DataError(f"{where}: the category {row['category']!r} is not the shape of {row['imagename']!r}")
    answer = row["object_response"]
    if answer not in CATEGORY_NUMBERS and answer != NO_ANSWER:
        hint = nearest_names(answer, (*CATEGORIES, NO_ANSWER))
        raise DataError(f"{where}: the response {answer!r} is neither a category nor {NO_ANSWER!r}; {hint}")
    return f"{cues.shape}/{stimulus}", (*cues, answer), plain is None


def _decisions(name: str, experiment: str, trials: Mapping[str, tuple[str, str, str]]) -> Decisions:
    image_ids = sorted(trials)
    shape, texture, decision = np.array([trials[image_id] for image_id in image_ids]).T
    return Decisions(name, experiment, np.array(image_ids), shape, texture, decision)

"""What the page knows of its pictures: conditions, labels, and every classifier's answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from bench.data import Crops
from bench.data.label_spaces import column_names
from bench.records import Condition
from bench.reports.entries import LeaderboardEntry
from bench.reports.images.choose import Shown, variant_of


@dataclass(frozen=True)
class Strip:
    """Pictures side by side in one file: one kind of change at all its strengths."""

    benchmark: str
    """Key of the benchmark."""
    name: str
    """Name of the change."""
    conditions: Sequence[Condition]
    """By strength."""


def strips_of(conditions: Sequence[Shown]) -> list[Strip]:
    """The conditions of all benchmarks in strips, in the order in which they come."""
    groups = groupby(conditions, key=lambda shown: (shown[0], shown[1].name))
    return [Strip(key, name, [condition for _, condition in group]) for (key, name), group in groups]


def page_data(
    entries: Sequence[LeaderboardEntry], strips: Sequence[Strip], crops: Crops, positions: Sequence[int]
) -> dict[str, Any]:
    """The part of the page's data that is about one set of images.

    Args:
        entries: the rows of the leaderboard on it.
        strips: what is pictured.
        crops: the images.
        positions: of those that are pictured.

    Returns:
        ``title``; ``rows``, the labels of the classifiers; ``images`` with name and label; ``conditions`` with their
        words and the place of their picture; ``answers``: by row, condition and image ``[class, confidence in per
        mille, whether it is right]``, or nothing where the classifier was not shown it; ``classes``, by number.
    """
    conditions = [
        {
            "entry": entries_title(entries, strip.benchmark),
            "name": strip.name,
            "words": _words(entries, strip.benchmark, condition).replace("_", " "),
            "strip": number,
            "place": place,
        }
        for number, strip in enumerate(strips)
        for place, condition in enumerate(strip.conditions)
    ]
    answers = [
        [
            list(_answers(entry, strip.benchmark, condition, positions))
            for strip in strips
            for condition in strip.conditions
        ]
        for entry in entries
    ]
    named = column_names(crops.label_space, None)
    labels = [int(label) for label in crops.labels[list(positions)]]
    used = {answer[0] for row in answers for column in row for answer in column if answer} | set(labels)
    return {
        "title": crops.name,
        "n_images": len(crops),
        "rows": [entry.label for entry in entries],
        "images": [
            {"id": str(crops.image_ids[position]), "label": label}
            for position, label in zip(positions, labels, strict=True)
        ],
        "conditions": conditions,
        "answers": answers,
        "classes": {str(number): _name(named, number) for number in sorted(used)},
    }


def entries_title(entries: Sequence[LeaderboardEntry], benchmark: str) -> str:
    """What people call a benchmark that one of the rows has."""
    variant = variant_of(entries, benchmark)
    return variant.declared.entry_title(variant.spec.entry)


def _words(entries: Sequence[LeaderboardEntry], benchmark: str, condition: Condition) -> str:
    return variant_of(entries, benchmark).describe(condition)


def _answers(
    entry: LeaderboardEntry, benchmark: str, condition: Condition, positions: Sequence[int]
) -> Iterator[list[int]]:
    if not entry.has(benchmark, condition):
        yield from ([] for _ in positions)
        return
    wanted = set(positions)
    rows: Mapping[int, tuple[int, float, int]] = {
        int(position): (int(prediction), float(confidence), int(prediction == label))
        for position, prediction, confidence, label in entry.outcomes(benchmark, condition)[
            ["position", "prediction", "confidence", "label"]
        ].itertuples(index=False)
        if position in wanted
    }
    for position in positions:
        found = rows.get(position)
        yield [] if found is None else [found[0], round(1000 * float(np.nan_to_num(found[1]))), found[2]]


def _name(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else "none of the classes"

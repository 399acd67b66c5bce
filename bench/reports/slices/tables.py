"""Accuracy by group of images and by class, and the confusions that grow under a condition; no forward pass."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.data.groups import ImageGroups
from bench.data.label_spaces import WHOLE_SPACES
from bench.errors import DataError
from bench.metrics.estimates import exact_interval
from bench.metrics.sampling import Hits
from bench.metrics.slices import slice_accuracies
from bench.records import Condition
from bench.reports.entries import LeaderboardEntry
from bench.reports.reference import REFERENCE, REFERENCE_CONDITION
from bench.reports.tables import identity

SLICES = [
    *("label", "protocol", "classifier", "weights_digest", "dataset", "benchmark", "condition", "strength"),
    *("factor", "group", "n_images", "accuracy", "accuracy_low", "accuracy_high", "overall", "gap", "error_ratio"),
    *("p_value", "p_corrected", "worst"),
]
CLASSES = [
    *("label", "protocol", "classifier", "weights_digest", "dataset", "class", "class_name", "n_images"),
    *("accuracy", "accuracy_low", "accuracy_high", "taken_for", "taken_for_name", "taken_for_count"),
]
CONFUSIONS = [
    *("label", "protocol", "classifier", "weights_digest", "dataset", "benchmark", "condition", "strength"),
    *("class", "class_name", "taken_for", "taken_for_name", "count", "clean_count", "growth"),
]
MOST_CONFUSIONS = 10
"""Of each condition: those that grow most."""


@dataclass(frozen=True)
class _Cell:
    """One complete cell of an entry."""

    entry: LeaderboardEntry
    benchmark: str
    condition: Condition

    @property
    def identity(self) -> dict[str, object]:
        return {
            **identity(self.entry),
            "dataset": self.entry.benchmarks[self.benchmark].spec.dataset,
            "benchmark": self.benchmark,
            "condition": self.condition.name,
            "strength": self.condition.strength,
        }

    @property
    def hits(self) -> Hits:
        return self.entry.hits(self.benchmark, self.condition)

    @property
    def images(self) -> tuple[str, bytes]:
        """Equal for cells that were shown the same images."""
        spec = self.entry.benchmarks[self.benchmark].spec
        return spec.dataset_digest, self.hits.positions.tobytes() if self.sampled else b""

    @property
    def sampled(self) -> bool:
        return self.entry.benchmarks[self.benchmark].cells[self.condition].sampled

    def decisions(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """``(N,)`` labels and predictions of the images with outcomes."""
        table = self.entry.store.some_columns(
            self.entry.benchmarks[self.benchmark].cells[self.condition].spec, ["label", "prediction"], sampled=True
        )
        return table["label"].to_numpy(), table["prediction"].to_numpy()


def _complete_cells(entries: Sequence[LeaderboardEntry]) -> Iterator[_Cell]:
    for entry in entries:
        for benchmark in sorted(entry.benchmarks):
            for condition in entry.conditions(benchmark):
                if entry.has(benchmark, condition):
                    yield _Cell(entry, benchmark, condition)


def slice_table(entries: Sequence[LeaderboardEntry], groups: ImageGroups) -> pd.DataFrame:
    """One row per complete cell and group of its images: the columns ``SLICES``.

    ``overall`` is the accuracy on all images that the groups list; ``gap`` is the group's minus that; ``worst`` marks
    the group of the lowest accuracy of each cell and factor, or among all factors of yes and no.

    Args:
        entries: with their protocols.
        groups: of the images.

    Raises:
        DataError: no image of any cell is listed.
    """
    by_images: dict[tuple[str, bytes], list[_Cell]] = {}
    for cell in _complete_cells(entries):
        by_images.setdefault(cell.images, []).append(cell)
    frames = []
    for cells in by_images.values():
        first = cells[0]
        ids = first.entry.outcomes(first.benchmark, first.condition)["image_id"].tolist()
        positions, rows = groups.rows_of(ids)
        if len(positions):
            frames.append(_sliced(cells, positions, groups, groups.members[rows]))
    if not frames:
        raise DataError(f"{groups.source} lists none of the images in the store, such as {_an_image(entries)}")
    return pd.concat(frames, ignore_index=True)


def _an_image(entries: Sequence[LeaderboardEntry]) -> str:
    cell = next(_complete_cells(entries), None)
    return "" if cell is None else str(cell.entry.outcomes(cell.benchmark, cell.condition)["image_id"].iloc[0])


def _sliced(
    cells: Sequence[_Cell], positions: NDArray[np.int64], groups: ImageGroups, members: NDArray[np.bool_]
) -> pd.DataFrame:
    slices = slice_accuracies(np.stack([cell.hits.right[positions] for cell in cells]), members)
    n_groups = len(groups.factors)
    table = pd.DataFrame([cell.identity for cell in cells]).loc[np.repeat(np.arange(len(cells)), n_groups)]
    table = table.reset_index(drop=True)
    yes = groups.values == "yes"
    table["factor"], table["group"] = np.tile(groups.factors, len(cells)), np.tile(groups.values, len(cells))
    table["n_images"] = np.tile(slices.n, len(cells))
    for name, values in (
        ("accuracy", slices.accuracy),
        ("accuracy_low", slices.low),
        ("accuracy_high", slices.high),
        ("overall", np.repeat(slices.overall[:, None], n_groups, axis=1)),
        ("gap", slices.accuracy - slices.overall[:, None]),
        ("error_ratio", slices.error_ratio),
        ("p_value", slices.p_value),
        ("p_corrected", slices.p_corrected),
        ("worst", _worst(slices.accuracy, np.where(yes, "", groups.factors))),
    ):
        table[name] = values.ravel()
    return table[table["n_images"] > 0][SLICES]


def _worst(accuracy: NDArray[np.float64], families: NDArray[np.str_]) -> NDArray[np.bool_]:
    """``(C,G)`` whether a group has the lowest accuracy of its cell among the groups of one family."""
    marked = np.zeros(accuracy.shape, dtype=bool)
    for family in np.unique(families):
        own = np.flatnonzero(families == family)
        known = own[~np.isnan(accuracy[:, own]).all(axis=0)]
        if len(known):
            lowest = known[np.nanargmin(accuracy[:, known], axis=1)]
            marked[np.arange(len(accuracy)), lowest] = True
    return marked


def class_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry and class, on unchanged images, the hardest first: the columns ``CLASSES``.

    ``taken_for`` is the class that it is most often taken for.
    """
    frames = [_classes(entry) for entry in entries if entry.has_clean]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=CLASSES)


def _classes(entry: LeaderboardEntry) -> pd.DataFrame:
    labels, predictions = _Cell(entry, REFERENCE.name, REFERENCE_CONDITION).decisions()
    names = _names(entry, REFERENCE.name)
    right = labels == predictions
    classes, place = np.unique(labels, return_inverse=True)
    n, hits = (np.bincount(place, weights=weights).astype(np.int64) for weights in (np.ones(len(place)), right))
    low, high = exact_interval(hits, n)
    confused = _confusions(labels, predictions)
    largest: dict[int, tuple[int, int]] = {}
    for (true, predicted), count in confused.items():
        if count > largest.get(true, (0, 0))[1]:
            largest[true] = predicted, count
    taken = [largest.get(int(number), (-1, 0)) for number in classes]
    table = pd.DataFrame(
        {
            **identity(entry),
            "class": classes,
            "class_name": [names.get(int(number), str(number)) for number in classes],
            "n_images": n,
            "accuracy": hits / n,
            "accuracy_low": low,
            "accuracy_high": high,
            "taken_for": [number for number, _ in taken],
            "taken_for_name": [names.get(number, "") for number, _ in taken],
            "taken_for_count": [count for _, count in taken],
        }
    )
    return table.sort_values(["accuracy", "class"], kind="stable")[CLASSES]


def confusion_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """The confusions of two classes that grow most under each condition: the columns ``CONFUSIONS``.

    ``growth`` is the number of images of ``class`` that are taken for ``taken_for`` under the condition, minus that
    number on the unchanged images. Conditions with a sample of the images are left out: they were shown others.
    """
    whole = [entry for entry in entries if entry.has_clean and not entry.is_sampled(REFERENCE.name)]
    rows = [row for entry in whole for row in _growing(entry)]
    return pd.DataFrame(rows, columns=CONFUSIONS)


def _growing(entry: LeaderboardEntry) -> Iterator[dict[str, object]]:
    clean = _Cell(entry, REFERENCE.name, REFERENCE_CONDITION)
    before = _confusions(*clean.decisions())
    digest, names = entry.spec.dataset_digest, _names(entry, REFERENCE.name)
    for cell in _complete_cells([entry]):
        spec = entry.benchmarks[cell.benchmark].spec
        if cell == clean or cell.sampled or spec.dataset_digest != digest or spec.label_space != entry.spec.label_space:
            continue
        now = _confusions(*cell.decisions())
        growth = {pair: count - before.get(pair, 0) for pair, count in now.items()}
        for (true, predicted), grown in sorted(growth.items(), key=lambda item: (-item[1], item[0]))[:MOST_CONFUSIONS]:
            if grown > 0:
                yield {
                    **cell.identity,
                    "class": true,
                    "class_name": names.get(true, str(true)),
                    "taken_for": predicted,
                    "taken_for_name": names.get(predicted, str(predicted)),
                    "count": now[true, predicted],
                    "clean_count": before.get((true, predicted), 0),
                    "growth": grown,
                }


def _confusions(labels: NDArray[np.int64], predictions: NDArray[np.int64]) -> dict[tuple[int, int], int]:
    """(class, class it is taken for) -> images."""
    wrong = labels != predictions
    pairs, counts = np.unique(np.stack([labels[wrong], predictions[wrong]]), axis=1, return_counts=True)
    return {
        (int(true), int(predicted)): int(count)
        for true, predicted, count in zip(*pairs.tolist(), counts.tolist(), strict=True)
    }


def _names(entry: LeaderboardEntry, benchmark: str) -> Mapping[int, str]:
    """Class names, of label spaces that are known by name."""
    space = WHOLE_SPACES.get(entry.benchmarks[benchmark].spec.label_space)
    return {} if space is None else dict(enumerate(space().readable_names))

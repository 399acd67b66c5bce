"""What a store holds and lacks, counted by classifier, images and entry of a suite; no rows are read."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bench.records import Condition
from bench.results.store import StoredCell


@dataclass(frozen=True)
class SuiteEntry:
    """An entry of a suite that stored cells are compared with."""

    conditions: frozenset[Condition]
    """The conditions that it runs."""
    dataset: str | None
    """Name of its own images; None if it takes the main ones."""


@dataclass(frozen=True)
class EntryCount:
    """The cells of one entry of a suite."""

    complete: int
    """Conditions with a complete cell, or with the sample that a budget asked for; of the expected ones only, if these
    are known."""
    expected: int | None
    """Conditions that should be there; None if nothing says so."""
    sampled: int = 0
    """How many of the complete ones have a sample alone."""

    def __str__(self) -> str:
        counts = f"{self.complete}" if self.expected is None else f"{self.complete}/{self.expected}"
        return f"{counts} ({self.sampled} sampled)" if self.sampled else counts


@dataclass(frozen=True)
class Holding:
    """The cells of one classifier on one dataset."""

    classifier: str
    """Name of the classifier, with its defense."""
    weights_digest: str
    """Of the classifier."""
    images: str
    """Name of the dataset and number of images: ``samples (20)``."""
    counts: Mapping[str, EntryCount]
    """By entry of the suite."""
    n_failed: int
    """Cells with a failure that has not been computed since."""


def holdings(cells: Collection[StoredCell], suite: Mapping[str, SuiteEntry] = MappingProxyType({})) -> list[Holding]:
    """One holding per classifier and dataset, sorted.

    Args:
        cells: of the store.
        suite: entries whose conditions are expected; if empty, every classifier is expected to have the
            conditions that any classifier has on the same images.
    """
    rows: dict[tuple[str, str, str], list[StoredCell]] = {}
    for cell in cells:
        spec = cell.spec
        classifier = f"{spec.classifier} behind {spec.defense}" if spec.defense else spec.classifier
        rows.setdefault((classifier, spec.weights_digest, f"{spec.dataset} ({spec.n_images})"), []).append(cell)
    by_images: dict[str, list[StoredCell]] = {}
    for (_, _, images), stored in rows.items():
        by_images.setdefault(images, []).extend(stored)
    return [
        Holding(
            classifier,
            digest,
            images,
            _counts(stored, _suite_conditions(stored, suite) if suite else _stored_conditions(by_images[images])),
            sum(bool(cell.failures) for cell in stored),
        )
        for (classifier, digest, images), stored in sorted(rows.items())
    ]


def _stored_conditions(cells: Sequence[StoredCell]) -> dict[str, frozenset[Condition]]:
    conditions: dict[str, set[Condition]] = {}
    for cell in cells:
        conditions.setdefault(cell.spec.entry, set()).add(cell.spec.condition)
    return {entry: frozenset(values) for entry, values in conditions.items()}


def _suite_conditions(cells: Sequence[StoredCell], suite: Mapping[str, SuiteEntry]) -> dict[str, frozenset[Condition]]:
    """What the suite runs on the images of ``cells``: entries with these images of their own, and, if any entry
    without images of its own was run on them, all such entries.
    """
    dataset, stored = cells[0].spec.dataset, {cell.spec.entry for cell in cells}
    is_main = any(name in stored and entry.dataset is None for name, entry in suite.items())
    return {
        name: entry.conditions
        for name, entry in suite.items()
        if entry.dataset == dataset or (entry.dataset is None and is_main)
    }


def _counts(cells: Sequence[StoredCell], expected: Mapping[str, frozenset[Condition]]) -> dict[str, EntryCount]:
    counts = {}
    for entry in sorted({*expected, *(cell.spec.entry for cell in cells)}):
        conditions = expected.get(entry)
        complete = {
            cell.spec.condition: cell.sampled
            for cell in cells
            if cell.spec.entry == entry and cell.usable and (conditions is None or cell.spec.condition in conditions)
        }
        expected_count = None if conditions is None else len(conditions)
        counts[entry] = EntryCount(len(complete), expected_count, sum(complete.values()))
    return counts

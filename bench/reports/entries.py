"""The entries of a leaderboard: each a classifier on one dataset under one protocol, with its outcomes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks.protocol import PUBLISHED
from bench.benchmarks.registry import is_known
from bench.errors import DataError
from bench.metrics.sampling import Hits, completed
from bench.records import Condition, Provenance, RunSpec
from bench.reports.grouping import EntryCells, group_cells
from bench.reports.reference import REFERENCE, REFERENCE_CONDITION
from bench.reports.variants import Variant, variants_of
from bench.results import Store, StoredCell

LABEL_FIELDS = ("dataset", "label_space", "crop", "precision", "weights_digest", "dataset_digest", "n_classes", "seed")
"""Fields of the run identity that are added to the labels of entries with the same name, in this order, until every
label is unique."""


@dataclass(frozen=True)
class LeaderboardEntry:
    """A classifier on one dataset under one protocol: one row of the leaderboard."""

    spec: RunSpec
    """The identity of one of its cells; classifier, dataset and protocol are the same in all."""
    provenance: Provenance
    """The provenance of its newest cell."""
    benchmarks: Mapping[str, Variant]
    """The newest variant of each benchmark, by ``key_of``."""
    older: Sequence[tuple[str, Variant]]
    """Other variants in the store, which are not on the leaderboard."""
    store: Store
    """Where the outcomes are."""
    label: str = ""
    """Its name, unique in the report."""
    protocol: str = ""
    """Letter of the protocol: entries with the same letter may be ranked together."""
    expected: Mapping[str, Mapping[Condition, str]] = field(default_factory=dict)
    """The conditions that the protocol calls for, by benchmark, each with its description."""
    _hits: dict[str, Hits] = field(default_factory=dict, repr=False, compare=False)

    def correct(self, benchmark: str, condition: Condition) -> NDArray[Any]:
        """``(N,)`` whether each image is classified correctly, in dataset order.

        Booleans; of a sample, floats (``bench.metrics.sampling.completed``), whose mean is that of the sample.

        Raises:
            DataError: the cell is missing, incomplete or failed.
        """
        hits = self.hits(benchmark, condition)
        if len(hits.right) == hits.n_images:
            return hits.right
        return completed(hits.right, hits.positions, hits.n_images)

    def hits(self, benchmark: str, condition: Condition) -> Hits:
        """Whether each image that has an outcome is classified correctly.

        It is read once and kept in memory, since many figures need it.

        Raises:
            DataError: the cell is missing, incomplete or failed.
        """
        spec = self._known_cell(benchmark, condition).spec
        if spec.cell_id not in self._hits:
            self._hits[spec.cell_id] = Hits(*self.store.sampled_correct(spec), spec.n_images)
        return self._hits[spec.cell_id]

    def outcomes(self, benchmark: str, condition: Condition) -> pd.DataFrame:
        """Every column of the cell, one row per image that has an outcome, in dataset order; read in each call.

        Raises:
            DataError: the cell is missing, incomplete or failed.
        """
        return self.store.outcomes(self._known_cell(benchmark, condition).spec, sampled=True)

    def _known_cell(self, benchmark: str, condition: Condition) -> StoredCell:
        variant = self.benchmarks.get(benchmark)
        if variant is None:
            raise DataError(f"{benchmark} was not run")
        words = variant.describe(condition)
        cell = variant.cells.get(condition)
        if cell is None:
            raise DataError(f"{benchmark}, {words}: not run")
        if cell.failures:
            raise DataError(f"{benchmark}, {words}: failed: {cell.failures[0].error}")
        if not cell.usable:
            raise DataError(f"{benchmark}, {words}: {cell.n_stored} of {cell.spec.n_images} images")
        return cell

    @property
    def attacks(self) -> Mapping[str, Variant]:
        """The attacks on the classifier itself: every benchmark with a threat model, by ``key_of``."""
        return {name: variant for name, variant in self.benchmarks.items() if variant.spec.threat is not None}

    def is_control(self, attack: str) -> bool:
        """Whether an attack is only random noise, which every real attack must beat; it has no column."""
        return self.benchmarks[attack].threat.control

    def conditions(self, benchmark: str) -> list[Condition]:
        """Conditions of the benchmark that have a cell, sorted by name and strength."""
        variant = self.benchmarks.get(benchmark)
        return sorted(variant.cells) if variant else []

    def has(self, benchmark: str, condition: Condition) -> bool:
        """Whether the images have outcomes under the condition: all of them, or the sample that a budget asked for."""
        variant = self.benchmarks.get(benchmark)
        cell = None if variant is None else variant.cells.get(condition)
        return cell is not None and cell.usable

    def is_sampled(self, benchmark: str) -> bool:
        """Whether a condition of the benchmark has the outcomes of a sample alone."""
        variant = self.benchmarks.get(benchmark)
        return variant is not None and any(cell.sampled for cell in variant.cells.values())

    @property
    def has_clean(self) -> bool:
        """Whether the unchanged images have outcomes, as ``has`` says."""
        return self.has(REFERENCE.name, REFERENCE_CONDITION)

    def clean(self) -> NDArray[Any]:
        """``(N,)`` whether each unchanged image is classified correctly, as of ``correct``.

        Raises:
            DataError: the cell is missing, incomplete or failed.
        """
        return self.correct(REFERENCE.name, REFERENCE_CONDITION)

    def parameter(self, benchmark: str, name: str) -> str:
        """A parameter of the benchmark as text; empty where the benchmark was not run."""
        variant = self.benchmarks.get(benchmark)
        return "" if variant is None else str(variant.parameters.get(name, ""))


def newest(entries: Iterable[LeaderboardEntry]) -> LeaderboardEntry:
    """The entry whose newest cell was started last; needs at least one entry."""
    return max(entries, key=lambda entry: entry.provenance.started)


def read_entries(store: Store, *, until: str = "", allow_none: bool = False) -> list[LeaderboardEntry]:
    """Every classifier and protocol in the store. Imported decision makers are no classifiers and are left out.

    Outcomes on images that a benchmark brings itself (auxiliary images) join every entry that the same classifier has
    on main images. Where it has none, they make an entry of their own.

    Args:
        store: only read.
        until: a date such as ``2026-11-01``: only cells that were started on it or before; empty for all cells.
        allow_none: return an empty list, not an error, for a store with nothing but imported decision makers.

    Raises:
        DataError: the store is empty, or has nothing that was run (until that date).
    """
    stored = store.cells()
    cells = [cell for cell in stored if is_known(cell.spec.benchmark) and not is_imported(cell.spec)]
    if stored and not cells and allow_none:
        return []
    if until and cells:
        first = min(cell.provenance.started for cell in cells)[:10]
        cells = [cell for cell in cells if cell.provenance.started[:10] <= until]
        if not cells:
            raise DataError(f"the store {store.root} has nothing from {until} or before: it begins on {first}")
    if not cells:
        absent = absent_plugins(store)
        if absent:
            raise DataError(f"the store {store.root} has nothing that can be reported here: {absent[0]}")
        content = "has only imported decisions" if stored else "is empty"
        raise DataError(f"the store {store.root} {content}: run a sweep first, e.g. snowwolf")
    return _with_labels([_entry(group, store) for group in group_cells(cells)])


def absent_plugins(store: Store) -> list[str]:
    """One sentence per stored benchmark that is not installed here: how many cells it has, and what to install."""
    unknown: dict[tuple[str, str], list[StoredCell]] = {}
    for cell in store.cells():
        if not is_known(cell.spec.benchmark):
            unknown.setdefault((cell.spec.benchmark, cell.spec.version), []).append(cell)
    sentences = []
    for (name, version), cells in sorted(unknown.items()):
        classifiers = ", ".join(sorted({cell.spec.classifier for cell in cells}))
        plugins = {f"{plugin} {number}" for cell in cells for plugin, number in cell.provenance.plugins.items()}
        ran = f" (the plug-ins then were {', '.join(sorted(plugins))})" if plugins else ""
        sentences.append(
            f"{len(cells)} cells of the benchmark {name} (version {version}; {classifiers}) are left out, since nothing"
            " installed here declares it: install its plug-in, or name the plug-in's file with"
            f" plugins=[FILE]{ran}"
        )
    return sentences


def is_imported(spec: RunSpec) -> bool:
    """Whether a cell has the decisions of a person or a published network (``task=import_decisions``)."""
    return bool(spec.decision_maker)


def _entry(cells: EntryCells, store: Store) -> LeaderboardEntry:
    variants = variants_of((*cells.main, *cells.auxiliary))
    last = max(cells.main, key=lambda cell: cell.provenance.started)
    return LeaderboardEntry(last.spec, last.provenance, variants.newest, variants.older, store)


def _with_labels(entries: Sequence[LeaderboardEntry]) -> list[LeaderboardEntry]:
    """Give each entry a unique label: the classifier's name, and the fields in which entries of that name differ."""
    labels = [
        " · ".join(filter(None, (entry.spec.classifier, entry.spec.defense, _other_image_protocol(entry))))
        for entry in entries
    ]
    for name in LABEL_FIELDS:
        repeated = {label for label in labels if labels.count(label) > 1}
        if not repeated:
            break
        values = [str(getattr(entry.spec, name)) for entry in entries]
        if len(set(values)) > 1:
            labels = [
                f"{label} · {value}" if label in repeated and value else label
                for label, value in zip(labels, values, strict=True)
            ]
    return [replace(entry, label=label) for entry, label in zip(entries, labels, strict=True)]


def _other_image_protocol(entry: LeaderboardEntry) -> str:
    """``native`` where changed images were not made in the published way; empty otherwise."""
    protocols = {variant.spec.image_protocol for variant in entry.benchmarks.values()}
    return " ".join(sorted(protocols - {"", PUBLISHED}))

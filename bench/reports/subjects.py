"""Who is reported on: a classifier under one protocol, with its outcomes by benchmark and condition."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.records import Condition, Parameter, Provenance, RunSpec
from bench.reports.words import describe_condition
from bench.results import Store, StoredCell

TOLD_APART_BY = ("dataset", "label_space", "crop", "precision", "weights_digest", "dataset_digest", "n_classes", "seed")
"""What is added to the names of rows of one classifier, until they differ."""
BY_ENTRY = ("attack", "sixteen_way", "parametric")
"""Benchmarks of which a suite may have several, each a measurement of its own: reports find them by their entry."""


@dataclass(frozen=True)
class Variant:
    """One benchmark under one version and set of parameters."""

    benchmark: str
    """The benchmark's own name."""
    version: str
    """The benchmark's version."""
    parameters: Mapping[str, Parameter]
    """What identifies it beside conditions."""
    cells: Mapping[Condition, StoredCell]
    """Its cells."""

    @property
    def unit(self) -> str:
        """What the strengths of its conditions count, or the first's where they differ."""
        return self.cells[min(self.cells)].spec.strength_unit

    def describe(self, condition: Condition) -> str:
        """A condition in words, whether or not it was run."""
        spec = (self.cells.get(condition) or self.cells[min(self.cells)]).spec
        return describe_condition(
            condition, spec.strength_unit, (spec.benchmark, spec.entry, *spec.parameters.values())
        )

    @property
    def rank(self) -> tuple[bool, str]:
        """The highest stands on the leaderboard: whole before half-run, then the one computed last."""
        whole = all(cell.complete for cell in self.cells.values())
        return whole, max(cell.provenance.started for cell in self.cells.values())


@dataclass(frozen=True)
class Subject:
    """A classifier on one dataset under one protocol: a row of the leaderboard."""

    spec: RunSpec
    """Any of its cells' identities: classifier, dataset and protocol are the same in all."""
    provenance: Provenance
    """Of its newest cell."""
    benchmarks: Mapping[str, Variant]
    """The newest variant of each benchmark, by ``key_of``."""
    older: Sequence[tuple[str, Variant]]
    """Other variants in the store, left out of the leaderboard."""
    store: Store
    """Where the outcomes are."""
    label: str = ""
    """Name that no other subject of the report has."""
    protocol: str = ""
    """Letter of the protocol: rows with the same letter may be ranked together."""
    expected: Mapping[str, Mapping[Condition, str]] = field(default_factory=dict)
    """The conditions that the protocol calls for, by benchmark, each in words."""
    _correct: dict[str, NDArray[np.bool_]] = field(default_factory=dict, repr=False, compare=False)

    def correct(self, benchmark: str, condition: Condition) -> NDArray[np.bool_]:
        """``(N,)`` whether each image is classified correctly, in dataset order; kept, since many figures need it.

        Raises:
            DataError: the cell is missing, incomplete or failed.
        """
        spec = self._whole_cell(benchmark, condition).spec
        if spec.cell_id not in self._correct:
            self._correct[spec.cell_id] = self.store.correct(spec)
        return self._correct[spec.cell_id]

    def outcomes(self, benchmark: str, condition: Condition) -> pd.DataFrame:
        """Every column of the cell, one row an image, in dataset order; read anew each time.

        Raises:
            DataError: the cell is missing, incomplete or failed.
        """
        return self.store.outcomes(self._whole_cell(benchmark, condition).spec)

    def _whole_cell(self, benchmark: str, condition: Condition) -> StoredCell:
        variant = self.benchmarks.get(benchmark)
        if variant is None:
            raise DataError(f"{benchmark} was not run")
        words = variant.describe(condition)
        cell = variant.cells.get(condition)
        if cell is None:
            raise DataError(f"{benchmark}, {words}: not run")
        if cell.failures:
            raise DataError(f"{benchmark}, {words}: failed: {cell.failures[0].error}")
        if not cell.complete:
            raise DataError(f"{benchmark}, {words}: {cell.n_stored} of {cell.spec.n_images} images")
        return cell

    @property
    def attacks(self) -> Mapping[str, Variant]:
        """The benchmarks that attack within a ball (``bench.benchmarks.attack``), by name."""
        return {name: variant for name, variant in self.benchmarks.items() if "attack" in variant.parameters}

    def conditions(self, benchmark: str) -> list[Condition]:
        """Conditions of the benchmark that have a cell, by name and strength."""
        variant = self.benchmarks.get(benchmark)
        return sorted(variant.cells) if variant else []

    def complete(self, benchmark: str, condition: Condition) -> bool:
        """Whether every image has an outcome under the condition."""
        variant = self.benchmarks.get(benchmark)
        return variant is not None and condition in variant.cells and variant.cells[condition].complete

    def parameter(self, benchmark: str, name: str) -> str:
        """A parameter of the benchmark as text; empty where it was not run."""
        variant = self.benchmarks.get(benchmark)
        return "" if variant is None else str(variant.parameters.get(name, ""))


def newest(subjects: Iterable[Subject]) -> Subject:
    """The one that was begun last, of at least one."""
    return max(subjects, key=lambda subject: subject.provenance.started)


def read_subjects(store: Store, *, until: str = "", allow_none: bool = False) -> list[Subject]:
    """Every classifier and protocol in the store; decision makers that were imported are no classifiers.

    Outcomes on images of the 16 categories come from a dataset of their own: they join every other row of the same
    classifier, and make one where there is none.

    Args:
        store: read, never written.
        until: a date, ``2026-11-01``: only the cells that were begun on it or before; empty for all.
        allow_none: whether a store of imported decision makers alone will do; there is nobody in it then.

    Raises:
        DataError: the store is empty, or holds nothing that was run (until then).
    """
    everyone = store.cells()
    cells = [cell for cell in everyone if not is_imported(cell.spec)]
    if everyone and not cells and allow_none:
        return []
    if until and cells:
        first = min(cell.provenance.started for cell in cells)[:10]
        cells = [cell for cell in cells if cell.provenance.started[:10] <= until]
        if not cells:
            raise DataError(f"the store {store.root} holds nothing from {until} or before: it begins on {first}")
    if not cells:
        holds = "holds imported decisions alone" if everyone else "is empty"
        raise DataError(f"the store {store.root} {holds}: run a sweep first, e.g. python run.py")
    homes, guests = _grouped(cells, guests=False), _grouped(cells, guests=True)
    subjects = [
        _subject(shown, _guests_of(group[0].spec, guests), store)
        for group in homes.values()
        for shown in _by_image_protocol(group)
    ]
    housed = {_identity(group[0].spec) for group in homes.values()}
    alone = [group for group in guests.values() if _identity(group[0].spec) not in housed]
    return _with_labels([*subjects, *(_subject(group, [], store) for group in alone)])


def is_imported(spec: RunSpec) -> bool:
    """Whether a cell holds the decisions of a person or a published network (``task=import_decisions``)."""
    return "decision_maker" in spec.parameters


def key_of(spec: RunSpec) -> str:
    """By what reports find a cell: its benchmark, whatever the suite calls it; of ``BY_ENTRY`` the suite's entry.

    One that departs from its standard says so in its key, and so in every table and column.
    """
    return spec.title if spec.benchmark in BY_ENTRY else spec.benchmark


def protocol_of(spec: RunSpec) -> tuple[object, ...]:
    """What all cells of one row of the leaderboard share."""
    return (
        spec.classifier,
        spec.weights_digest,
        spec.defense,
        spec.crop,
        spec.precision,
        spec.dataset,
        spec.dataset_digest,
        spec.label_space,
        spec.n_classes,
        spec.seed,
    )


def _identity(spec: RunSpec) -> tuple[object, ...]:
    return spec.classifier, spec.weights_digest, spec.defense, spec.precision, spec.seed


def _is_guest(spec: RunSpec) -> bool:
    return "categories" in spec.parameters


def _grouped(cells: Sequence[StoredCell], *, guests: bool) -> dict[tuple[object, ...], list[StoredCell]]:
    groups: dict[tuple[object, ...], list[StoredCell]] = {}
    for cell in cells:
        if _is_guest(cell.spec) == guests:
            groups.setdefault(protocol_of(cell.spec), []).append(cell)
    return groups


def _by_image_protocol(cells: Sequence[StoredCell]) -> list[list[StoredCell]]:
    """The cells of one row for each protocol of corrupted images, ``published`` or ``native``, that is among them.

    Cells that know no such protocol (clean images, attacks) belong to every row.
    """
    protocols = sorted({str(cell.spec.parameters["protocol"]) for cell in cells if "protocol" in cell.spec.parameters})
    return [
        [cell for cell in cells if cell.spec.parameters.get("protocol", protocol) == protocol]
        for protocol in protocols or [""]
    ]


def _guests_of(home: RunSpec, guests: Mapping[tuple[object, ...], Sequence[StoredCell]]) -> list[StoredCell]:
    return [cell for group in guests.values() for cell in group if _identity(cell.spec) == _identity(home)]


def _subject(cells: Sequence[StoredCell], guests: Sequence[StoredCell], store: Store) -> Subject:
    variants: dict[tuple[str, str], dict[Condition, StoredCell]] = {}
    for cell in sorted((*cells, *guests), key=lambda cell: (cell.complete, cell.provenance.started)):
        parameters = replace(cell.spec, condition=Condition(""), entry="").to_json()
        variants.setdefault((key_of(cell.spec), parameters), {})[cell.spec.condition] = cell
    by_benchmark: dict[str, list[Variant]] = {}
    for (key, _), held in variants.items():
        spec = next(iter(held.values())).spec
        variant = Variant(spec.benchmark, spec.version, _variant_parameters(spec), held)
        by_benchmark.setdefault(key, []).append(variant)
    # what was run on the row's own images stands before a guest of the same name
    ranked = {
        name: sorted(held, key=lambda variant: ("categories" not in variant.parameters, *variant.rank))
        for name, held in by_benchmark.items()
    }
    latest = {name: held[-1] for name, held in ranked.items()}
    older = [(name, variant) for name, held in ranked.items() for variant in held[:-1]]
    last = max(cells, key=lambda cell: cell.provenance.started)
    return Subject(last.spec, last.provenance, latest, older, store)


def _variant_parameters(spec: RunSpec) -> Mapping[str, Parameter]:
    """A guest's dataset is not the row's, so it is told with the parameters."""
    own: dict[str, Parameter] = {
        "dataset": spec.dataset,
        "images": spec.n_images,
        "dataset_digest": spec.dataset_digest,
    }
    return {**spec.parameters, **own} if _is_guest(spec) else spec.parameters


def _with_labels(subjects: list[Subject]) -> list[Subject]:
    """Add to each name what tells it from others of that name."""

    def unique(labels: list[str]) -> bool:
        return len(set(labels)) == len(labels)

    labels = [
        " · ".join(filter(None, (subject.spec.classifier, subject.spec.defense, _unpublished(subject))))
        for subject in subjects
    ]
    for part in TOLD_APART_BY:
        if unique(labels):
            break
        values = [str(getattr(subject.spec, part)) for subject in subjects]
        twice = {label for label in labels if labels.count(label) > 1}
        if len(set(values)) > 1:
            labels = [
                f"{label} · {value}" if label in twice and value else label
                for label, value in zip(labels, values, strict=True)
            ]
    return [replace(subject, label=label) for subject, label in zip(subjects, labels, strict=True)]


def _unpublished(subject: Subject) -> str:
    """``native`` where corrupted images were not made the published way; empty otherwise."""
    protocols = {str(variant.parameters.get("protocol", "published")) for variant in subject.benchmarks.values()}
    return " ".join(sorted(protocols - {"published"}))

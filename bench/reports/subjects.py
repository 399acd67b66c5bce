"""Who is reported on: a classifier under one protocol, with its outcomes by benchmark and condition."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks import Benchmark
from bench.benchmarks.clean import Clean
from bench.benchmarks.protocol import PUBLISHED
from bench.benchmarks.registry import benchmark_class, is_known
from bench.benchmarks.words import CLEAN
from bench.errors import DataError
from bench.records import Condition, Parameter, Provenance, RunSpec, ThreatModel
from bench.results import Store, StoredCell

TOLD_APART_BY = ("dataset", "label_space", "crop", "precision", "weights_digest", "dataset_digest", "n_classes", "seed")
"""What is added to the names of rows of one classifier, until they differ."""


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
    def declared(self) -> type[Benchmark]:
        """What is known of the benchmark."""
        return benchmark_class(self.benchmark)

    @property
    def spec(self) -> RunSpec:
        """The identity of its first cell: all but the condition is the same in the others."""
        return self.cells[min(self.cells)].spec

    @property
    def threat(self) -> ThreatModel:
        """Of an attack: what it may do and see.

        Raises:
            DataError: it is no attack.
        """
        if self.spec.threat is None:
            raise DataError(f"{self.benchmark} is no attack")
        return self.spec.threat

    @property
    def unit(self) -> str:
        """What the strengths of its conditions count, or the first's where they differ."""
        return self.spec.strength_unit

    def describe(self, condition: Condition) -> str:
        """A condition in words, whether or not it was run."""
        spec = (self.cells.get(condition) or self.cells[min(self.cells)]).spec
        return self.declared.describe(condition, spec.strength_unit, (spec.entry, *spec.parameters.values()))

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
        """The attacks on the classifier itself, by name."""
        return {name: variant for name, variant in self.benchmarks.items() if variant.spec.threat is not None}

    def is_control(self, attack: str) -> bool:
        """Whether it is no attack but random noise, which every attack must beat; it has no column."""
        return self.benchmarks[attack].threat.control

    def conditions(self, benchmark: str) -> list[Condition]:
        """Conditions of the benchmark that have a cell, by name and strength."""
        variant = self.benchmarks.get(benchmark)
        return sorted(variant.cells) if variant else []

    def complete(self, benchmark: str, condition: Condition) -> bool:
        """Whether every image has an outcome under the condition."""
        variant = self.benchmarks.get(benchmark)
        return variant is not None and condition in variant.cells and variant.cells[condition].complete

    def measured(self, benchmark: str) -> "MeasuredEntry":
        """What the benchmark's metrics are computed from.

        Raises:
            DataError: it was not run.
        """
        if benchmark not in self.benchmarks:
            raise DataError(f"{benchmark} was not run")
        return MeasuredEntry(self, benchmark)

    @property
    def has_clean(self) -> bool:
        """Whether every clean image has an outcome."""
        return self.complete(Clean.name, CLEAN)

    def clean(self) -> NDArray[np.bool_]:
        """``(N,)`` whether each clean image is classified correctly.

        Raises:
            DataError: the cell is missing, incomplete or failed.
        """
        return self.correct(Clean.name, CLEAN)

    def parameter(self, benchmark: str, name: str) -> str:
        """A parameter of the benchmark as text; empty where it was not run."""
        variant = self.benchmarks.get(benchmark)
        return "" if variant is None else str(variant.parameters.get(name, ""))


@dataclass(frozen=True)
class MeasuredEntry:
    """One benchmark of a subject, as its metrics see it (``bench.benchmarks.Measured``)."""

    subject: Subject
    """Whose outcomes they are."""
    name: str
    """The benchmark, by ``key_of``; the subject has it."""

    @property
    def spec(self) -> RunSpec:
        """The identity of its first cell."""
        return self.subject.benchmarks[self.name].spec

    @property
    def conditions(self) -> Sequence[Condition]:
        """The complete ones, by name and strength."""
        return [item for item in self.subject.conditions(self.name) if self.subject.complete(self.name, item)]

    @property
    def expected(self) -> Sequence[Condition]:
        """Those that the subject's protocol calls for, by name and strength."""
        return sorted(self.subject.expected[self.name])

    def correct(self, condition: Condition) -> NDArray[np.bool_]:
        """As ``Subject.correct``."""
        return self.subject.correct(self.name, condition)

    def outcomes(self, condition: Condition) -> pd.DataFrame:
        """As ``Subject.outcomes``."""
        return self.subject.outcomes(self.name, condition)

    def describe(self, condition: Condition) -> str:
        """The condition in words."""
        return self.subject.benchmarks[self.name].describe(condition)

    def clean(self) -> NDArray[np.bool_]:
        """Whether each of the same images is classified correctly as it is.

        Raises:
            DataError: they were not run as they are.
        """
        if not self.spec.auxiliary:
            return self.subject.clean()
        for name, variant in self.subject.benchmarks.items():
            if variant.declared is Clean and variant.spec.dataset_digest == self.spec.dataset_digest:
                return self.subject.correct(name, CLEAN)
        raise DataError(
            f"the images of {self.spec.dataset} were not run as they are: add an entry of {Clean.name} to them"
        )


def newest(subjects: Iterable[Subject]) -> Subject:
    """The one that was begun last, of at least one."""
    return max(subjects, key=lambda subject: subject.provenance.started)


def read_subjects(store: Store, *, until: str = "", allow_none: bool = False) -> list[Subject]:
    """Every classifier and protocol in the store; decision makers that were imported are no classifiers.

    Outcomes on images that a benchmark brings (auxiliary ones) join every row that the same classifier has on main
    images, and make a row where there is none.

    Args:
        store: read, never written.
        until: a date, ``2026-11-01``: only the cells that were begun on it or before; empty for all.
        allow_none: whether a store of imported decision makers alone will do; there is nobody in it then.

    Raises:
        DataError: the store is empty, or holds nothing that was run (until then).
    """
    everyone = store.cells()
    cells = [cell for cell in everyone if is_known(cell.spec.benchmark) and not is_imported(cell.spec)]
    if everyone and not cells and allow_none:
        return []
    if until and cells:
        first = min(cell.provenance.started for cell in cells)[:10]
        cells = [cell for cell in cells if cell.provenance.started[:10] <= until]
        if not cells:
            raise DataError(f"the store {store.root} holds nothing from {until} or before: it begins on {first}")
    if not cells:
        absent = absent_plugins(store)
        if absent:
            raise DataError(f"the store {store.root} has nothing that can be reported here: {absent[0]}")
        holds = "holds imported decisions alone" if everyone else "is empty"
        raise DataError(f"the store {store.root} {holds}: run a sweep first, e.g. python run.py")
    primary, auxiliary = _grouped(cells, auxiliary=False), _grouped(cells, auxiliary=True)
    subjects = [
        _subject(shown, _auxiliary_of(shown, auxiliary), store)
        for group in primary.values()
        for shown in _by_image_protocol(group)
    ]
    known = {_identity(group[0].spec) for group in primary.values()}
    alone = [group for group in auxiliary.values() if _identity(group[0].spec) not in known]
    return _with_labels([*subjects, *(_subject(group, [], store) for group in alone)])


def absent_plugins(store: Store) -> list[str]:
    """One sentence per stored benchmark that is not installed here: how many cells it has, and what to install."""
    unknown: dict[tuple[str, str], list[StoredCell]] = {}
    for cell in store.cells():
        if not is_known(cell.spec.benchmark):
            unknown.setdefault((cell.spec.benchmark, cell.spec.version), []).append(cell)
    sentences = []
    for (name, version), cells in sorted(unknown.items()):
        who = ", ".join(sorted({cell.spec.classifier for cell in cells}))
        known = {f"{plugin} {of}" for cell in cells for plugin, of in cell.provenance.plugins.items()}
        ran = f" (the plug-ins then were {', '.join(sorted(known))})" if known else ""
        sentences.append(
            f"{len(cells)} cells of the benchmark {name} (version {version}; {who}) are left out, since nothing"
            " installed here declares it: install its plug-in, or name the plug-in's file with"
            f" plugins=[FILE]{ran}"
        )
    return sentences


def is_imported(spec: RunSpec) -> bool:
    """Whether a cell holds the decisions of a person or a published network (``task=import_decisions``)."""
    return bool(spec.decision_maker)


def key_of(spec: RunSpec) -> str:
    """By what reports find a cell: its benchmark, whatever the suite calls it; the suite's entry where a row may hold
    several of the benchmark: PGD and FGSM, or the clean images and another set beside them.

    One that departs from its standard says so in its key, and so in every table and column.
    """
    declared = benchmark_class(spec.benchmark)
    if declared.several:
        return spec.title
    if not spec.auxiliary or declared.own_images:
        return spec.benchmark
    return spec.title if spec.entry != spec.benchmark else f"{spec.title} on {spec.dataset}"


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


def _grouped(cells: Sequence[StoredCell], *, auxiliary: bool) -> dict[tuple[object, ...], list[StoredCell]]:
    groups: dict[tuple[object, ...], list[StoredCell]] = {}
    for cell in cells:
        if cell.spec.auxiliary == auxiliary:
            groups.setdefault(protocol_of(cell.spec), []).append(cell)
    return groups


def _by_image_protocol(cells: Sequence[StoredCell]) -> list[list[StoredCell]]:
    """The cells of one row for each protocol of changed images, ``published`` or ``native``, that is among them.

    Cells that know no such protocol (clean images, attacks) belong to every row.
    """
    protocols = sorted({cell.spec.image_protocol for cell in cells} - {""})
    return [[cell for cell in cells if cell.spec.image_protocol in ("", protocol)] for protocol in protocols or [""]]


def _auxiliary_of(
    cells: Sequence[StoredCell], auxiliary: Mapping[tuple[object, ...], Sequence[StoredCell]]
) -> list[StoredCell]:
    """The auxiliary cells of the same classifier; changed images only of the row's own protocol, where it has one."""
    identity = _identity(cells[0].spec)
    protocols = {cell.spec.image_protocol for cell in cells} - {""}
    return [
        cell
        for group in auxiliary.values()
        for cell in group
        if _identity(cell.spec) == identity and (not protocols or cell.spec.image_protocol in {"", *protocols})
    ]


def _subject(cells: Sequence[StoredCell], auxiliary: Sequence[StoredCell], store: Store) -> Subject:
    variants: dict[tuple[str, str], dict[Condition, StoredCell]] = {}
    for cell in sorted((*cells, *auxiliary), key=lambda cell: (cell.complete, cell.provenance.started)):
        # the unit and the surrogate go with the condition, and are no part of the measurement
        parameters = replace(cell.spec, condition=Condition(""), entry="", strength_unit="", surrogate="").to_json()
        variants.setdefault((key_of(cell.spec), parameters), {})[cell.spec.condition] = cell
    by_benchmark: dict[str, list[Variant]] = {}
    for (key, _), held in variants.items():
        spec = next(iter(held.values())).spec
        variant = Variant(spec.benchmark, spec.version, _variant_parameters(spec), held)
        by_benchmark.setdefault(key, []).append(variant)
    # what was run on the row's main images stands before auxiliary images of the same name
    ranked = {
        name: sorted(held, key=lambda variant: (not variant.spec.auxiliary, *variant.rank))
        for name, held in by_benchmark.items()
    }
    latest = {name: held[-1] for name, held in ranked.items()}
    older = [(name, variant) for name, held in ranked.items() for variant in held[:-1]]
    last = max(cells, key=lambda cell: cell.provenance.started)
    return Subject(last.spec, last.provenance, latest, older, store)


def _variant_parameters(spec: RunSpec) -> Mapping[str, Parameter]:
    """The dataset of auxiliary images is not the row's, so it is stated with the parameters."""
    own: dict[str, Parameter] = {
        "dataset": spec.dataset,
        "images": spec.n_images,
        "dataset_digest": spec.dataset_digest,
    }
    return {**spec.parameters, **own} if spec.auxiliary else spec.parameters


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
    protocols = {variant.spec.image_protocol for variant in subject.benchmarks.values()}
    return " ".join(sorted(protocols - {"", PUBLISHED}))

"""The columns of a leaderboard: one for each metric of each benchmark that was run.

Where a leaderboard may show several suite entries of one benchmark (``pgd`` and ``fgsm`` of ``attack``), each of them
has columns of its own, and its name is part of their names.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bench.benchmarks import Benchmark, Metric
from bench.benchmarks.metric import largest_strength
from bench.benchmarks.registry import all_benchmarks
from bench.records import Condition, Estimate
from bench.reports.entries import LeaderboardEntry
from bench.reports.measured import measured
from bench.reports.protocols import describe_variant
from bench.reports.reference import REFERENCE


@dataclass(frozen=True)
class Column:
    """One column of a leaderboard: a metric of one benchmark, or of one suite entry of that benchmark."""

    benchmark: str
    """Its key in ``LeaderboardEntry.benchmarks`` (``bench.reports.grouping.key_of``): name of benchmark or entry."""
    declared: type[Benchmark]
    """The benchmark's class, which declares the metric."""
    metric: Metric
    """How the value is computed and shown."""

    @property
    def name(self) -> str:
        """Its name in the CSV file; the bounds of its 95 % interval are in ``<name>_low`` and ``<name>_high``."""
        return f"{self.benchmark}_{self.metric.name}" if self.is_of_suite_entry else self.metric.name

    @property
    def title(self) -> str:
        """Heading on the page: ``PGD robust accuracy``, ``sketch: Clean accuracy`` or ``mCE``."""
        if self.declared.several:
            return f"{self.suite_entry_title} {self.metric.title}"
        return f"{self.suite_entry_title}: {self.metric.title}" if self.is_of_suite_entry else self.metric.title

    @property
    def is_of_suite_entry(self) -> bool:
        """Whether the leaderboard may have this metric for several suite entries, so that the name must say which."""
        return self.declared.several or self.benchmark != self.declared.name

    @property
    def suite_entry_title(self) -> str:
        """The suite entry's name in headings."""
        return self.declared.entry_title(self.benchmark)

    @property
    def axis(self) -> str:
        """Heading over all columns of the benchmark."""
        return axis_of(self.declared)

    @property
    def better(self) -> str:
        """Whether ``higher`` or ``lower`` values are better."""
        return self.metric.better

    @property
    def percent(self) -> bool:
        """Whether the value is a fraction in [0,1] that is shown in percent."""
        return self.metric.percent

    @property
    def is_reference(self) -> bool:
        """Whether it is the reference accuracy: that on the unchanged main images."""
        return self.declared is REFERENCE and not self.is_of_suite_entry

    @property
    def under_shift(self) -> bool:
        """Whether it is an accuracy on changed or auxiliary images, to be compared with the reference accuracy."""
        return self.metric.under_shift or (self.declared is REFERENCE and self.is_of_suite_entry)

    @property
    def on_front(self) -> bool:
        """Whether it is one of the metrics that the Pareto front is computed from."""
        return self.metric.on_front and not self.is_of_suite_entry

    @property
    def order(self) -> int | None:
        """Priority as a sort key of the rows, lowest number first; None if rows are not sorted by it."""
        return None if self.is_of_suite_entry else self.metric.order

    def set_of(self, entry: LeaderboardEntry) -> str:
        """What a value on auxiliary images depends on: the benchmark's version and parameters, as text.

        Only values with the same text are ranked together. Empty for a value on the main images, since the entry's
        protocol covers those.
        """
        variant = entry.benchmarks.get(self.benchmark)
        if variant is None or not variant.spec.auxiliary:
            return ""
        return describe_variant(variant)

    @property
    def strength_column(self) -> str:
        """CSV column with the strength that the value is measured at; empty if the value covers all strengths."""
        return f"{self.benchmark}_{self.declared.strength_unit}" if self.metric.at_largest_strength else ""

    def values(self, entry: LeaderboardEntry) -> NDArray[Any]:
        """``(N,)`` one value per image; their mean is the metric.

        Raises:
            DataError: the benchmark was not run, or something is missing; the message says what.
        """
        return measured(entry, self.benchmark).values(self.metric)

    def exact(self, entry: LeaderboardEntry) -> Estimate | None:
        """The metric with its own interval; None for most metrics, whose interval is computed from ``values``.

        Raises:
            DataError: as for ``values``.
        """
        return measured(entry, self.benchmark).estimate(self.metric)

    def n_images(self, entry: LeaderboardEntry) -> int:
        """Images that the metric rests on, where its interval is computed from ``values``."""
        return measured(entry, self.benchmark).n_images()

    def strength(self, entry: LeaderboardEntry) -> Condition:
        """The condition with the largest strength, the same for all entries of a protocol.

        Raises:
            DataError: the benchmark was not run, or not at a strength above 0.
        """
        return largest_strength(measured(entry, self.benchmark))


def axis_of(declared: type[Benchmark]) -> str:
    """The axis that a benchmark declares, or the benchmark's name if it declares none."""
    return declared.axis or declared.name


def standard_columns() -> tuple[Column, ...]:
    """The columns that need no store to be known: those of the usual suite entries, in the order of the CSV file."""
    return tuple(
        Column(suite_entry, declared, metric)
        for declared in all_benchmarks()
        for suite_entry in _usual_suite_entries(declared)
        for metric in declared.metrics
    )


def columns_of(entries: Sequence[LeaderboardEntry]) -> tuple[Column, ...]:
    """The columns of a leaderboard of ``entries``: the metrics of what was run, and those that are always shown."""
    run: dict[str, set[str]] = {}  # benchmark name -> the keys that entries have it under
    controls: set[str] = set()
    for entry in entries:
        controls |= {key for key in entry.attacks if entry.is_control(key)}
        for key, variant in entry.benchmarks.items():
            run.setdefault(variant.benchmark, set()).add(key)
    return tuple(
        column
        for declared in all_benchmarks()
        for column in _columns_of_benchmark(declared, run.get(declared.name, set()) - controls)
        if column.metric.applies is None or _applies(column, entries)
    )


def _applies(column: Column, entries: Sequence[LeaderboardEntry]) -> bool:
    """Whether the metric exists for any entry that ran the benchmark."""
    variants = [entry.benchmarks[column.benchmark] for entry in entries if column.benchmark in entry.benchmarks]
    return column.metric.applies is not None and any(column.metric.applies(variant.spec) for variant in variants)


def _columns_of_benchmark(declared: type[Benchmark], run: Set[str]) -> Iterator[Column]:
    """The columns of one benchmark: usual suite entries first, then the others in alphabetical order."""
    usual = _usual_suite_entries(declared)
    for suite_entry in (*usual, *sorted(run - set(usual))):
        for metric in declared.metrics:
            if suite_entry in run or metric.always:
                yield Column(suite_entry, declared, metric)


def _usual_suite_entries(declared: type[Benchmark]) -> tuple[str, ...]:
    """The suite entries whose names the benchmark declares; its own name if a suite has it only once."""
    return tuple(declared.entry_titles) if declared.several else (declared.name,)


def columns_named(names: Sequence[str], entries: Sequence[LeaderboardEntry]) -> tuple[Column, ...]:
    """The columns called ``names``, even if no entry ran their benchmark; other names are ignored.

    Args:
        names: column names of a CSV file, such as ``leaderboard.csv``, with those of the interval bounds.
        entries: the entries whose suite entries are known too, in addition to the usual ones.
    """
    known = {column.name: column for column in (*standard_columns(), *columns_of(entries))}
    unknown = unknown_figures(names, tuple(known.values()))
    known |= {column.name: column for name in unknown for column in _guess_columns(name)}
    return tuple(column for name, column in known.items() if name in names)


def unknown_figures(names: Sequence[str], known: Sequence[Column]) -> list[str]:
    """Those of ``names`` that have an interval, as all metrics do, but are not among the ``known`` columns."""
    known_names = {column.name for column in known}
    return [name for name in names if f"{name}_low" in names and name not in known_names]


def _guess_columns(name: str) -> Iterator[Column]:
    """The columns that ``name`` may stand for, read as ``<suite entry>_<metric>``; for suite entries not run here."""
    for declared in all_benchmarks():
        for metric in declared.metrics:
            if name.endswith(f"_{metric.name}"):
                yield Column(name.removesuffix(f"_{metric.name}"), declared, metric)

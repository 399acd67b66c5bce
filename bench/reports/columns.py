"""The columns of a leaderboard: the metrics that benchmarks declare, for the suite entries that were run."""

from collections.abc import Iterable, Iterator, Sequence
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
    """One figure of each classifier: a metric of one benchmark, or of one suite entry of it."""

    benchmark: str
    """The benchmark, by ``bench.reports.grouping.key_of``."""
    declared: type[Benchmark]
    """The benchmark's class, with its declarations."""
    metric: Metric
    """How the figure is computed and shown."""

    @property
    def name(self) -> str:
        """Column of the CSV file; its interval is in ``<name>_low`` and ``<name>_high``."""
        return f"{self.benchmark}_{self.metric.name}" if self.is_of_suite_entry else self.metric.name

    @property
    def title(self) -> str:
        """Heading on the page."""
        if self.declared.several:
            return f"{self.suite_entry_title} {self.metric.title}"
        return f"{self.suite_entry_title}: {self.metric.title}" if self.is_of_suite_entry else self.metric.title

    @property
    def is_of_suite_entry(self) -> bool:
        """Whether a row may have the figure for several suite entries, so that the suite entry is part of its name."""
        return self.declared.several or self.benchmark != self.declared.name

    @property
    def suite_entry_title(self) -> str:
        """The name of the benchmark's suite entry in headings."""
        return self.declared.entry_title(self.benchmark)

    @property
    def axis(self) -> str:
        """Heading over the columns of the benchmark."""
        return axis_of(self.declared)

    @property
    def better(self) -> str:
        """``higher`` or ``lower``."""
        return self.metric.better

    @property
    def percent(self) -> bool:
        """Whether the value is a share of 1, shown in percent."""
        return self.metric.percent

    @property
    def is_reference(self) -> bool:
        """Whether it is the accuracy on the unchanged images, with which accuracies on changed images are compared."""
        return self.declared is REFERENCE and not self.is_of_suite_entry

    @property
    def under_shift(self) -> bool:
        """Whether it is an accuracy on changed or other images, which is compared with the reference accuracy."""
        return self.metric.under_shift or (self.declared is REFERENCE and self.is_of_suite_entry)

    @property
    def on_front(self) -> bool:
        """Whether the Pareto front is computed over it."""
        return self.metric.on_front and not self.is_of_suite_entry

    @property
    def order(self) -> int | None:
        """Place among the figures that rows are sorted by; None where rows are not sorted by it."""
        return None if self.is_of_suite_entry else self.metric.order

    def set_of(self, entry: LeaderboardEntry) -> str:
        """Which auxiliary images the figure is measured on, and how; empty where it is on the entry's main images."""
        variant = entry.benchmarks.get(self.benchmark)
        if variant is None or not variant.spec.auxiliary:
            return ""
        return describe_variant(variant)

    @property
    def strength_column(self) -> str:
        """Column with the strength that the figure is measured at; empty where it is over all strengths."""
        return f"{self.benchmark}_{self.declared.strength_unit}" if self.metric.at_largest_strength else ""

    def values(self, entry: LeaderboardEntry) -> NDArray[Any]:
        """``(N,)`` the value of each image, in the unit of the metric.

        Raises:
            DataError: the benchmark was not run, or something is missing; the message says what.
        """
        return self.metric.values(measured(entry, self.benchmark))

    def exact(self, entry: LeaderboardEntry) -> Estimate | None:
        """The figure itself, where the metric declares a better interval than the one from ``values``.

        Raises:
            DataError: as ``values``.
        """
        return None if self.metric.exact is None else self.metric.exact(measured(entry, self.benchmark))

    def strength(self, entry: LeaderboardEntry) -> Condition:
        """The condition that the figure is measured at, the same for all entries of a protocol.

        Raises:
            DataError: the benchmark was not run, or at no strength above 0.
        """
        return largest_strength(measured(entry, self.benchmark))


def axis_of(declared: type[Benchmark]) -> str:
    """The axis that a benchmark declares; its name where it declares none."""
    return declared.axis or declared.name


def standard_columns() -> tuple[Column, ...]:
    """The columns that are known without a store: those of the usual suite entries, in the order of the CSV file."""
    return tuple(
        Column(suite_entry, declared, metric)
        for declared in all_benchmarks()
        for suite_entry in _usual_suite_entries(declared)
        for metric in declared.metrics
    )


def columns_of(entries: Sequence[LeaderboardEntry]) -> tuple[Column, ...]:
    """The columns of a leaderboard of ``entries``: those that are always on it, and the metrics of what was run."""
    run: dict[str, set[str]] = {}
    controls: set[str] = set()
    for entry in entries:
        controls |= {name for name in entry.attacks if entry.is_control(name)}
        for name, variant in entry.benchmarks.items():
            run.setdefault(variant.benchmark, set()).add(name)
    return tuple(
        column
        for declared in all_benchmarks()
        for column in _columns(declared, run.get(declared.name, set()) - controls)
    )


def _columns(declared: type[Benchmark], run: Iterable[str]) -> Iterator[Column]:
    """The columns of one benchmark: usual suite entries first, others by name."""
    usual, present = _usual_suite_entries(declared), set(run)
    for suite_entry in (*usual, *sorted(present - set(usual))):
        for metric in declared.metrics:
            if suite_entry in present or metric.always:
                yield Column(suite_entry, declared, metric)


def _usual_suite_entries(declared: type[Benchmark]) -> tuple[str, ...]:
    return tuple(declared.entry_titles) if declared.several else (declared.name,)


def columns_named(names: Sequence[str], entries: Sequence[LeaderboardEntry]) -> tuple[Column, ...]:
    """The columns called ``names``, whether or not an entry ran their benchmarks; unknown names are left out.

    Args:
        names: of columns, such as those of a ``leaderboard.csv``.
        entries: their suite entries are known, beside the usual ones.
    """
    known = {column.name: column for column in (*standard_columns(), *columns_of(entries))}
    further = unknown_figures(names, tuple(known.values()))
    known |= {column.name: column for name in further for column in _of_suite_entry(name)}
    return tuple(column for name, column in known.items() if name in names)


def unknown_figures(names: Sequence[str], known: Sequence[Column]) -> list[str]:
    """Which of ``names`` are figures with an interval, and not among the ``known`` columns."""
    declared = {column.name for column in known}
    return [name for name in names if f"{name}_low" in names and name not in declared]


def _of_suite_entry(name: str) -> Iterator[Column]:
    """The column of a suite entry that no entry here has, by the metric names that benchmarks declare."""
    for declared in all_benchmarks():
        for metric in declared.metrics:
            if name.endswith(f"_{metric.name}"):
                yield Column(name.removesuffix(f"_{metric.name}"), declared, metric)

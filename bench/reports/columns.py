"""The columns of a leaderboard: the metrics that benchmarks declare, for the entries that were run."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bench.benchmarks import Benchmark, Metric
from bench.benchmarks.clean import Clean
from bench.benchmarks.metric import largest_strength
from bench.benchmarks.registry import all_benchmarks
from bench.records import Condition, Estimate
from bench.reports.protocols import describe_variant
from bench.reports.subjects import Subject


@dataclass(frozen=True)
class Column:
    """One figure of each classifier: a metric of one benchmark, or of one entry of it."""

    benchmark: str
    """The benchmark, by ``bench.reports.subjects.key_of``."""
    declared: type[Benchmark]
    """What is known of it."""
    metric: Metric
    """How the figure is computed and shown."""

    @property
    def name(self) -> str:
        """Column of the CSV file; its interval is in ``<name>_low`` and ``<name>_high``."""
        return f"{self.benchmark}_{self.metric.name}" if self.is_of_an_entry else self.metric.name

    @property
    def title(self) -> str:
        """Heading on the page."""
        if self.declared.several:
            return f"{self.entry_title} {self.metric.title}"
        return f"{self.entry_title}: {self.metric.title}" if self.is_of_an_entry else self.metric.title

    @property
    def is_of_an_entry(self) -> bool:
        """Whether a row may have the figure of several entries, so that the entry is part of its name."""
        return self.declared.several or self.benchmark != self.declared.name

    @property
    def entry_title(self) -> str:
        """What headings call the benchmark's entry."""
        return self.declared.entry_title(self.benchmark)

    @property
    def axis(self) -> str:
        """Heading over the columns of the benchmark."""
        return self.declared.axis or self.declared.name

    @property
    def better(self) -> str:
        """``higher`` or ``lower``."""
        return self.metric.better

    @property
    def percent(self) -> bool:
        """Whether the value is a share of 1, to be shown in percent."""
        return self.metric.percent

    @property
    def is_reference(self) -> bool:
        """Whether it is the accuracy on the clean images, with which accuracies on changed ones are compared."""
        return self.declared is Clean and not self.is_of_an_entry

    @property
    def under_shift(self) -> bool:
        """Whether it is an accuracy on changed or other images, which is compared with the clean accuracy."""
        return self.metric.under_shift or (self.declared is Clean and self.is_of_an_entry)

    @property
    def on_front(self) -> bool:
        """Whether the Pareto front is drawn over it."""
        return self.metric.on_front and not self.is_of_an_entry

    @property
    def order(self) -> int | None:
        """Place among the figures that rows are ordered by; None where they are not."""
        return None if self.is_of_an_entry else self.metric.order

    def set_of(self, subject: Subject) -> str:
        """The images of the figure and how they are measured, where they are not the row's main images; else empty."""
        variant = subject.benchmarks.get(self.benchmark)
        if variant is None or not variant.spec.auxiliary:
            return ""
        return describe_variant(variant)

    @property
    def strength_column(self) -> str:
        """Column that states the strength the figure is at; empty where it is over all strengths."""
        return f"{self.benchmark}_{self.declared.strength_unit}" if self.metric.at_largest_strength else ""

    def values(self, subject: Subject) -> NDArray[Any]:
        """``(N,)`` what each image contributes.

        Raises:
            DataError: the benchmark was not run, or something is missing; the message says what.
        """
        return self.metric.values(subject.measured(self.benchmark))

    def exact(self, subject: Subject) -> Estimate | None:
        """The figure itself, where its interval is better than the one that the values give.

        Raises:
            DataError: as ``values``.
        """
        return None if self.metric.exact is None else self.metric.exact(subject.measured(self.benchmark))

    def strength(self, subject: Subject) -> Condition:
        """The condition that the figure is at, the same for all rows of a protocol.

        Raises:
            DataError: the benchmark was not run, or at no strength above 0.
        """
        return largest_strength(subject.measured(self.benchmark))


def standard_columns() -> tuple[Column, ...]:
    """The columns that can be known without a store: all but those of unusual entries, in the order of the CSV file."""
    return tuple(
        Column(entry, declared, metric)
        for declared in all_benchmarks()
        for entry in _usual_entries(declared)
        for metric in declared.metrics
    )


def columns_of(subjects: Sequence[Subject]) -> tuple[Column, ...]:
    """The columns of a leaderboard of ``subjects``: what is always on it, and the metrics of what was run."""
    run: dict[str, set[str]] = {}
    controls: set[str] = set()
    for subject in subjects:
        controls |= {name for name in subject.attacks if subject.is_control(name)}
        for name, variant in subject.benchmarks.items():
            run.setdefault(variant.benchmark, set()).add(name)
    return tuple(
        column
        for declared in all_benchmarks()
        for column in _columns(declared, run.get(declared.name, set()) - controls)
    )


def _columns(declared: type[Benchmark], run: Iterable[str]) -> Iterator[Column]:
    """Of one benchmark: usual entries first, others by name."""
    usual, present = _usual_entries(declared), set(run)
    for entry in (*usual, *sorted(present - set(usual))):
        for metric in declared.metrics:
            if entry in present or metric.always:
                yield Column(entry, declared, metric)


def _usual_entries(declared: type[Benchmark]) -> tuple[str, ...]:
    return tuple(declared.entry_titles) if declared.several else (declared.name,)


def columns_named(names: Sequence[str], subjects: Sequence[Subject]) -> tuple[Column, ...]:
    """The columns called ``names``, whether or not a subject ran their benchmarks; unknown names are left out.

    Args:
        names: of columns, such as those of a ``leaderboard.csv``.
        subjects: whose further entries are known.
    """
    known = {column.name: column for column in (*standard_columns(), *columns_of(subjects))}
    further = unknown_figures(names, tuple(known.values()))
    known |= {column.name: column for name in further for column in _of_an_entry(name)}
    return tuple(column for name, column in known.items() if name in names)


def unknown_figures(names: Sequence[str], known: Sequence[Column]) -> list[str]:
    """Which of ``names`` are figures with an interval, and none of the ``known`` columns."""
    declared = {column.name for column in known}
    return [name for name in names if f"{name}_low" in names and name not in declared]


def _of_an_entry(name: str) -> Iterator[Column]:
    """The column of an entry that nobody ran here, from the names that benchmarks declare."""
    for declared in all_benchmarks():
        for metric in declared.metrics:
            if name.endswith(f"_{metric.name}"):
                yield Column(name.removesuffix(f"_{metric.name}"), declared, metric)

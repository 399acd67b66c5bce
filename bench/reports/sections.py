"""The sections of a report: for each axis that benchmarks declare, its tables (CSV files) and its plots (on the page).

Each axis folder registers the function that makes its section, and so can a plug-in. An axis without such a function is
in the generic section of ``bench.reports.conditions``.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from bench.benchmarks.registry import all_benchmarks
from bench.data.groups import ImageGroups
from bench.errors import ConfigurationError
from bench.reports.columns import axis_of
from bench.reports.conditions import condition_plots, condition_table
from bench.reports.entries import LeaderboardEntry
from bench.reports.plots import Plot
from bench.reports.reference import REFERENCE
from bench.reports.tables import Leaderboard
from bench.results import Store

CHECK_COLUMNS = ("label", "classifier", "attack", "condition", "strength", "check", "passed", "message")
"""Columns of ``self_checks.csv``: one row per check."""
FIXED_TABLES = ("leaderboard.csv", "ranks.csv", "self_checks.csv", "missing.csv")
"""CSV files that every report has; no table of a section may have such a name."""


@dataclass(frozen=True)
class ReportData:
    """What a section is made from."""

    store: Store
    """The results store; only read."""
    entries: Sequence[LeaderboardEntry]
    """The entries of the leaderboard, with their protocols; empty where the store has only imported decisions."""
    board: Leaderboard
    """The leaderboard."""
    groups: ImageGroups | None = None
    """Groups of images that results are sliced by; None where none were asked for."""


@dataclass(frozen=True)
class PageTable:
    """A table of text on the page."""

    title: str
    """Heading."""
    note: str
    """How to read it."""
    heads: Sequence[str]
    """Headings of the columns."""
    rows: Sequence[Sequence[str]]
    """Cells, the first of each row its name."""


@dataclass(frozen=True)
class Section:
    """The part of a report on one axis, or on a few related axes."""

    tables: Mapping[str, pd.DataFrame]
    """The tables by the name of their CSV file. A table without rows is not written."""
    plots: Sequence[Plot]
    """The plots, in the order of the page."""
    checks: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(CHECK_COLUMNS)))
    """Self-checks of the section's figures, with the columns ``CHECK_COLUMNS``. The page marks the figure of a failed
    check."""
    page_tables: Sequence[PageTable] = ()
    """Tables of text, in the order of the page."""
    cautions: Sequence[str] = ()
    """Sentences at the top of the page: what makes figures doubtful."""

    def files(self) -> dict[str, str]:
        """File name -> CSV text, without the tables that have no rows."""
        return {name: table.to_csv(index=False) for name, table in self.tables.items() if len(table)}


SectionMaker = Callable[[ReportData], Section]
"""Makes a section. It is called once in every report, so it must accept a store without outcomes of its axes."""

_makers: dict[str, SectionMaker] = {}
_of_all_axes: dict[str, SectionMaker] = {}
"""Place of a function -> the function: sections about every axis."""


def register_section(*axes: str) -> Callable[[SectionMaker], SectionMaker]:
    """Decorator: the function makes the section of these axes.

    Args:
        axes: as the benchmarks declare them in ``Benchmark.axis``; the benchmark's name where it declares none. Without
            any, the section is about all axes and comes last.

    Raises:
        ConfigurationError: another function makes the section of one of the axes.
    """

    def register(make: SectionMaker) -> SectionMaker:
        for axis in axes:
            other = _makers.get(axis)
            if other is not None and _place(other) != _place(make):
                raise ConfigurationError(
                    f"two functions make the section of the axis {axis!r}: {_place(other)} and {_place(make)};"
                    " give the benchmark another axis"
                )
        _makers.update(dict.fromkeys(axes, make))
        if not axes:
            _of_all_axes[_place(make)] = make
        return make

    return register


def make_sections(data: ReportData) -> list[Section]:
    """Every registered section, in the order of the leaderboard's columns, the generic one, and those of all axes.

    Raises:
        ConfigurationError: a table's name is no file name, or is the name of another table.
    """
    axes = dict.fromkeys(axis_of(declared) for declared in all_benchmarks() if declared is not REFERENCE)
    makers = dict.fromkeys(_makers[axis] for axis in axes if axis in _makers)
    generic = _generic_section(data, [axis for axis in axes if axis not in _makers])
    sections = [*(make(data) for make in makers), generic, *(make(data) for make in _of_all_axes.values())]
    _check_names([name for section in sections for name in section.tables])
    return sections


def checks_of(sections: Sequence[Section]) -> pd.DataFrame:
    """The self-checks of all sections: ``self_checks.csv``."""
    checks = [section.checks for section in sections if len(section.checks)]
    return pd.concat(checks, ignore_index=True) if checks else pd.DataFrame(columns=list(CHECK_COLUMNS))


def _check_names(names: Sequence[str]) -> None:
    """Refuse table names that would write outside the report's folder or replace another table."""
    for name in names:
        if Path(name).name != name or not name.endswith(".csv"):
            raise ConfigurationError(f"a section of the report has the table {name!r}: name it NAME.csv")
    repeated = sorted(name for name, count in Counter([*FIXED_TABLES, *names]).items() if count > 1)
    if repeated:
        raise ConfigurationError(f"two tables of the report are called {', '.join(repeated)}: rename one")


def _generic_section(data: ReportData, axes: Sequence[str]) -> Section:
    """For axes that have no section of their own: the figure of each condition."""
    table = condition_table(data.entries, axes)
    return Section({"conditions.csv": table}, condition_plots(table))


def _place(make: SectionMaker) -> str:
    return f"{make.__module__}:{getattr(make, '__qualname__', make)}"

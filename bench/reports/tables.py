"""The pandas tables of a report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.errors import DataError
from bench.metrics.estimates import proportion
from bench.records import Estimate
from bench.reports.columns import Column, columns_of
from bench.reports.subjects import Subject
from bench.reports.summary import Summary, summarise

MISSING = Estimate(math.nan, math.nan, math.nan, 0)


@dataclass(frozen=True)
class Gap:
    """A figure that could not be computed."""

    subject: str
    """Label of the classifier."""
    column: str
    """Title of the column."""
    reason: str
    """What is missing."""


@dataclass(frozen=True)
class Leaderboard:
    """One row a subject, and what could not be filled in."""

    table: pd.DataFrame
    """The columns of ``leaderboard.csv``; the index holds the subjects' labels."""
    gaps: Sequence[Gap]
    """Every empty estimate that was asked of its subject's protocol, and the reason."""
    columns: Sequence[Column]
    """The estimates it has."""
    ranks: pd.DataFrame
    """One row a subject and column: ``ranks.csv``."""


def leaderboard(subjects: Sequence[Subject]) -> Leaderboard:
    """One row a subject: by protocol, then mCE, then (where mCE means nothing) mean corruption and clean accuracy.

    Subjects of which no column was asked, such as those that only saw a set of sketches, have no row.
    """
    columns = columns_of(subjects)
    shown = [subject for subject in subjects if any(column.benchmark in subject.expected for column in columns)]
    summary = summarise(shown, columns)
    auxiliary = _auxiliary(shown, columns)
    filled = [_row(subject, columns, summary, auxiliary) for subject in shown]
    rows, gaps = [row for row, _ in filled], [gap for _, missing in filled for gap in missing]
    index = pd.Index([subject.label for subject in shown], name="label")
    table = pd.DataFrame(rows, index=index, columns=_names(columns, auxiliary))
    ordering = order_columns(columns)
    keys, ascending = [column.name for column in ordering], [column.better == "lower" for column in ordering]
    table = table.sort_values(["protocol", *keys], ascending=[True, *ascending], kind="stable")
    return Leaderboard(table, gaps, columns, summary.ranks)


def order_columns(columns: Sequence[Column]) -> list[Column]:
    """Those that rows are ordered by, the first of them first."""
    ordering = [(column.order, column) for column in columns if column.order is not None]
    return [column for _, column in sorted(ordering, key=lambda pair: pair[0])]


def _auxiliary(subjects: Sequence[Subject], columns: Sequence[Column]) -> list[str]:
    """The benchmarks with a column that some row ran on images beside its main ones."""
    shown = dict.fromkeys(column.benchmark for column in columns)
    variants = [(name, subject.benchmarks.get(name)) for name in shown for subject in subjects]
    return list(dict.fromkeys(name for name, variant in variants if variant is not None and variant.spec.auxiliary))


def _row(
    subject: Subject, columns: Sequence[Column], summary: Summary, auxiliary: Sequence[str]
) -> tuple[dict[str, object], list[Gap]]:
    row: dict[str, object] = {
        "classifier": subject.spec.classifier,
        "weights_digest": subject.spec.weights_digest,
        "parameters": int(subject.provenance.cost["parameters"]),
        "gmacs": round(subject.provenance.cost["gmacs"], 4),
        "n_images": subject.spec.n_images,
    }
    gaps = []
    for column in columns:
        key = subject.label, column.name
        row |= interval(column.name, summary.estimates.get(key, MISSING))
        if key in summary.reasons and column.benchmark in subject.expected:
            gaps.append(Gap(subject.label, column.title, summary.reasons[key]))
    for column in columns:
        if column.strength_column:
            row[column.strength_column] = _strength(subject, column)
    for name in auxiliary:
        variant = subject.benchmarks.get(name)
        spec = variant.spec if variant is not None and variant.spec.auxiliary else None
        row |= {f"{name}_dataset": spec.dataset if spec else "", f"{name}_images": spec.n_images if spec else math.nan}
    row |= {
        "protocol": subject.protocol,
        **{
            f"{column.benchmark}_{name}": subject.parameter(column.benchmark, name)
            for column in columns
            for name in column.declared.stated_parameters
        },
        "dataset": subject.spec.dataset,
        "dataset_digest": subject.spec.dataset_digest,
        "crop": subject.spec.crop,
        "precision": subject.spec.precision,
        "defense": subject.spec.defense,
        "seed": subject.spec.seed,
        "notes": "; ".join(f"{gap.column}: {gap.reason}" for gap in gaps),
    }
    return row, gaps


def _names(columns: Sequence[Column], auxiliary: Sequence[str]) -> list[str]:
    """The columns of ``leaderboard.csv`` in order."""
    return [
        *("classifier", "weights_digest", "parameters", "gmacs", "n_images"),
        *(name for column in columns for name in interval(column.name, MISSING)),
        *(column.strength_column for column in columns if column.strength_column),
        *(f"{name}_{what}" for name in auxiliary for what in ("dataset", "images")),
        "protocol",
        *dict.fromkeys(
            f"{column.benchmark}_{name}" for column in columns for name in column.declared.stated_parameters
        ),
        *("dataset", "dataset_digest", "crop", "precision", "defense", "seed", "notes"),
    ]


def interval(name: str, estimate: Estimate) -> dict[str, float]:
    """An estimate as three columns: ``<name>``, ``<name>_low`` and ``<name>_high``."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _strength(subject: Subject, column: Column) -> float:
    try:
        return column.strength(subject).strength
    except DataError:
        return math.nan


def condition_accuracies(subjects: Sequence[Subject], benchmarks: Sequence[str]) -> pd.DataFrame:
    """Accuracy of every cell its protocol calls for: one row a subject, benchmark and condition, NaN where missing."""
    rows = []
    for subject in subjects:
        for benchmark in benchmarks:
            for condition in sorted(subject.expected.get(benchmark, ())):
                known = subject.complete(benchmark, condition)
                estimate = proportion(subject.correct(benchmark, condition)) if known else MISSING
                rows.append(
                    {
                        **identity(subject),
                        "benchmark": benchmark,
                        "condition": condition.name,
                        "strength": condition.strength,
                        **interval("accuracy", estimate),
                    }
                )
    return pd.DataFrame(rows)


def identity(subject: Subject) -> dict[str, object]:
    """The columns that say whose row it is."""
    return {
        "label": subject.label,
        "protocol": subject.protocol,
        "classifier": subject.spec.classifier,
        "weights_digest": subject.spec.weights_digest,
        "dataset": subject.spec.dataset,
    }


def to_markdown(board: Leaderboard, absent: Sequence[str] = ()) -> str:
    """The leaderboard as a Markdown table: value and interval in one cell; below it, what is left out.

    Args:
        board: its rows.
        absent: of ``absent_plugins``.
    """
    titles = ["Classifier", "Parameters (M)", "GMACs", "Images", *(column.title for column in board.columns)]
    rows = [
        [
            str(label),
            f"{row['parameters'] / 1e6:.2f}",
            f"{row['gmacs']:.2f}",
            str(row["n_images"]),
            *(format_estimate(row, column.name, percent=column.percent) for column in board.columns),
        ]
        for label, row in board.table.iterrows()
    ]
    gaps = [f"- {escape_markdown(gap.subject)}, {gap.column}: {escape_markdown(gap.reason)}" for gap in board.gaps]
    gaps += [f"- {escape_markdown(sentence)}" for sentence in absent]
    return "\n".join([markdown_table(titles, rows), "", *gaps]).rstrip() + "\n"


def markdown_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, every cell escaped."""
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return "\n".join([*lines, *("| " + " | ".join(escape_markdown(cell) for cell in row) + " |" for row in rows)])


def format_estimate(row: "pd.Series[Any]", name: str, *, percent: bool) -> str:
    """``85.0 [62.1, 96.8]``, in percent where asked for; a dash where there is no figure, no interval of one image."""
    value, low, high = (float(str(row[key])) for key in (name, f"{name}_low", f"{name}_high"))
    if math.isnan(value):
        return "\N{EN DASH}"
    scale = 100 if percent else 1
    if math.isnan(low):
        return f"{value * scale:.1f}"
    return f"{value * scale:.1f} [{low * scale:.1f}, {high * scale:.1f}]"


def escape_markdown(text: str) -> str:
    """Text for a cell of a Markdown table: no bar ends it, no markup acts."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")

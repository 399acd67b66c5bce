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
from bench.reports.entries import LeaderboardEntry
from bench.reports.summary import Summary, summarise

MISSING = Estimate(math.nan, math.nan, math.nan, 0)
DASH = "\N{EN DASH}"
"""What a table shows where there is no figure."""


@dataclass(frozen=True)
class Gap:
    """A figure that could not be computed."""

    label: str
    """Label of the entry."""
    column: str
    """Title of the column."""
    reason: str
    """What is missing."""


@dataclass(frozen=True)
class Leaderboard:
    """The rows of a leaderboard, and the figures that could not be computed."""

    table: pd.DataFrame
    """The columns of ``leaderboard.csv``, one row per entry; the index is the entries' labels."""
    gaps: Sequence[Gap]
    """Every empty figure that the entry's protocol calls for, and the reason."""
    columns: Sequence[Column]
    """Its figures."""
    ranks: pd.DataFrame
    """One row per entry and column: ``ranks.csv``."""


def leaderboard(entries: Sequence[LeaderboardEntry]) -> Leaderboard:
    """One row per entry, sorted by protocol and then by the figures that metrics declare an ``order`` for.

    An entry whose protocol calls for none of the columns has no row.

    Args:
        entries: with their protocols.
    """
    columns = columns_of(entries)
    shown = [entry for entry in entries if any(column.benchmark in entry.expected for column in columns)]
    summary = summarise(shown, columns)
    auxiliary = _auxiliary(shown, columns)
    filled = [_row(entry, columns, summary, auxiliary) for entry in shown]
    rows, gaps = [row for row, _ in filled], [gap for _, missing in filled for gap in missing]
    index = pd.Index([entry.label for entry in shown], name="label")
    table = pd.DataFrame(rows, index=index, columns=_names(columns, auxiliary))
    if table["parameters"].isna().any():
        table["parameters"] = table["parameters"].astype("Int64")  # whole numbers, and some that are not known
    ordering = order_columns(columns)
    keys, ascending = [column.name for column in ordering], [column.better == "lower" for column in ordering]
    table = table.sort_values(["protocol", *keys], ascending=[True, *ascending], kind="stable")
    return Leaderboard(table, gaps, columns, summary.ranks)


def order_columns(columns: Sequence[Column]) -> list[Column]:
    """The columns that rows are sorted by, the most important first."""
    ordering = [(column.order, column) for column in columns if column.order is not None]
    return [column for _, column in sorted(ordering, key=lambda pair: pair[0])]


def _auxiliary(entries: Sequence[LeaderboardEntry], columns: Sequence[Column]) -> list[str]:
    """The benchmarks with a column that some entry ran on auxiliary images."""
    shown = dict.fromkeys(column.benchmark for column in columns)
    variants = [(name, entry.benchmarks.get(name)) for name in shown for entry in entries]
    return list(dict.fromkeys(name for name, variant in variants if variant is not None and variant.spec.auxiliary))


def costs_of(entry: LeaderboardEntry) -> dict[str, float]:
    """``parameters`` and ``gmacs``: NaN of imported predictions, whose network is not known."""
    cost = entry.provenance.cost
    parameters = cost.get("parameters", math.nan)
    return {
        "parameters": parameters if math.isnan(parameters) else int(parameters),
        "gmacs": round(cost.get("gmacs", math.nan), 4),
    }


def cost_texts(row: "pd.Series[Any]") -> list[str]:
    """Parameters in millions and GMACs of a row, as tables show them; a dash where they are not known."""
    known = [(row["parameters"], 1e6), (row["gmacs"], 1)]
    return [DASH if pd.isna(value) else f"{float(str(value)) / scale:.2f}" for value, scale in known]


def images_text(row: "pd.Series[Any]") -> str:
    """The number of images of a row, as tables show it; marked where some figures rest on a sample of them."""
    n_images = int(row["n_images"])
    return f"{n_images} (sampled)" if row.get("sampled") else str(n_images)


def _row(
    entry: LeaderboardEntry, columns: Sequence[Column], summary: Summary, auxiliary: Sequence[str]
) -> tuple[dict[str, object], list[Gap]]:
    row: dict[str, object] = {
        "classifier": entry.spec.classifier,
        "weights_digest": entry.spec.weights_digest,
        **costs_of(entry),
        "n_images": entry.spec.n_images,
        "sampled": " ".join(sorted(name for name in entry.benchmarks if entry.is_sampled(name))),
    }
    gaps = []
    for column in columns:
        key = entry.label, column.name
        row |= interval(column.name, summary.estimates.get(key, MISSING))
        if key in summary.reasons and column.benchmark in entry.expected:
            gaps.append(Gap(entry.label, column.title, summary.reasons[key]))
    for column in columns:
        if column.strength_column:
            row[column.strength_column] = _strength(entry, column)
    for name in auxiliary:
        variant = entry.benchmarks.get(name)
        spec = variant.spec if variant is not None and variant.spec.auxiliary else None
        row |= {f"{name}_dataset": spec.dataset if spec else "", f"{name}_images": spec.n_images if spec else math.nan}
    row |= {
        "protocol": entry.protocol,
        **{
            f"{column.benchmark}_{name}": entry.parameter(column.benchmark, name)
            for column in columns
            for name in column.declared.stated_parameters
        },
        "dataset": entry.spec.dataset,
        "dataset_digest": entry.spec.dataset_digest,
        "crop": entry.spec.crop,
        "precision": entry.spec.precision,
        "defense": entry.spec.defense,
        "seed": entry.spec.seed,
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
        *("dataset", "dataset_digest", "sampled", "crop", "precision", "defense", "seed", "notes"),
    ]


def interval(name: str, estimate: Estimate) -> dict[str, float]:
    """An estimate as three columns: ``<name>``, ``<name>_low`` and ``<name>_high``."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _strength(entry: LeaderboardEntry, column: Column) -> float:
    try:
        return column.strength(entry).strength
    except DataError:
        return math.nan


def condition_accuracies(entries: Sequence[LeaderboardEntry], benchmarks: Sequence[str]) -> pd.DataFrame:
    """Accuracy of every cell that the protocol calls for: one row per entry, benchmark and condition.

    ``accuracy`` and its interval are in [0,1], and NaN where the cell is missing.
    """
    rows = []
    for entry in entries:
        for benchmark in benchmarks:
            for condition in sorted(entry.expected.get(benchmark, ())):
                known = entry.has(benchmark, condition)
                estimate = proportion(entry.hits(benchmark, condition).right) if known else MISSING
                rows.append(
                    {
                        **identity(entry),
                        "benchmark": benchmark,
                        "condition": condition.name,
                        "strength": condition.strength,
                        **interval("accuracy", estimate),
                    }
                )
    return pd.DataFrame(rows)


def identity(entry: LeaderboardEntry) -> dict[str, object]:
    """The columns that identify an entry."""
    return {
        "label": entry.label,
        "protocol": entry.protocol,
        "classifier": entry.spec.classifier,
        "weights_digest": entry.spec.weights_digest,
        "dataset": entry.spec.dataset,
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
            *cost_texts(row),
            images_text(row),
            *(format_estimate(row, column.name, percent=column.percent) for column in board.columns),
        ]
        for label, row in board.table.iterrows()
    ]
    gaps = [f"- {escape_markdown(gap.label)}, {gap.column}: {escape_markdown(gap.reason)}" for gap in board.gaps]
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
        return DASH
    scale = 100 if percent else 1
    if math.isnan(low):
        return f"{value * scale:.1f}"
    return f"{value * scale:.1f} [{low * scale:.1f}, {high * scale:.1f}]"


def escape_markdown(text: str) -> str:
    """Text for a cell of a Markdown table: no bar ends it, no markup acts."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")

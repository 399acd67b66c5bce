"""The table of samples: how many images each benchmark was shown, and how precise its first figure is."""

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from bench.reports.columns import Column
from bench.reports.entries import LeaderboardEntry
from bench.reports.tables import Leaderboard, identity

BUDGET = (
    *("label", "protocol", "classifier", "weights_digest", "dataset", "benchmark", "sampled", "conditions"),
    *("least_images", "most_images", "set_images", "outcomes", "share", "metric", "title", "value", "half_width"),
    "half_width_doubled",
)
"""Columns of ``budget.csv``."""


def budget_table(board: Leaderboard, entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry and benchmark: images shown, their share of the full run, and half the interval's length.

    ``half_width`` is that of the benchmark's first known figure, in points (percent, or those of the mCE).
    ``half_width_doubled`` is what twice the outcomes would give: it falls with the square root of their number as long
    as no image is shown under two conditions; beyond that it is not known, and empty.

    Args:
        board: with the figures.
        entries: its rows.

    Returns:
        The columns ``BUDGET``; no rows where every benchmark was shown all images.
    """
    if not any(entry.is_sampled(name) for entry in entries for name in entry.benchmarks):
        return pd.DataFrame(columns=list(BUDGET))
    return pd.DataFrame([row for entry in entries for row in _rows(board, entry)], columns=list(BUDGET))


def _rows(board: Leaderboard, entry: LeaderboardEntry) -> Iterator[dict[str, object]]:
    for name, variant in sorted(entry.benchmarks.items()):
        sizes = [cell.n_stored for cell in variant.cells.values() if cell.usable]
        if not sizes:
            continue
        outcomes, n_images = sum(sizes), variant.spec.n_images
        share = outcomes / (len(sizes) * n_images)
        column, value, width = _figure(board, entry, name)
        yield {
            **identity(entry),
            "dataset": variant.spec.dataset,
            "benchmark": name,
            "sampled": entry.is_sampled(name),
            "conditions": len(sizes),
            "least_images": min(sizes),
            "most_images": max(sizes),
            "set_images": n_images,
            "outcomes": outcomes,
            "share": share,
            "metric": "" if column is None else column.name,
            "title": "" if column is None else column.title,
            "value": value,
            "half_width": width,
            "half_width_doubled": width / math.sqrt(2) if 2 * outcomes <= n_images else math.nan,
        }


def _figure(board: Leaderboard, entry: LeaderboardEntry, benchmark: str) -> tuple[Column | None, float, float]:
    """The benchmark's first column with a value for the entry, the value, and half its interval's length, in points."""
    for column in board.columns:
        value = float(str(board.table.loc[entry.label, column.name]))
        if column.benchmark == benchmark and not math.isnan(value):
            scale = 100 if column.percent else 1
            low, high = (float(str(board.table.loc[entry.label, f"{column.name}_{end}"])) for end in ("low", "high"))
            return column, value * scale, (high - low) / 2 * scale
    return None, math.nan, math.nan

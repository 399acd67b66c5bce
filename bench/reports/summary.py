"""Every estimate and rank of a leaderboard at once, so that classifiers share resamples and matrix products."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.estimates import bootstrap_columns, proportion
from bench.metrics.ranking import rank_classifiers
from bench.records import Estimate
from bench.reports.columns import Column
from bench.reports.entries import LeaderboardEntry

RANKS = ["label", "protocol", "metric", "value", "rank", "last_rank", "ties", "ranked", "minimum_detectable_difference"]

Key = tuple[str, str]
"""Label of the entry and name of the column."""


@dataclass(frozen=True)
class Summary:
    """The estimates and ranks of every entry and column."""

    estimates: Mapping[Key, Estimate]
    """Those that could be computed."""
    reasons: Mapping[Key, str]
    """Why the others could not."""
    ranks: pd.DataFrame
    """One row per entry and column: ranks from ``rank`` to ``last_rank`` at 95 %, among the entries of its protocol
    with the same images."""


def summarise(entries: Sequence[LeaderboardEntry], columns: Sequence[Column]) -> Summary:
    """Estimates, and ranks within each protocol.

    Args:
        entries: with their protocols.
        columns: what to estimate.
    """
    estimates: dict[Key, Estimate] = {}
    reasons: dict[Key, str] = {}
    ranks: list[dict[str, object]] = []
    for column in columns:
        groups: dict[tuple[str, int, str], list[tuple[LeaderboardEntry, NDArray[Any]]]] = {}
        for entry in entries:
            try:
                values = column.values(entry)
                exact = column.exact(entry)
            except DataError as error:
                reasons[entry.label, column.name] = str(error)
                continue
            if exact is not None:
                estimates[entry.label, column.name] = exact
            groups.setdefault((entry.protocol, len(values), column.set_of(entry)), []).append((entry, values))
        for members in groups.values():
            stacked = np.stack([values for _, values in members], axis=1)
            if any((entry.label, column.name) not in estimates for entry, _ in members):
                for (entry, _), estimate in zip(members, _estimates(stacked), strict=True):
                    own = replace(estimate, n=column.n_images(entry))
                    estimates.setdefault((entry.label, column.name), own)
            ranks += _rank_rows(column, [entry for entry, _ in members], stacked)
    return Summary(estimates, reasons, pd.DataFrame(ranks, columns=RANKS))


def _estimates(values: NDArray[Any]) -> list[Estimate]:
    return [proportion(hits) for hits in values.T] if values.dtype == np.bool_ else bootstrap_columns(values)


def _rank_rows(column: Column, entries: Sequence[LeaderboardEntry], values: NDArray[Any]) -> list[dict[str, object]]:
    ranking = rank_classifiers(values, higher_is_better=column.better == "higher")
    means = values.mean(axis=0, dtype=np.float64)
    rows: list[dict[str, object]] = [
        {
            "label": entry.label,
            "protocol": entry.protocol,
            "metric": column.name,
            "value": means[place],
            "rank": ranking.rank[place],
            "last_rank": ranking.last[place],
            "ties": ranking.ties[place],
            "ranked": len(entries),
            "minimum_detectable_difference": ranking.detectable,
        }
        for place, entry in enumerate(entries)
    ]
    return sorted(rows, key=lambda row: (row["rank"], row["last_rank"]))

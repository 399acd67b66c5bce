"""Every estimate and rank of a leaderboard at once: classifiers share the resamples, and the matrix products."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.estimates import bootstrap_columns, proportion
from bench.metrics.ranking import rank_classifiers
from bench.records import Estimate
from bench.reports.columns import Column
from bench.reports.subjects import Subject

RANKS = ["label", "protocol", "metric", "value", "rank", "last_rank", "ties", "ranked", "minimum_detectable_difference"]

Key = tuple[str, str]
"""Label of the subject, name of the column."""


@dataclass(frozen=True)
class Summary:
    """What is known of every subject under every column."""

    estimates: Mapping[Key, Estimate]
    """Those that could be computed."""
    reasons: Mapping[Key, str]
    """Why the others could not."""
    ranks: pd.DataFrame
    """One row a subject and column: from ``rank`` to ``last_rank`` at 95 %, among the rows of its protocol that saw the
    same images."""


def summarise(subjects: Sequence[Subject], columns: Sequence[Column]) -> Summary:
    """Estimates, and ranks within each protocol.

    Args:
        subjects: marked with their protocols.
        columns: what to estimate.
    """
    estimates: dict[Key, Estimate] = {}
    reasons: dict[Key, str] = {}
    ranks: list[dict[str, object]] = []
    for column in columns:
        groups: dict[tuple[str, int, str], list[tuple[Subject, NDArray[Any]]]] = {}
        for subject in subjects:
            try:
                values = column.values(subject)
                exact = column.exact(subject)
            except DataError as error:
                reasons[subject.label, column.name] = str(error)
                continue
            if exact is not None:
                estimates[subject.label, column.name] = exact
            groups.setdefault((subject.protocol, len(values), column.set_of(subject)), []).append((subject, values))
        for members in groups.values():
            stacked = np.stack([values for _, values in members], axis=1)
            if column.metric.exact is None:
                keys = [(subject.label, column.name) for subject, _ in members]
                estimates |= dict(zip(keys, _estimates(stacked), strict=True))
            ranks += _rank_rows(column, [subject for subject, _ in members], stacked)
    return Summary(estimates, reasons, pd.DataFrame(ranks, columns=RANKS))


def _estimates(values: NDArray[Any]) -> list[Estimate]:
    return [proportion(hits) for hits in values.T] if values.dtype == np.bool_ else bootstrap_columns(values)


def _rank_rows(column: Column, subjects: Sequence[Subject], values: NDArray[Any]) -> list[dict[str, object]]:
    ranking = rank_classifiers(values, higher_is_better=column.better == "higher")
    means = values.mean(axis=0, dtype=np.float64)
    rows: list[dict[str, object]] = [
        {
            "label": subject.label,
            "protocol": subject.protocol,
            "metric": column.name,
            "value": means[place],
            "rank": ranking.rank[place],
            "last_rank": ranking.last[place],
            "ties": ranking.ties[place],
            "ranked": len(subjects),
            "minimum_detectable_difference": ranking.detectable,
        }
        for place, subject in enumerate(subjects)
    ]
    return sorted(rows, key=lambda row: (row["rank"], row["last_rank"]))

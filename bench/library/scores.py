"""Every figure of every classifier as one tidy table."""

from collections.abc import Iterator, Sequence

import pandas as pd

from bench.metrics.estimates import proportion
from bench.records import Estimate
from bench.reports.columns import columns_of
from bench.reports.entries import LeaderboardEntry
from bench.reports.summary import summarise

SCORES = [
    *("classifier", "dataset", "protocol", "benchmark", "condition", "strength", "metric", "value", "low", "high", "n")
]


def tidy_scores(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """The columns ``SCORES``: accuracies by condition, then the leaderboard's figures with an empty condition.

    Args:
        entries: marked with their protocols.
    """
    rows = [row for entry in entries for row in _accuracies(entry)]
    columns = columns_of(entries)
    summary = summarise(entries, columns)
    for entry in entries:
        for column in columns:
            estimate = summary.estimates.get((entry.label, column.name))
            if estimate is not None:
                rows.append(_row(entry, column.benchmark, "", float("nan"), column.name, estimate))
    return pd.DataFrame(rows, columns=SCORES)


def _accuracies(entry: LeaderboardEntry) -> Iterator[dict[str, object]]:
    for benchmark in sorted(entry.benchmarks):
        if entry.benchmarks[benchmark].declared.unlabelled:
            continue
        for condition in entry.conditions(benchmark):
            if entry.has(benchmark, condition):
                estimate = proportion(entry.hits(benchmark, condition).right)
                yield _row(entry, benchmark, condition.name, condition.strength, "accuracy", estimate)


def _row(
    entry: LeaderboardEntry, benchmark: str, condition: str, strength: float, metric: str, estimate: Estimate
) -> dict[str, object]:
    values = (
        *(entry.label, entry.benchmarks[benchmark].spec.dataset, entry.protocol, benchmark),
        *(condition, strength, metric),
        *(estimate.value, estimate.low, estimate.high, estimate.n),
    )
    return dict(zip(SCORES, values, strict=True))

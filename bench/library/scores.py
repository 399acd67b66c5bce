"""Every figure of every classifier as one tidy table."""

from collections.abc import Iterator, Sequence

import pandas as pd

from bench.metrics.estimates import proportion
from bench.records import Estimate
from bench.reports.columns import columns_of
from bench.reports.subjects import Subject
from bench.reports.summary import summarise

SCORES = [
    *("classifier", "dataset", "protocol", "benchmark", "condition", "strength", "metric", "value", "low", "high", "n")
]


def tidy_scores(subjects: Sequence[Subject]) -> pd.DataFrame:
    """The columns ``SCORES``: accuracies by condition, then the leaderboard's figures with an empty condition.

    Args:
        subjects: marked with their protocols.
    """
    rows = [row for subject in subjects for row in _accuracies(subject)]
    columns = columns_of(subjects)
    summary = summarise(subjects, columns)
    for subject in subjects:
        for column in columns:
            estimate = summary.estimates.get((subject.label, column.name))
            if estimate is not None:
                rows.append(_row(subject, column.benchmark, "", float("nan"), column.name, estimate))
    return pd.DataFrame(rows, columns=SCORES)


def _accuracies(subject: Subject) -> Iterator[dict[str, object]]:
    for benchmark in sorted(subject.benchmarks):
        for condition in subject.conditions(benchmark):
            if subject.complete(benchmark, condition):
                estimate = proportion(subject.correct(benchmark, condition))
                yield _row(subject, benchmark, condition.name, condition.strength, "accuracy", estimate)


def _row(
    subject: Subject, benchmark: str, condition: str, strength: float, metric: str, estimate: Estimate
) -> dict[str, object]:
    values = (
        *(subject.label, subject.benchmarks[benchmark].spec.dataset, subject.protocol, benchmark),
        *(condition, strength, metric),
        *(estimate.value, estimate.low, estimate.high, estimate.n),
    )
    return dict(zip(SCORES, values, strict=True))

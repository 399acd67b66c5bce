"""Calibration under each condition, from the stored confidences."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.benchmarks.registry import all_benchmarks
from bench.metrics.calibration import (
    Confidence,
    adaptive_calibration_error,
    classwise_calibration_error,
    expected_calibration_error,
    mean_confidence,
    top_label_brier_score,
)
from bench.metrics.estimates import proportion
from bench.metrics.ood import auroc
from bench.metrics.selective import accuracy_at_coverage, aurc, aurra, excess_aurc, overconfidence
from bench.records import Condition
from bench.reports.entries import LeaderboardEntry
from bench.reports.tables import MISSING, interval

COVERAGES = (0.5, 0.8, 0.9, 0.95)
"""Shares of the images that are answered, the surest first."""


def calibration_conditions(entries: Sequence[LeaderboardEntry]) -> list[tuple[LeaderboardEntry, str, Condition]]:
    """Every complete cell of a benchmark that declares ``calibrated``: entry, benchmark and condition."""
    return [
        (entry, benchmark, condition)
        for entry in entries
        for benchmark in _calibrated(entry)
        for condition in entry.conditions(benchmark)
        if entry.has(benchmark, condition)
    ]


def _calibrated(entry: LeaderboardEntry) -> list[str]:
    """The benchmarks with a calibration, in the order of the leaderboard."""
    return [
        name
        for declared in all_benchmarks()
        for name, variant in entry.benchmarks.items()
        if variant.benchmark == declared.name and declared.calibrated and not variant.spec.auxiliary
    ]


def calibration_rows(cells: Sequence[tuple[LeaderboardEntry, str, Condition]]) -> Iterator[dict[str, object]]:
    """One row per cell: accuracy, mean confidence, calibration errors (15 bins), Brier score, selective prediction."""
    for entry, benchmark, condition in cells:
        frame = entry.outcomes(benchmark, condition)
        confidence, correct = frame["confidence"].to_numpy(), frame["correct"].to_numpy(dtype=bool)
        predicted = frame["prediction"].to_numpy(dtype=np.int64)
        yield {
            "label": entry.label,
            "protocol": entry.protocol,
            "dataset": entry.spec.dataset,
            "condition": condition.name,
            "severity": int(condition.strength),
            "n_images": len(frame),
            **interval("accuracy", proportion(correct)),
            **interval("mean_confidence", mean_confidence(confidence)),
            **interval("expected_calibration_error", expected_calibration_error(confidence, correct)),
            **interval("adaptive_calibration_error", adaptive_calibration_error(confidence, correct)),
            **interval("classwise_calibration_error", classwise_calibration_error(confidence, correct, predicted)),
            **interval("top_label_brier_score", top_label_brier_score(confidence, correct)),
            **selective_figures(confidence, correct),
        }


def selective_figures(confidence: Confidence, correct: NDArray[np.bool_]) -> dict[str, float]:
    """The figures of selective prediction with their intervals, as columns.

    ``overconfidence`` is the mean confidence minus the accuracy; ``failure_auroc`` the probability that of a wrong and
    a right prediction the wrong one has the lower confidence, and missing where all are right, or all wrong.
    """
    mixed = bool(correct.any()) and not correct.all()
    figures = {
        **interval("overconfidence", overconfidence(confidence, correct)),
        **interval("aurc", aurc(confidence, correct)),
        **interval("excess_aurc", excess_aurc(confidence, correct)),
        **interval("aurra", aurra(confidence, correct)),
        **interval("failure_auroc", auroc(-confidence[~correct], -confidence[correct]) if mixed else MISSING),
    }
    for coverage in COVERAGES:
        name = f"accuracy_at_{100 * coverage:.0f}_percent"
        figures |= interval(name, accuracy_at_coverage(confidence, correct, coverage))
    return figures

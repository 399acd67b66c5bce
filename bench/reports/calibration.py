"""Calibration under each condition, from the stored confidences."""

from collections.abc import Iterator, Sequence

from bench.benchmarks.registry import all_benchmarks
from bench.metrics.calibration import (
    adaptive_calibration_error,
    expected_calibration_error,
    mean_confidence,
    top_label_brier_score,
)
from bench.metrics.estimates import proportion
from bench.records import Condition
from bench.reports.entries import LeaderboardEntry
from bench.reports.tables import interval


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
    """One row per cell: accuracy, mean confidence, ECE (15 equal-width bins), adaptive ECE, top-label Brier score."""
    for entry, benchmark, condition in cells:
        frame = entry.outcomes(benchmark, condition)
        confidence, correct = frame["confidence"].to_numpy(), frame["correct"].to_numpy(dtype=bool)
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
            **interval("top_label_brier_score", top_label_brier_score(confidence, correct)),
        }

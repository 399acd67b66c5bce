"""How far confidence can be trusted, under each condition, from the stored confidences."""

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
from bench.reports.subjects import Subject
from bench.reports.tables import interval


def calibration_conditions(subjects: Sequence[Subject]) -> list[tuple[Subject, str, Condition]]:
    """Every complete cell that has a calibration: clean and corrupted images, not attacked ones."""
    return [
        (subject, benchmark, condition)
        for subject in subjects
        for benchmark in _calibrated(subject)
        for condition in subject.conditions(benchmark)
        if subject.complete(benchmark, condition)
    ]


def _calibrated(subject: Subject) -> list[str]:
    """In the order of the leaderboard."""
    return [
        name
        for declared in all_benchmarks()
        for name, variant in subject.benchmarks.items()
        if variant.benchmark == declared.name and declared.calibrated and not variant.spec.auxiliary
    ]


def calibration_rows(cells: Sequence[tuple[Subject, str, Condition]]) -> Iterator[dict[str, object]]:
    """One row a cell: accuracy, mean confidence, ECE (15 equal-width bins), adaptive ECE, top-label Brier score."""
    for subject, benchmark, condition in cells:
        frame = subject.outcomes(benchmark, condition)
        confidence, correct = frame["confidence"].to_numpy(), frame["correct"].to_numpy(dtype=bool)
        yield {
            "label": subject.label,
            "protocol": subject.protocol,
            "dataset": subject.spec.dataset,
            "condition": condition.name,
            "severity": int(condition.strength),
            "n_images": len(frame),
            **interval("accuracy", proportion(correct)),
            **interval("mean_confidence", mean_confidence(confidence)),
            **interval("expected_calibration_error", expected_calibration_error(confidence, correct)),
            **interval("adaptive_calibration_error", adaptive_calibration_error(confidence, correct)),
            **interval("top_label_brier_score", top_label_brier_score(confidence, correct)),
        }

"""Selective prediction from what every cell has: confidence, and whether the prediction is right."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks.trust_scores import TrustScores
from bench.metrics.estimates import proportion
from bench.metrics.selective import risk_coverage
from bench.records import Condition
from bench.reports.calibration import calibration_conditions, selective_figures
from bench.reports.entries import LeaderboardEntry
from bench.reports.reference import REFERENCE, REFERENCE_CONDITION
from bench.reports.tables import identity, interval

CURVE_POINTS = 200
"""Points of a curve on the page, at most."""


def selective_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per cell of clean, corrupted and shifted images, of the entries that the axis was asked for.

    ``task=calibration`` has the same figures of every entry.
    """
    asked = [entry for entry in entries if TrustScores.name in entry.benchmarks]
    return pd.DataFrame([_row(*cell) for cell in calibration_conditions(asked)])


def _row(entry: LeaderboardEntry, benchmark: str, condition: Condition) -> dict[str, object]:
    confidence, correct = _columns(entry, benchmark, condition)
    return {
        **identity(entry),
        "dataset": entry.benchmarks[benchmark].spec.dataset,
        "benchmark": benchmark,
        "condition": condition.name,
        "strength": condition.strength,
        "n_images": len(correct),
        **interval("accuracy", proportion(correct)),
        **selective_figures(confidence, correct),
    }


def _columns(
    entry: LeaderboardEntry, benchmark: str, condition: Condition
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    outcomes = entry.outcomes(benchmark, condition)
    return outcomes["confidence"].to_numpy(dtype=np.float64), outcomes["correct"].to_numpy(dtype=bool)


def clean_curves(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """Points of the risk-coverage curve of each entry on unchanged images: ``label, coverage, risk``."""
    return pd.DataFrame([point for entry in entries if entry.has_clean for point in _points(entry)])


def _points(entry: LeaderboardEntry) -> Iterator[dict[str, object]]:
    curve = risk_coverage(*_columns(entry, REFERENCE.name, REFERENCE_CONDITION))
    n = len(curve.risk)
    for place in np.unique(np.linspace(0, n - 1, min(n, CURVE_POINTS)).round().astype(int)):
        yield {"label": entry.label, "coverage": float(curve.coverage[place]), "risk": float(curve.risk[place])}

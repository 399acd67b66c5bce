"""Temperature scaling and conformal sets: fitted on half of the clean images, judged on everything else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks.stored_scores import is_calibration, read_logits, read_profile
from bench.benchmarks.trust_scores import TrustScores
from bench.benchmarks.trust_scores_corrupted import TrustScoresCorrupted
from bench.metrics.calibration import (
    adaptive_calibration_error,
    classwise_calibration_error,
    expected_calibration_error,
)
from bench.metrics.conformal import METHODS, StoredProfile, conformal_quantile, label_scores, set_sizes
from bench.metrics.estimates import bootstrap_mean, proportion
from bench.metrics.temperature import TEMPERATURES, StoredLogits, fit_temperature
from bench.records import Condition
from bench.reports.entries import LeaderboardEntry
from bench.reports.tables import identity, interval

ALPHAS = (0.1, 0.05)
"""Shares of images whose set may lack the label."""
RESAMPLES = 100
"""Bootstrap repetitions of the calibration errors here: there are six for each cell."""
CLEAN_CELL = Condition(TrustScores.name)


TITLES = {TrustScores.name: "clean", TrustScoresCorrupted.name: "corrupted"}


def images_title(benchmark: str) -> str:
    """What the page calls the images of a benchmark, by its key."""
    return TITLES.get(benchmark, benchmark.replace("_", " "))


@dataclass(frozen=True)
class Judged:
    """The images of one cell that nothing was fitted on."""

    entry: LeaderboardEntry
    """Whose they are."""
    benchmark: str
    """The key of the benchmark."""
    condition: Condition
    """The condition."""
    outcomes: pd.DataFrame
    """Stored outcomes."""

    @property
    def identity(self) -> dict[str, object]:
        """The columns that say which cell it is."""
        return {
            **identity(self.entry),
            "dataset": self.entry.benchmarks[self.benchmark].spec.dataset,
            "benchmark": self.benchmark,
            "condition": self.condition.name,
            "strength": self.condition.strength,
            "n_images": len(self.outcomes),
        }


def _fitted_on(entry: LeaderboardEntry) -> pd.DataFrame | None:
    """Outcomes of the half of the clean images that is fitted on; None where there are none, or a single image."""
    if not entry.has(TrustScores.name, CLEAN_CELL):
        return None
    outcomes = entry.outcomes(TrustScores.name, CLEAN_CELL)
    half = outcomes[is_calibration(outcomes)]
    return half if len(half) else None


def _judged(entry: LeaderboardEntry, fitted: pd.DataFrame) -> Iterator[Judged]:
    """Every cell with the stored columns that decides among the same classes, without the images fitted on."""
    own = entry.benchmarks[TrustScores.name].spec
    for key, variant in entry.benchmarks.items():
        if variant.declared not in (TrustScores, TrustScoresCorrupted):
            continue
        if (variant.spec.label_space, variant.spec.n_classes) != (own.label_space, own.n_classes):
            continue
        same_images = variant.spec.dataset_digest == own.dataset_digest
        for condition in entry.conditions(key):
            if entry.has(key, condition):
                outcomes = entry.outcomes(key, condition)
                used = outcomes["image_id"].isin(fitted["image_id"]) if same_images else np.zeros(len(outcomes), bool)
                if not used.all():
                    yield Judged(entry, key, condition, outcomes[~used])


def temperature_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry and cell: log-loss and calibration errors before and after temperature scaling."""
    return pd.DataFrame([row for entry in entries for row in _temperature_rows(entry)])


def _temperature_rows(entry: LeaderboardEntry) -> Iterator[dict[str, object]]:
    fitted = _fitted_on(entry)
    if fitted is None:
        return
    temperature = fit_temperature(read_logits(fitted))
    for judged in _judged(entry, fitted):
        logits = read_logits(judged.outcomes)
        yield {
            **judged.identity,
            "n_fitted": len(fitted),
            "temperature": temperature,
            "at_end_of_range": not min(TEMPERATURES) * 1.01 < temperature < max(TEMPERATURES) / 1.01,
            **_calibration("", logits, judged.outcomes, 1.0),
            **_calibration("scaled_", logits, judged.outcomes, temperature),
        }


def _calibration(prefix: str, logits: StoredLogits, outcomes: pd.DataFrame, temperature: float) -> dict[str, float]:
    confidence, correct = logits.confidence(temperature), outcomes["correct"].to_numpy(dtype=bool)
    ece = expected_calibration_error(confidence, correct, resamples=RESAMPLES)
    adaptive = adaptive_calibration_error(confidence, correct, resamples=RESAMPLES)
    predicted = outcomes["prediction"].to_numpy(dtype=np.int64)
    classwise = classwise_calibration_error(confidence, correct, predicted, resamples=RESAMPLES)
    return {
        **interval(f"{prefix}log_loss", bootstrap_mean(logits.log_loss(temperature))),
        **interval(f"{prefix}overconfidence", bootstrap_mean(confidence - correct)),
        **interval(f"{prefix}expected_calibration_error", ece),
        **interval(f"{prefix}adaptive_calibration_error", adaptive),
        **interval(f"{prefix}classwise_calibration_error", classwise),
    }


def conformal_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry, cell, method and alpha: how often a set holds the label, and how large sets are."""
    return pd.DataFrame([row for entry in entries for row in _conformal_rows(entry)])


def _conformal_rows(entry: LeaderboardEntry) -> Iterator[dict[str, object]]:
    fitted = _fitted_on(entry)
    if fitted is None:
        return
    n_classes = entry.benchmarks[TrustScores.name].spec.n_classes
    calibration = read_profile(fitted, n_classes)
    for judged in _judged(entry, fitted):
        profile = read_profile(judged.outcomes, n_classes)
        for method in METHODS:
            for alpha in ALPHAS:
                quantile = conformal_quantile(label_scores(calibration, method), alpha)
                yield {
                    **judged.identity,
                    "n_fitted": len(fitted),
                    "method": method,
                    "alpha": alpha,
                    "quantile": quantile,
                    **_sets(profile, method, quantile),
                }


def _sets(profile: StoredProfile, method: str, quantile: float) -> dict[str, float]:
    covered: NDArray[np.bool_] = label_scores(profile, method) <= quantile
    sizes = set_sizes(profile, method, quantile)
    return {
        **interval("coverage", proportion(covered)),
        **interval("set_size", bootstrap_mean(sizes.astype(np.float64))),
        "median_set_size": float(np.median(sizes)),
        "empty_sets": float((sizes == 0).mean()),
        "single_class_sets": float((sizes == 1).mean()),
    }

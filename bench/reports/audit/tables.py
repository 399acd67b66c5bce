"""Tables of the attribution audit, of planted shortcuts, and of the faithfulness of attribution maps."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks.cam_audit import CamAudit
from bench.benchmarks.faithfulness import Faithfulness
from bench.benchmarks.shortcut import Shortcut
from bench.errors import DataError
from bench.metrics.audit import hit_rate, mean_change, mean_present, relies_on
from bench.metrics.estimates import proportion
from bench.records import Condition, Estimate
from bench.reports.entries import LeaderboardEntry
from bench.reports.tables import MISSING, identity, interval

AUDIT, SHORTCUT, FAITHFULNESS = CamAudit.name, Shortcut.name, Faithfulness.name
[CONDITION] = CamAudit().conditions()
[BELIEF] = Faithfulness().conditions()
SPLITS = ("all", "correct", "wrong")
ADDITIONS = ("tag", "watermark")
"""Shortcuts that add something irrelevant to the image; the others remove something."""


def audit_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry and split (all, correct and wrong predictions) of the audit; empty splits have no row."""
    return pd.DataFrame(
        [
            {**identity(entry), "split": split, **_audit_figures(rows)}
            for entry in entries
            if entry.has(AUDIT, CONDITION)
            for split, rows in _splits(entry.outcomes(AUDIT, CONDITION)).items()
        ]
    )


def audit_class_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry and true class: accuracy, and the audit of all of its images and of the wrong ones."""
    rows = []
    for entry in entries:
        if entry.has(AUDIT, CONDITION):
            for label, images in entry.outcomes(AUDIT, CONDITION).groupby("label"):
                wrong = images[~images["correct"].astype(bool)]
                row = {**identity(entry), "class": label, "n": len(images), "n_wrong": len(wrong)}
                if "attribution_in_box" in images:
                    row |= _interval("attribution_in_box", mean_present, images["attribution_in_box"])
                    row |= _interval("wrong_attribution_in_box", mean_present, wrong["attribution_in_box"])
                    row |= _interval("pointing_game", hit_rate, images["pointing_hit"])
                rows.append(row)
    return pd.DataFrame(rows)


def shortcut_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry and shortcut: accuracy before and after, where the attribution went, and the verdict."""
    return pd.DataFrame(
        [
            {**identity(entry), **_shortcut_figures(entry, condition)}
            for entry in entries
            for condition in entry.conditions(SHORTCUT)
            if entry.has(SHORTCUT, condition)
        ]
    )


def faithfulness_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry: deletion and insertion against random maps, and rank correlations."""
    return pd.DataFrame(
        [
            {**identity(entry), **_faithfulness_figures(entry.outcomes(FAITHFULNESS, BELIEF))}
            for entry in entries
            if entry.has(FAITHFULNESS, BELIEF)
        ]
    )


def _splits(outcomes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    correct = outcomes["correct"].astype(bool)
    parts = dict(zip(SPLITS, (outcomes, outcomes[correct], outcomes[~correct]), strict=True))
    return {split: rows for split, rows in parts.items() if len(rows)}


def _audit_figures(rows: pd.DataFrame) -> dict[str, object]:
    figures: dict[str, object] = {"n": len(rows), "n_without_map": int(rows["entropy"].isna().sum())}
    if "attribution_in_box" in rows:
        figures["n_without_region"] = int(rows["region_share"].isna().sum())
        figures |= _interval("attribution_in_box", mean_present, rows["attribution_in_box"])
        figures |= _interval("pointing_game", hit_rate, rows["pointing_hit"])
        for name, column in (("flat", "region_share"), ("centre", "centre_energy"), ("centre_pointing", "centre_hit")):
            figures[f"{name}_baseline"] = _estimate(mean_present, rows[column]).value
    for name in ("centre_distance", "entropy"):
        figures |= _interval(name, mean_present, rows[name])
    return figures


def _shortcut_figures(entry: LeaderboardEntry, condition: Condition) -> dict[str, object]:
    rows = entry.outcomes(SHORTCUT, condition)
    share = rows["changed_share"]
    whole = condition.name == "patch_shuffle"
    kept = rows if whole else rows[(share > 0) & (share < 1)]  # without an object in the crop there was no such change
    figures: dict[str, object] = {
        "shortcut": condition.name,
        "strength": condition.strength,
        "n": len(kept),
        "n_absent": len(rows) - len(kept),
    }
    if not len(kept):
        return figures
    after, before = kept["correct"].to_numpy(dtype=float), _floats(kept["clean_correct"])
    change = mean_change(after, before)
    moved = _estimate(mean_present, kept["mass"] - kept["clean_mass"])
    figures |= {"clean_accuracy": float(before.mean())}
    figures |= interval("accuracy", proportion(after == 1)) | interval("accuracy_change", change)
    figures |= {"predictions_moved": float(kept["moved"].mean()), **_favoured(kept)}
    figures |= {"changed_share": float(kept["changed_share"].mean())}
    figures |= _interval("clean_mass", mean_present, kept["clean_mass"]) | _interval("mass", mean_present, kept["mass"])
    figures |= interval("mass_change", moved)
    if condition.name in ADDITIONS:
        figures["relies_on_it"] = relies_on(change, moved)
    return figures


def _favoured(rows: pd.DataFrame) -> dict[str, object]:
    """Which class the changed images are moved to most, and how many of all images: a shortcut has one."""
    moved = rows.loc[rows["moved"] == 1, "prediction"]
    if moved.empty:
        return {"favoured_class": None, "favoured_share": 0.0}
    counts = moved.value_counts()
    return {"favoured_class": int(counts.index[0]), "favoured_share": float(counts.iloc[0] / len(rows))}


def _faithfulness_figures(rows: pd.DataFrame) -> dict[str, object]:
    figures: dict[str, object] = {"n": int(rows["deletion_area"].notna().sum())}
    for curve in ("deletion", "insertion"):
        own, random = rows[f"{curve}_area"], rows[f"random_{curve}_area"]
        figures |= _interval(f"{curve}_area", mean_present, own)
        figures[f"random_{curve}_area"] = _estimate(mean_present, random).value
        gain = random - own if curve == "deletion" else own - random
        figures |= _interval(f"{curve}_gain", mean_present, gain)
    for name in ("head_correlation", "all_correlation", "method_correlation"):
        figures |= _interval(name, mean_present, rows[name])
    return figures


def _estimate(metric: Callable[[NDArray[np.float64]], Estimate], values: "pd.Series[float]") -> Estimate:
    try:
        return metric(_floats(values))
    except DataError:  # absent in every image of the row
        return MISSING


def _interval(
    name: str, metric: Callable[[NDArray[np.float64]], Estimate], values: "pd.Series[float]"
) -> dict[str, float]:
    return interval(name, _estimate(metric, values))


def _floats(values: "pd.Series[float]") -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)

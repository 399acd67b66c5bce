"""Tables of the corruption benchmark: by corruption, and by family of corruptions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks.corruption import Corruption
from bench.benchmarks.corruption_errors import alexnet_applies
from bench.corruptions import FAMILIES, SEVERITIES
from bench.metrics.corruption import (
    ALEXNET_ERROR,
    corruption_errors,
    family_corruption_errors,
    family_mean_accuracies,
    mean_accuracies,
)
from bench.metrics.estimates import proportion
from bench.metrics.sampling import wrong
from bench.records import Condition
from bench.reports.entries import LeaderboardEntry
from bench.reports.measured import measured
from bench.reports.tables import MISSING, identity, interval

BENCHMARK = Corruption.name
PLUGGED_FAMILY = "plug-in"
"""Family of corruptions that are in no published set; AlexNet was not measured on them."""


def corruption_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry and corruption: CE (where AlexNet's errors apply), mean accuracy, accuracy at each severity."""
    return pd.DataFrame([row for entry in entries for row in _corruption_rows(entry)])


def family_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry and family (noise, blur, weather, digital) whose corruptions are complete.

    ``mean_corruption_error`` is its mean CE, NaN where AlexNet's errors do not apply; ``mean_corruption_accuracy`` its
    mean accuracy.
    """
    rows = []
    for entry in entries:
        errors = _errors(entry)
        whole = {
            family: names
            for family, names in FAMILIES.items()
            if family != "extra" and all((name, severity) in errors for name in names for severity in SEVERITIES)
        }
        families = list(whole.values())
        relative = family_corruption_errors(errors, families) if _alexnet_applies(entry) else [MISSING] * len(whole)
        accuracies = family_mean_accuracies(errors, families)
        rows += [
            {
                **identity(entry),
                "family": family,
                **interval("mean_corruption_error", error),
                **interval("mean_corruption_accuracy", accuracy),
            }
            for family, error, accuracy in zip(whole, relative, accuracies, strict=True)
        ]
    return pd.DataFrame(rows)


def _errors(entry: LeaderboardEntry) -> dict[tuple[str, int], NDArray[np.bool_]]:
    """Whether each image was misclassified, for every complete corruption condition."""
    return {
        (condition.name, int(condition.strength)): wrong(entry.correct(BENCHMARK, condition))
        for condition in entry.conditions(BENCHMARK)
        if entry.has(BENCHMARK, condition)
    }


def _corruption_rows(entry: LeaderboardEntry) -> list[dict[str, object]]:
    run = {condition.name for condition in entry.conditions(BENCHMARK)}
    errors = _errors(entry)
    whole = [name for name in sorted(run) if all((name, severity) in errors for severity in SEVERITIES)]
    measured = [name for name in whole if name in ALEXNET_ERROR] if _alexnet_applies(entry) else []
    relative = dict(zip(measured, corruption_errors(errors, measured), strict=True))
    accuracy = dict(zip(whole, mean_accuracies(errors, whole), strict=True))
    rows = []
    published = [(family, name) for family, names in FAMILIES.items() for name in names if name in run]
    others = sorted(run - {name for _, name in published})
    for family, corruption in [*published, *((PLUGGED_FAMILY, name) for name in others)]:
        row: dict[str, object] = {
            **identity(entry),
            "source": entry.parameter(BENCHMARK, "source"),
            "definition": entry.parameter(BENCHMARK, "definition"),
            "family": family,
            "corruption": corruption,
            **interval("corruption_error", relative.get(corruption, MISSING)),
            **interval("mean_accuracy", accuracy.get(corruption, MISSING)),
        }
        for severity in SEVERITIES:
            condition = Condition(corruption, severity)
            known = entry.has(BENCHMARK, condition)
            estimate = proportion(entry.hits(BENCHMARK, condition).right) if known else MISSING
            row |= interval(f"accuracy_severity_{severity}", estimate)
        rows.append(row)
    return rows


def _alexnet_applies(entry: LeaderboardEntry) -> bool:
    return BENCHMARK in entry.benchmarks and alexnet_applies(measured(entry, BENCHMARK).spec)

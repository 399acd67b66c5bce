"""What accuracy costs: parameters, operations and time, the Pareto front, and effective robustness."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.effective_robustness import LogitFit, effective_robustness, fit_logits
from bench.metrics.pareto import pareto_front
from bench.reports.columns import columns_of
from bench.reports.subjects import Subject
from bench.reports.words import CLEAN

FRONT = ("clean_accuracy", "mean_corruption_accuracy", "gmacs")
"""Accuracy, robustness and cost: what the front is drawn over."""


def cost_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """One row a subject: what it costs, and whether it is on the front of its protocol.

    ``images_per_second`` is that of the clean images; ``seconds`` of all its cells; both on ``device`` alone.
    ``pareto`` is empty where accuracy, robustness or cost is not known.
    """
    accuracies = {name: _means(subjects, name) for name in FRONT[:2]}
    rows = []
    for place, subject in enumerate(subjects):
        clean = subject.benchmarks["clean"].cells.get(CLEAN) if "clean" in subject.benchmarks else None
        cells = [cell for variant in subject.benchmarks.values() for cell in variant.cells.values()]
        rows.append(
            {
                "label": subject.label,
                "protocol": subject.protocol,
                "clean_accuracy": accuracies["clean_accuracy"][place],
                "mean_corruption_accuracy": accuracies["mean_corruption_accuracy"][place],
                "parameters": int(subject.provenance.cost["parameters"]),
                "gmacs": subject.provenance.cost["gmacs"],
                "images_per_second": clean.n_stored / clean.seconds if clean and clean.seconds > 0 else math.nan,
                "seconds": sum(cell.seconds for cell in cells),
                "device": ", ".join(sorted({cell.provenance.device for cell in cells})),
            }
        )
    table = pd.DataFrame(rows)
    table["pareto"] = ""
    for _, part in table.dropna(subset=list(FRONT)).groupby("protocol"):
        points = part[list(FRONT)].to_numpy(dtype=float) * np.array([1, 1, -1])
        table.loc[part.index, "pareto"] = np.where(pareto_front(points), "yes", "no")
    return table


def effective_robustness_table(subjects: Sequence[Subject], chosen: Sequence[str]) -> pd.DataFrame:
    """Accuracy beyond what clean accuracy foretells (Taori et al. 2020), one row a chosen subject and figure.

    The line is fitted over every subject of the same protocol, the chosen ones included. ``note`` says why there is
    no figure, such as too few classifiers.

    Args:
        subjects: all rows of the store, marked with their protocols.
        chosen: labels.
    """
    rows = []
    for subject in (subject for subject in subjects if subject.label in chosen):
        group = [member for member in subjects if member.protocol == subject.protocol]
        clean = np.array(_means(group, "clean_accuracy"))
        for column in [column for column in columns_of(group) if column.under_shift]:
            shifted = np.array(_means(group, column.name))
            known = ~np.isnan(clean) & ~np.isnan(shifted)
            place = [member.label for member in group].index(subject.label)
            row = {"label": subject.label, "metric": column.name, "value": shifted[place]}
            rows.append({**row, **_residual(clean, shifted, known, place)})
    columns = ["label", "metric", "value", "expected", "effective_robustness", "classifiers", "note"]
    return pd.DataFrame(rows, columns=columns)


def _residual(
    clean: NDArray[np.float64],
    shifted: NDArray[np.float64],
    known: NDArray[np.bool_],
    place: int,
) -> dict[str, object]:
    try:
        fit: LogitFit = fit_logits(clean[known], shifted[known])
    except DataError as error:
        return {"note": str(error)}
    if not known[place]:
        return {"note": "not measured", "classifiers": fit.n}
    residual = effective_robustness(fit, float(clean[place]), float(shifted[place]))
    return {
        "expected": shifted[place] - residual,
        "effective_robustness": residual,
        "classifiers": fit.n,
        "note": "" if not math.isnan(residual) else "a clean accuracy of 0 or 1 has no logit",
    }


def _means(subjects: Sequence[Subject], name: str) -> list[float]:
    column = next(column for column in columns_of(subjects) if column.name == name)
    means = []
    for subject in subjects:
        try:
            means.append(float(column.values(subject).mean()))
        except DataError:
            means.append(math.nan)
    return means

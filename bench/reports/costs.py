"""What accuracy costs: parameters, operations and time, the Pareto front, and effective robustness."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks.clean import Clean
from bench.benchmarks.words import CLEAN
from bench.errors import DataError
from bench.metrics.effective_robustness import LogitFit, effective_robustness, fit_logits
from bench.metrics.pareto import pareto_front
from bench.reports.columns import Column, columns_of
from bench.reports.subjects import Subject


def cost_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """One row a subject: what it costs, and whether it is on the front of its protocol.

    ``images_per_second`` is that of the clean images; ``seconds`` of all its cells; both on ``device`` alone.
    ``pareto`` is empty where accuracy, robustness or cost is not known.
    """
    on_front = [column for column in columns_of(subjects) if column.on_front]
    figures = {column.name: _means(subjects, column) for column in on_front}
    front = [*figures, "gmacs"]
    signs = np.array([*(1 if column.better == "higher" else -1 for column in on_front), -1])
    rows = []
    for place, subject in enumerate(subjects):
        clean = subject.benchmarks[Clean.name].cells.get(CLEAN) if Clean.name in subject.benchmarks else None
        cells = [cell for variant in subject.benchmarks.values() for cell in variant.cells.values()]
        rows.append(
            {
                "label": subject.label,
                "protocol": subject.protocol,
                **{name: means[place] for name, means in figures.items()},
                "parameters": int(subject.provenance.cost["parameters"]),
                "gmacs": subject.provenance.cost["gmacs"],
                "images_per_second": clean.n_stored / clean.seconds if clean and clean.seconds > 0 else math.nan,
                "seconds": sum(cell.seconds for cell in cells),
                "device": ", ".join(sorted({cell.provenance.device for cell in cells})),
            }
        )
    table = pd.DataFrame(rows)
    table["pareto"] = ""
    for _, part in table.dropna(subset=front).groupby("protocol"):
        points = part[front].to_numpy(dtype=float) * signs
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
        columns = columns_of(group)
        clean = np.array(_means(group, next(column for column in columns if column.is_reference)))
        for column in [column for column in columns if column.under_shift]:
            shifted = np.array(_means(group, column))
            known = ~np.isnan(clean) & ~np.isnan(shifted)
            place = [member.label for member in group].index(subject.label)
            row = {"label": subject.label, "metric": column.name, "value": shifted[place]}
            rows.append({**row, **_residual(clean, shifted, known, place)})
    names = ["label", "metric", "value", "expected", "effective_robustness", "classifiers", "note"]
    return pd.DataFrame(rows, columns=names)


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


def _means(subjects: Sequence[Subject], column: Column) -> list[float]:
    means = []
    for subject in subjects:
        try:
            means.append(float(column.values(subject).mean()))
        except DataError:
            means.append(math.nan)
    return means

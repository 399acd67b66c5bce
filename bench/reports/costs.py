"""The cost of classifiers (parameters, operations, time), the Pareto front, and effective robustness."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.effective_robustness import LogitFit, effective_robustness, fit_logits
from bench.metrics.pareto import pareto_front
from bench.reports.columns import Column, columns_of
from bench.reports.entries import LeaderboardEntry
from bench.reports.reference import REFERENCE, REFERENCE_CONDITION
from bench.reports.tables import costs_of


def cost_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry: its cost, and whether it is on the Pareto front of its protocol.

    ``images_per_second`` is for the unchanged images, ``seconds`` for all its cells; compare both only between equal
    ``device``. ``pareto`` is ``yes``, ``no``, or empty where a figure of the front or the cost is not known.
    """
    on_front = [column for column in columns_of(entries) if column.on_front]
    figures = {column.name: _means(entries, column) for column in on_front}
    front = [*figures, "gmacs"]
    signs = np.array([*(1 if column.better == "higher" else -1 for column in on_front), -1])
    rows = []
    for place, entry in enumerate(entries):
        reference = entry.benchmarks.get(REFERENCE.name)
        clean = reference.cells.get(REFERENCE_CONDITION) if reference else None
        cells = [cell for variant in entry.benchmarks.values() for cell in variant.cells.values()]
        rows.append(
            {
                "label": entry.label,
                "protocol": entry.protocol,
                **{name: means[place] for name, means in figures.items()},
                **costs_of(entry),
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


def effective_robustness_table(entries: Sequence[LeaderboardEntry], chosen: Sequence[str]) -> pd.DataFrame:
    """Accuracy beyond what clean accuracy predicts (Taori et al. 2020): one row per chosen entry and figure.

    The line is fitted over every entry of the same protocol, the chosen ones included. ``note`` says why there is
    no figure, such as too few classifiers.

    Args:
        entries: all entries of the store, with their protocols.
        chosen: labels.
    """
    rows = []
    for entry in (entry for entry in entries if entry.label in chosen):
        group = [member for member in entries if member.protocol == entry.protocol]
        columns = columns_of(group)
        clean = np.array(_means(group, next(column for column in columns if column.is_reference)))
        for column in [column for column in columns if column.under_shift]:
            shifted = np.array(_means(group, column))
            known = ~np.isnan(clean) & ~np.isnan(shifted)
            place = [member.label for member in group].index(entry.label)
            row = {"label": entry.label, "metric": column.name, "value": shifted[place]}
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


def _means(entries: Sequence[LeaderboardEntry], column: Column) -> list[float]:
    means = []
    for entry in entries:
        try:
            means.append(float(column.values(entry).mean()))
        except DataError:
            means.append(math.nan)
    return means

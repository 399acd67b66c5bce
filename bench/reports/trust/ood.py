"""Images of no known class: each score's figures on each set, and their means over near and far sets."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks.ood import Ood, Unlabelled, ood_scores
from bench.benchmarks.stored_scores import SCORES, known_class_scores
from bench.errors import DataError
from bench.metrics.ood import auroc, average_precision, fpr_at_tpr, mean_auroc, precision_recall_areas
from bench.records import Condition, Parameter
from bench.reports.entries import LeaderboardEntry
from bench.reports.measured import measured
from bench.reports.tables import identity, interval

GROUPS = ("near", "far")
"""Parameters of ``ood`` that list sets."""


def ood_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry, score and set, and one per group of sets with the means over its sets.

    Rows of groups have ``group`` and no ``set``. ``aupr_ood`` and ``aupr_ordinary`` are OpenOOD's areas, with OOD and
    with ordinary images as the positive class; they depend on the ratio of ``n_ood`` to ``n_ordinary``.
    """
    rows = [
        row
        for entry in entries
        for key, variant in entry.benchmarks.items()
        if issubclass(variant.declared, Unlabelled)
        for row in _rows(entry, key)
    ]
    return pd.DataFrame(rows)


def _rows(entry: LeaderboardEntry, key: str) -> Iterator[dict[str, object]]:
    view, variant = measured(entry, key), entry.benchmarks[key]
    condition, compared = Condition(variant.benchmark), variant.declared.compared_with
    try:
        outcomes, ordinary = view.outcomes(condition), view.outcomes_of(compared, Condition(compared))
    except DataError:  # the leaderboard says what is missing
        return
    groups = _groups(variant.spec.parameters)
    of_set = {name: group for group, names in groups.items() for name in names}
    for score, title in SCORES.items():
        known = -known_class_scores(ordinary)[score]
        by_set = ood_scores(outcomes, score)
        if variant.declared is not Ood:
            by_set = {key: np.concatenate(list(by_set.values()))}
        head = {**identity(entry), "dataset": variant.spec.dataset, "benchmark": key, "score": score, "title": title}
        for name, own in by_set.items():
            figures = _figures(own, known)
            if variant.declared is not Ood:
                figures |= interval("average_precision", average_precision(own, known))
            yield {**head, "group": of_set.get(name, ""), "set": name, **figures}
        for group, names in groups.items():
            if names and set(names) <= by_set.keys():
                yield {**head, "group": group, "set": "", **_means([by_set[name] for name in names], known)}


def _groups(parameters: Mapping[str, Parameter]) -> dict[str, list[str]]:
    """Group -> its sets, as the benchmark's parameters list them."""
    listed = {group: parameters.get(group, ()) for group in GROUPS}
    return {group: [str(name) for name in names] for group, names in listed.items() if isinstance(names, Sequence)}


def _figures(own: NDArray[np.float64], known: NDArray[np.float64]) -> dict[str, float]:
    areas = precision_recall_areas(own, known)
    return {
        "n_ood": len(own),
        "n_ordinary": len(known),
        **interval("auroc", auroc(own, known)),
        **interval("fpr_at_95_tpr", fpr_at_tpr(own, known)),
        "aupr_ood": areas.ood_positive,
        "aupr_ordinary": areas.ordinary_positive,
    }


def _means(sets: Sequence[NDArray[np.float64]], known: NDArray[np.float64]) -> dict[str, float]:
    areas = [precision_recall_areas(own, known) for own in sets]
    return {
        "n_ood": sum(map(len, sets)),
        "n_ordinary": len(known),
        **interval("auroc", mean_auroc(sets, known)),
        "fpr_at_95_tpr": float(np.mean([fpr_at_tpr(own, known).value for own in sets])),
        "aupr_ood": float(np.mean([area.ood_positive for area in areas])),
        "aupr_ordinary": float(np.mean([area.ordinary_positive for area in areas])),
    }

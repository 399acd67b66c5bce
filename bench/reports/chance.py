"""Warnings about a clean accuracy that guessing reaches; most often, the labels do not match the classifier."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.metrics.estimates import proportion
from bench.records import RunSpec
from bench.reports.entries import LeaderboardEntry
from bench.reports.measured import measured
from bench.reports.reference import REFERENCE, REFERENCE_CONDITION
from bench.results import Store


def chance_warning(correct: NDArray[np.bool_], spec: RunSpec) -> str:
    """A warning where a clean accuracy is no better than guessing; empty where it is better.

    It is better where its 95 % interval lies above 1 / (number of classes).

    Args:
        correct: ``(N,)`` whether each clean image is right, of at least one.
        spec: the cell's identity.
    """
    accuracy, chance = proportion(correct), 1 / spec.n_classes
    if accuracy.low > chance:
        return ""
    return (
        f"clean accuracy {accuracy.value:.1%} on {spec.dataset} ({np.count_nonzero(correct)} of {accuracy.n} images)"
        f" may be guessing among {spec.n_classes:,} classes ({chance:.1%}): check that the labels are the"
        " classifier's (docs/labels.md)"
    )


def cell_warnings(specs: Sequence[RunSpec], store: Store) -> list[str]:
    """The warnings of the cells among ``specs`` that are on unchanged images and have outcomes in the store."""
    clean = [spec for spec in specs if spec.benchmark == REFERENCE.name]
    stored = [spec for spec in clean if store.covered(spec)]
    return [warning for spec in stored if (warning := chance_warning(store.sampled_correct(spec)[0], spec))]


def chance_warnings(entries: Sequence[LeaderboardEntry]) -> dict[str, str]:
    """Label -> warning, for the entries whose clean accuracy is no better than guessing."""
    warnings = {entry.label: _clean_warning(entry) for entry in entries if entry.has_clean}
    return {label: warning for label, warning in warnings.items() if warning}


def _clean_warning(entry: LeaderboardEntry) -> str:
    right = entry.hits(REFERENCE.name, REFERENCE_CONDITION).right
    return chance_warning(right, measured(entry, REFERENCE.name).spec)

"""Warnings about a clean accuracy that guessing reaches; most often, the labels do not match the classifier."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.metrics.estimates import proportion
from bench.records import RunSpec
from bench.reports.entries import LeaderboardEntry
from bench.reports.measured import measured
from bench.reports.reference import REFERENCE
from bench.results import Store, missing_ranges


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
    """The warnings of the cells among ``specs`` that are on unchanged images and complete in the store."""
    clean = [spec for spec in specs if spec.benchmark == REFERENCE.name]
    complete = [spec for spec in clean if not missing_ranges(store.covered(spec), spec.n_images)]
    return [warning for spec in complete if (warning := chance_warning(store.correct(spec), spec))]


def chance_warnings(entries: Sequence[LeaderboardEntry]) -> dict[str, str]:
    """Label -> warning, for the entries whose clean accuracy is no better than guessing."""
    warnings = {
        entry.label: chance_warning(entry.clean(), measured(entry, REFERENCE.name).spec)
        for entry in entries
        if entry.has_clean
    }
    return {label: warning for label, warning in warnings.items() if warning}

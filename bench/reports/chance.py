"""A clean accuracy that guessing reaches: most often, labels that do not fit the classifier."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.benchmarks.clean import Clean
from bench.metrics.estimates import proportion
from bench.records import RunSpec
from bench.reports.subjects import Subject
from bench.results import Store, missing_ranges


def chance_warning(correct: NDArray[np.bool_], spec: RunSpec) -> str:
    """A warning in words where a clean accuracy is no better than guessing; empty where it is better.

    It is better where its 95 % interval lies above one in as many classes as the decision is made among.

    Args:
        correct: ``(N,)`` whether each clean image is right, of at least one.
        spec: the cell's identity.
    """
    accuracy, chance = proportion(correct), 1 / spec.n_classes
    if accuracy.low > chance:
        return ""
    return (
        f"clean accuracy {accuracy.value:.1%} on {spec.dataset} ({np.count_nonzero(correct)} of {accuracy.n} images)"
        f" cannot be told from guessing among {spec.n_classes:,} classes ({chance:.1%}): check that the labels are the"
        " classifier's (docs/labels.md)"
    )


def cell_warnings(specs: Sequence[RunSpec], store: Store) -> list[str]:
    """The warnings of those cells among ``specs`` that are of clean images and whole in the store."""
    clean = [spec for spec in specs if spec.benchmark == Clean.name]
    whole = [spec for spec in clean if not missing_ranges(store.covered(spec), spec.n_images)]
    return [warning for spec in whole if (warning := chance_warning(store.correct(spec), spec))]


def chance_warnings(subjects: Sequence[Subject]) -> dict[str, str]:
    """Label -> warning, of the rows whose clean accuracy is no better than guessing."""
    found = {
        subject.label: chance_warning(subject.clean(), subject.measured(Clean.name).spec)
        for subject in subjects
        if subject.has_clean
    }
    return {label: warning for label, warning in found.items() if warning}

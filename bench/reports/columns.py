"""The leaderboard's estimates, declared in one table: a benchmark reaches the board through an entry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.errors import DataError
from bench.metrics.adversarial import IMAGENET_EPSILON, robust_accuracy
from bench.metrics.corruption import (
    mean_corruption_accuracy,
    mean_corruption_error,
    relative_mean_corruption_error,
)
from bench.metrics.estimates import proportion
from bench.records import Condition, Estimate
from bench.reports.subjects import CLEAN, Subject, describe_condition


@dataclass(frozen=True)
class Column:
    """One estimate of each classifier."""

    name: str
    """Column of the CSV file; its interval is in ``<name>_low`` and ``<name>_high``."""
    title: str
    """Heading on the page."""
    axis: str
    """Which group of columns it belongs to."""
    better: str
    """``higher`` or ``lower``."""
    compute: Callable[[Subject], Estimate]
    """Raises DataError, saying what is missing, where it cannot be computed."""
    benchmark: str
    """The benchmark it rests on."""
    percent: bool = True
    """Whether the value is a share of 1, to be shown in percent."""


def corruption_errors(subject: Subject) -> Mapping[tuple[str, int], NDArray[np.bool_]]:
    """Whether each image was misclassified, for every condition of the 15 x 5.

    Raises:
        DataError: naming how many conditions are missing, and the first.
    """
    if "corruption" not in subject.benchmarks:
        raise DataError("corruption was not run")
    needed = [(name, level) for name in CORRUPTIONS for level in SEVERITIES]
    missing = [
        Condition(name, level) for name, level in needed if not subject.complete("corruption", Condition(name, level))
    ]
    if missing:
        first = describe_condition("corruption", missing[0])
        raise DataError(f"it needs all 75 corruption conditions and lacks {len(missing)}, such as {first}")
    return {(name, level): ~subject.correct("corruption", Condition(name, level)) for name, level in needed}


def headline_epsilon(subject: Subject, attack: str) -> Condition:
    """The largest radius up to 4/255 that the attack was run at, the same for all rows of a protocol.

    Raises:
        DataError: the attack was not run at any.
    """
    if attack not in subject.benchmarks:
        raise DataError(f"{attack} was not run")
    within = [item for item in subject.expected[attack] if 0 < item.strength <= IMAGENET_EPSILON * (1 + 1e-6)]
    if not within:
        raise DataError(f"{attack} was not run at an epsilon up to 4/255")
    return max(within, key=lambda condition: condition.strength)


def _clean_accuracy(subject: Subject) -> Estimate:
    return proportion(subject.correct("clean", CLEAN))


def _relative_mce(subject: Subject) -> Estimate:
    return relative_mean_corruption_error(corruption_errors(subject), ~subject.correct("clean", CLEAN))


def _robust(attack: str) -> Callable[[Subject], Estimate]:
    def compute(subject: Subject) -> Estimate:
        return robust_accuracy(subject.correct(attack, headline_epsilon(subject, attack)))

    return compute


COLUMNS: tuple[Column, ...] = (
    Column("clean_accuracy", "Clean accuracy", "Clean", "higher", _clean_accuracy, "clean"),
    Column(
        "mean_corruption_error",
        "mCE",
        "Corruptions",
        "lower",
        lambda subject: mean_corruption_error(corruption_errors(subject)),
        "corruption",
        percent=False,
    ),
    Column(
        "relative_mean_corruption_error",
        "Relative mCE",
        "Corruptions",
        "lower",
        _relative_mce,
        "corruption",
        percent=False,
    ),
    Column(
        "mean_corruption_accuracy",
        "Mean corruption accuracy",
        "Corruptions",
        "higher",
        lambda subject: mean_corruption_accuracy(corruption_errors(subject)),
        "corruption",
    ),
    Column("fgsm_robust_accuracy", "FGSM robust accuracy", "Attacks", "higher", _robust("fgsm"), "fgsm"),
    Column("pgd_robust_accuracy", "PGD robust accuracy", "Attacks", "higher", _robust("pgd"), "pgd"),
)
"""In the order of the CSV file."""

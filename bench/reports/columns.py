"""The leaderboard's estimates, declared in one table: a benchmark reaches the board through an entry here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.corruptions.bar import BAR_CORRUPTIONS
from bench.errors import DataError
from bench.metrics.corruption import (
    mean_corruption_accuracy_values,
    mean_corruption_error_values,
    relative_mean_corruption_error_values,
)
from bench.metrics.shape_bias import cue_hits, shape_bias, shape_bias_values
from bench.metrics.stability import mean_over_perturbations
from bench.records import Condition, Estimate
from bench.reports.alexnet import check_alexnet_applies
from bench.reports.audit import energy_in_object, energy_values, pointing_game, pointing_values
from bench.reports.shape_bias import cue_trials
from bench.reports.subjects import Subject
from bench.reports.words import CLEAN


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
    values: Callable[[Subject], NDArray[Any]]
    """``(N,)`` what each image contributes; the estimate is their mean, and classifiers are compared image by image.
    Booleans where an image is right or wrong. Raises DataError, saying what is missing, where it cannot be computed."""
    benchmark: str
    """The benchmark it rests on, by ``bench.reports.subjects.key_of``."""
    percent: bool = True
    """Whether the value is a share of 1, to be shown in percent."""
    always: bool = True
    """Whether it stands on every leaderboard, or only where some classifier ran its benchmark."""
    epsilon: bool = False
    """Whether it is at the largest epsilon of an attack, which ``<benchmark>_epsilon`` then states."""
    under_shift: bool = False
    """Whether it is an accuracy on changed images, which effective robustness may hold against the clean accuracy."""
    exact: Callable[[Subject], Estimate] | None = None
    """The estimate itself where its interval is better than what the values give: a ratio's, for one."""


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
        first = subject.benchmarks["corruption"].describe(missing[0])
        raise DataError(f"it needs all 75 corruption conditions and lacks {len(missing)}, such as {first}")
    return {(name, level): ~subject.correct("corruption", Condition(name, level)) for name, level in needed}


def headline_epsilon(subject: Subject, attack: str) -> Condition:
    """The largest radius that the attack was run at, the same for all rows of a protocol.

    Raises:
        DataError: the attack was not run at any above 0.
    """
    if attack not in subject.benchmarks:
        raise DataError(f"{attack} was not run")
    found = [item for item in subject.expected[attack] if item.strength > 0]
    if not found:
        raise DataError(f"{attack} was not run at an epsilon above 0")
    return max(found, key=lambda condition: condition.strength)


def _clean(subject: Subject) -> NDArray[np.bool_]:
    return subject.correct("clean", CLEAN)


def _mce(subject: Subject) -> NDArray[np.float64]:
    check_alexnet_applies(subject)
    return mean_corruption_error_values(corruption_errors(subject))


def _relative_mce(subject: Subject) -> NDArray[np.float64]:
    check_alexnet_applies(subject)
    return relative_mean_corruption_error_values(corruption_errors(subject), ~_clean(subject))


def _flip_probability(subject: Subject) -> NDArray[np.float64]:
    flips = {
        condition.name: subject.outcomes("stability", condition)["flip_probability"].to_numpy()
        for condition in subject.expected.get("stability", ())
    }
    return mean_over_perturbations(flips)


def _corruption_bar_accuracy(subject: Subject) -> NDArray[np.float64]:
    conditions = subject.expected.get("corruption_bar", ())
    missing = [name for name in BAR_CORRUPTIONS for s in SEVERITIES if Condition(name, float(s)) not in conditions]
    if missing:
        raise DataError(f"{len(missing)} of the 50 conditions of corruption_bar were not run")
    shares: NDArray[np.float64] = np.mean(
        [subject.correct("corruption_bar", item) for item in sorted(conditions)], axis=0
    )
    return shares


def _robust(attack: str) -> Callable[[Subject], NDArray[np.bool_]]:
    """All images count: one that was wrong without an attack is not robust."""

    def values(subject: Subject) -> NDArray[np.bool_]:
        return subject.correct(attack, headline_epsilon(subject, attack))

    return values


def _attack_column(benchmark: str, title: str, *, always: bool = False) -> Column:
    return Column(
        f"{benchmark}_robust_accuracy",
        f"{title} robust accuracy",
        "Attacks",
        "higher",
        _robust(benchmark),
        benchmark,
        always=always,
        epsilon=True,
        under_shift=True,
    )


COLUMNS: tuple[Column, ...] = (
    Column("clean_accuracy", "Clean accuracy", "Clean", "higher", _clean, "clean"),
    Column(
        "mean_corruption_error",
        "mCE",
        "Corruptions",
        "lower",
        _mce,
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
        lambda subject: mean_corruption_accuracy_values(corruption_errors(subject)),
        "corruption",
        under_shift=True,
    ),
    _attack_column("fgsm", "FGSM", always=True),
    _attack_column("pgd", "PGD", always=True),
    _attack_column("one_pixel", "One-pixel", always=True),
    Column(
        "mean_flip_probability", "Flip probability", "Stability", "lower", _flip_probability, "stability", always=False
    ),
    Column(
        "corruption_bar_accuracy",
        "C-bar accuracy",
        "C-bar",
        "higher",
        _corruption_bar_accuracy,
        "corruption_bar",
        always=False,
        under_shift=True,
    ),
    Column(
        "shape_bias",
        "Shape bias",
        "Cue conflict",
        "higher",
        lambda subject: shape_bias_values(cue_trials(subject)),
        "cue_conflict",
        always=False,
        exact=lambda subject: shape_bias(cue_trials(subject)),
    ),
    Column(
        "cue_accuracy",
        "Cue accuracy",
        "Cue conflict",
        "higher",
        lambda subject: cue_hits(cue_trials(subject)),
        "cue_conflict",
        always=False,
    ),
    Column(
        "cam_energy_in_object",
        "Energy in object",
        "Audit",
        "higher",
        energy_values,
        "cam_audit",
        always=False,
        exact=energy_in_object,
    ),
    Column(
        "pointing_game",
        "Pointing game",
        "Audit",
        "higher",
        pointing_values,
        "cam_audit",
        always=False,
        exact=pointing_game,
    ),
)
"""In the order of the CSV file."""


def columns_of(subjects: Sequence[Subject]) -> tuple[Column, ...]:
    """The columns of a leaderboard of ``subjects``: those above, and one for each further attack that was run."""
    run = {benchmark for subject in subjects for benchmark in subject.benchmarks}
    declared = [column for column in COLUMNS if column.always or column.benchmark in run]
    known = {column.benchmark for column in COLUMNS}
    attacks = sorted(
        {
            name
            for subject in subjects
            for name, variant in subject.attacks.items()
            if name not in known and not str(variant.parameters["attack"]).startswith("noise")  # a control
        }
    )
    further = [_attack_column(name, name.replace("_", " ")) for name in attacks]
    last = max(place for place, column in enumerate(declared) if column.epsilon) + 1
    return (*declared[:last], *further, *declared[last:])


def columns_named(names: Sequence[str], subjects: Sequence[Subject]) -> tuple[Column, ...]:
    """The columns called ``names``, whether or not a subject ran their benchmarks; unknown names are left out.

    Args:
        names: of columns, such as those of a ``leaderboard.csv``.
        subjects: whose further attacks are known by their titles.
    """
    suffix = "_robust_accuracy"
    known = {column.name: column for column in (*COLUMNS, *columns_of(subjects))}
    attacks = [name.removesuffix(suffix) for name in names if name.endswith(suffix) and name not in known]
    known |= {f"{attack}{suffix}": _attack_column(attack, attack.replace("_", " ")) for attack in attacks}
    return tuple(column for name, column in known.items() if name in names)

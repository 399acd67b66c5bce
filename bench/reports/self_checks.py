"""The alarms of every adversarial run in a store, computed from its outcomes."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.attacks.result import rounding_allowance
from bench.attacks.self_checks import (
    SelfCheck,
    check_adaptive_gradient,
    check_black_box,
    check_epsilon_zero,
    check_in_ball,
    check_monotone_in_epsilon,
    check_monotone_in_steps,
    check_noise_control,
    check_zero_gradients,
)
from bench.records import Condition
from bench.reports.subjects import Subject, Variant, protocol_of
from bench.reports.words import CLEAN

COLUMNS = ["label", "classifier", "attack", "condition", "strength", "check", "passed", "message"]
BLACK_BOX = ("square", "hop_skip_jump", "boundary")
"""Attacks that see scores or decisions only."""

WHITE_BOX = ("pgd_linf", "pgd_l2", "pgd_l1", "bim_linf", "mi_fgsm", "fgsm")
"""Gradient attacks that a black-box attack must not beat, the strongest first."""

SINGLE_STEP = ("fgsm", "fgm_l2")
"""One long step may miss what a shorter one hits, so a rise with epsilon is no alarm."""

SLACK = 0.005
"""Rise in accuracy, or lead of a black-box attack, that random starts explain."""


class Finding(NamedTuple):
    """One check of one attack."""

    attack: str
    condition: Condition | None
    check: SelfCheck


def self_check_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """One row a subject, attack, condition and check; ``strength`` is NaN where a check is over all epsilons."""
    found_by_subject = [(subject, found) for subject in subjects for check in _CHECKS for found in check(subject)]
    found_by_subject += [pair for subject in subjects for pair in _adaptive_gradient(subject, subjects)]
    rows = [
        {
            "label": subject.label,
            "classifier": subject.spec.classifier,
            "attack": found.attack,
            "condition": "" if found.condition is None else subject.attacks[found.attack].describe(found.condition),
            "strength": math.nan if found.condition is None else found.condition.strength,
            "check": found.check.name,
            "passed": found.check.passed,
            "message": found.check.message,
        }
        for subject, found in found_by_subject
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _complete(subject: Subject, attack: str) -> dict[float, Condition]:
    """The attack's complete conditions by epsilon."""
    return {item.strength: item for item in subject.conditions(attack) if subject.complete(attack, item)}


def _epsilon_zero(subject: Subject) -> Iterator[Finding]:
    for attack in subject.attacks:
        zero = _complete(subject, attack).get(0.0)
        if zero is not None and subject.complete("clean", CLEAN):
            check = check_epsilon_zero(subject.correct("clean", CLEAN), subject.correct(attack, zero))
            yield Finding(attack, zero, check)


def _in_ball(subject: Subject) -> Iterator[Finding]:
    for attack, variant in subject.attacks.items():
        if variant.parameters["minimal_norm"]:
            continue
        for epsilon, condition in _complete(subject, attack).items():
            distance = subject.outcomes(attack, condition)["distance"].to_numpy(dtype=np.float64)
            allowance = rounding_allowance(str(variant.parameters["norm"]), epsilon, _n_values(subject))
            yield Finding(attack, condition, check_in_ball(distance, epsilon, allowance))


def _n_values(subject: Subject) -> int:
    """Values of an image, from the crop's key, which begins with ``HEIGHTxWIDTH``."""
    height, _, width = subject.spec.crop.partition("-")[0].partition("x")
    return 3 * int(height) * int(width)


def _monotone_in_epsilon(subject: Subject) -> Iterator[Finding]:
    for attack, variant in subject.attacks.items():
        found = {e: subject.correct(attack, condition) for e, condition in _complete(subject, attack).items()}
        if len(found) > 1 and variant.parameters["attack"] not in (*SINGLE_STEP, *BLACK_BOX):
            yield Finding(attack, None, check_monotone_in_epsilon(found, slack=SLACK))


def _monotone_in_steps(subject: Subject) -> Iterator[Finding]:
    """Over runs of one attack in the store that differ in their steps alone."""
    for attack, variant in subject.attacks.items():
        for epsilon, condition in _complete(subject, attack).items():
            runs = {_steps(variant): subject.correct(attack, condition)}
            for name, older in subject.older:
                cell = older.cells.get(condition)
                if name == attack and cell and cell.complete and _but_steps(older) == _but_steps(variant):
                    outcomes = subject.store.outcomes(cell.spec)
                    runs[_steps(older)] = outcomes["correct"].to_numpy(dtype=bool)
            if len(runs) > 1 and epsilon:
                yield Finding(attack, condition, check_monotone_in_steps(runs, slack=SLACK))


def _steps(variant: Variant) -> int:
    options = variant.parameters["options"]
    return int(options.get("steps", 0)) if isinstance(options, Mapping) else 0  # type: ignore[arg-type]


def _but_steps(variant: Variant) -> Mapping[str, object]:
    """Step sizes may go with the number of steps."""
    options = variant.parameters["options"]
    kept = {key: value for key, value in options.items() if "step" not in key} if isinstance(options, Mapping) else {}
    return {**variant.parameters, "options": kept, "version": variant.version}


def _black_box(subject: Subject) -> Iterator[Finding]:
    for attack, variant in subject.attacks.items():
        if variant.parameters["attack"] not in BLACK_BOX or variant.parameters["minimal_norm"]:
            continue
        for epsilon, condition in _complete(subject, attack).items():
            white = _white_box(subject, str(variant.parameters["norm"]), epsilon)
            if white is not None:
                check = check_black_box(white, subject.correct(attack, condition), slack=SLACK)
                yield Finding(attack, condition, check)


def _white_box(subject: Subject, norm: str, epsilon: float) -> NDArray[np.bool_] | None:
    """Who is still right under the strongest gradient attack in the same ball."""
    for attack in sorted(subject.attacks, key=lambda name: _strength_rank(subject.attacks[name])):
        variant = subject.attacks[attack]
        same_ball = variant.parameters["norm"] == norm and variant.parameters["attack"] in WHITE_BOX
        if same_ball and not variant.parameters["target"] and epsilon in _complete(subject, attack):
            return subject.correct(attack, _complete(subject, attack)[epsilon])
    return None


def _strength_rank(variant: Variant) -> int:
    name = str(variant.parameters["attack"])
    return WHITE_BOX.index(name) if name in WHITE_BOX else len(WHITE_BOX)


def _zero_gradients(subject: Subject) -> Iterator[Finding]:
    for attack in subject.attacks:
        for epsilon, condition in _complete(subject, attack).items():
            share = subject.outcomes(attack, condition)["zero_gradient"].to_numpy(dtype=np.float64)
            if epsilon and not np.isnan(share).all():
                yield Finding(attack, condition, check_zero_gradients(share))


def _noise_control(subject: Subject) -> Iterator[Finding]:
    controls = {
        (variant.parameters["norm"], epsilon): subject.correct(name, condition)
        for name, variant in subject.attacks.items()
        if str(variant.parameters["attack"]).startswith("noise")
        for epsilon, condition in _complete(subject, name).items()
    }
    for attack, variant in subject.attacks.items():
        is_control = str(variant.parameters["attack"]).startswith("noise")
        shared = [e for e in _complete(subject, attack) if e and (variant.parameters["norm"], e) in controls]
        if shared and not is_control and not variant.parameters["target"]:
            epsilon = max(shared)  # at a small one, neither need do anything
            condition = _complete(subject, attack)[epsilon]
            noise = controls[variant.parameters["norm"], epsilon]
            yield Finding(attack, condition, check_noise_control(subject.correct(attack, condition), noise))


def _adaptive_gradient(naive: Subject, subjects: Sequence[Subject]) -> Iterator[tuple[Subject, Finding]]:
    """A defended classifier attacked by the defense's own gradient, against the same one attacked adaptively."""
    if "gradient=naive" not in naive.spec.defense:
        return
    wanted = replace(naive.spec, defense=naive.spec.defense.replace("gradient=naive", "gradient=adaptive"))
    for adaptive in subjects:
        if protocol_of(adaptive.spec) != protocol_of(wanted):
            continue
        for attack, variant in naive.attacks.items():
            other = adaptive.attacks.get(attack)
            if other is None or (other.version, other.parameters) != (variant.version, variant.parameters):
                continue
            shared = _complete(naive, attack).keys() & _complete(adaptive, attack).keys()
            for epsilon in sorted(shared - {0.0}):
                condition = _complete(naive, attack)[epsilon]
                both = naive.correct(attack, condition), adaptive.correct(attack, condition)
                yield naive, Finding(attack, condition, check_adaptive_gradient(*both, slack=SLACK))


_CHECKS: Sequence[Callable[[Subject], Iterator[Finding]]] = (
    _epsilon_zero,
    _in_ball,
    _monotone_in_epsilon,
    _monotone_in_steps,
    _black_box,
    _zero_gradients,
    _noise_control,
)

"""The alarms of every adversarial run in a store, computed from its outcomes."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.attacks.declaration import DECISIONS, GRADIENT, SCORES
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
from bench.records import Condition, RunSpec
from bench.reports.subjects import Subject, Variant, protocol_of

COLUMNS = ["label", "classifier", "attack", "condition", "strength", "check", "passed", "message"]
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


_Within = dict[float, tuple[Condition, NDArray[np.bool_]]]


def _within(subject: Subject, attack: str) -> _Within:
    """Who is still right under the attack, by epsilon: a ball's own, or for the smallest perturbations every epsilon
    that another attack in the norm was run at, up to the largest looked for.
    """
    variant, complete = subject.attacks[attack], _complete(subject, attack)
    if not variant.threat.minimal_norm:
        return {epsilon: (condition, subject.correct(attack, condition)) for epsilon, condition in complete.items()}
    asked = {
        epsilon
        for name, other in subject.attacks.items()
        if other.threat.norm == variant.threat.norm
        for epsilon in _complete(subject, name)
    }
    found: _Within = {}
    for largest, condition in complete.items():
        distance = subject.outcomes(attack, condition)["distance"].to_numpy(dtype=np.float64)
        found |= {epsilon: (condition, distance > epsilon) for epsilon in sorted(asked) if epsilon <= largest}
    return found


def _epsilon_zero(subject: Subject) -> Iterator[Finding]:
    for attack in subject.attacks:
        zero = _complete(subject, attack).get(0.0)
        if zero is not None and subject.has_clean:
            check = check_epsilon_zero(subject.clean(), subject.correct(attack, zero))
            yield Finding(attack, zero, check)


def _in_ball(subject: Subject) -> Iterator[Finding]:
    for attack, variant in subject.attacks.items():
        if variant.threat.minimal_norm:
            continue
        for epsilon, condition in _complete(subject, attack).items():
            distance = subject.outcomes(attack, condition)["distance"].to_numpy(dtype=np.float64)
            allowance = rounding_allowance(variant.threat.norm, epsilon, _n_values(variant.spec))
            yield Finding(attack, condition, check_in_ball(distance, epsilon, allowance))


def _n_values(spec: RunSpec) -> int:
    """Values of an image, three for each pixel."""
    height, width = spec.image_size
    return 3 * height * width


def _monotone_in_epsilon(subject: Subject) -> Iterator[Finding]:
    for attack, variant in subject.attacks.items():
        found = {e: subject.correct(attack, condition) for e, condition in _complete(subject, attack).items()}
        if len(found) > 1 and not variant.threat.single_step and variant.threat.access not in (SCORES, DECISIONS):
            yield Finding(attack, None, check_monotone_in_epsilon(found, slack=SLACK))


def _monotone_in_steps(subject: Subject) -> Iterator[Finding]:
    """Over runs of one attack in the store that differ in their steps alone."""
    for attack, variant in subject.attacks.items():
        for epsilon, condition in _complete(subject, attack).items():
            runs = {variant.threat.steps: subject.correct(attack, condition)}
            for name, older in subject.older:
                cell = older.cells.get(condition)
                if name == attack and cell and cell.complete and _alike_but_for_steps(older, variant):
                    outcomes = subject.store.outcomes(cell.spec)
                    runs[older.threat.steps] = outcomes["correct"].to_numpy(dtype=bool)
            if len(runs) > 1 and epsilon:
                yield Finding(attack, condition, check_monotone_in_steps(runs, slack=SLACK))


def _alike_but_for_steps(one: Variant, other: Variant) -> bool:
    return (one.version, one.threat.family) == (other.version, other.threat.family)


def _black_box(subject: Subject) -> Iterator[Finding]:
    blind: list[tuple[str, Variant, _Within]] = []
    seeing: list[tuple[str, Variant, _Within]] = []
    for attack, variant in subject.attacks.items():
        if variant.threat.access in (SCORES, DECISIONS, GRADIENT) and not variant.threat.targeted:
            (seeing if variant.threat.access == GRADIENT else blind).append((attack, variant, _within(subject, attack)))
    for attack, variant, found in blind:
        norm = variant.threat.norm
        for epsilon, (condition, correct) in found.items():
            white = [
                within[epsilon][1] for _, other, within in seeing if other.threat.norm == norm and epsilon in within
            ]
            if epsilon and white:
                strongest = min(white, key=lambda flags: float(flags.mean()))
                check = check_black_box(strongest, correct, slack=SLACK)
                where = "" if epsilon == condition.strength else f"within {epsilon:.6g}, "
                yield Finding(attack, condition, replace(check, message=where + check.message))


def _zero_gradients(subject: Subject) -> Iterator[Finding]:
    for attack in subject.attacks:
        for epsilon, condition in _complete(subject, attack).items():
            share = subject.outcomes(attack, condition)["zero_gradient"].to_numpy(dtype=np.float64)
            if epsilon and not np.isnan(share).all():
                yield Finding(attack, condition, check_zero_gradients(share))


def _noise_control(subject: Subject) -> Iterator[Finding]:
    controls = {
        (variant.threat.norm, epsilon): subject.correct(name, condition)
        for name, variant in subject.attacks.items()
        if variant.threat.control
        for epsilon, condition in _complete(subject, name).items()
    }
    for attack, variant in subject.attacks.items():
        shared = [e for e in _complete(subject, attack) if e and (variant.threat.norm, e) in controls]
        if shared and not variant.threat.control and not variant.threat.targeted:
            epsilon = max(shared)  # at a small one, neither need do anything
            condition = _complete(subject, attack)[epsilon]
            noise = controls[variant.threat.norm, epsilon]
            yield Finding(attack, condition, check_noise_control(subject.correct(attack, condition), noise))


def _adaptive_gradient(naive: Subject, subjects: Sequence[Subject]) -> Iterator[tuple[Subject, Finding]]:
    """A defended classifier attacked by the defense's own gradient, against the same one attacked adaptively."""
    if not naive.spec.adaptive_defense:
        return
    same_but_adaptive = protocol_of(replace(naive.spec, defense=naive.spec.adaptive_defense))
    for adaptive in subjects:
        if protocol_of(adaptive.spec) != same_but_adaptive:
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

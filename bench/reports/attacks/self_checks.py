"""Self-checks of every adversarial evaluation in a store, computed from its outcomes."""

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
from bench.errors import DataError
from bench.metrics.sampling import Hits, on_shared_images
from bench.records import Condition, RunSpec
from bench.reports.entries import LeaderboardEntry
from bench.reports.grouping import protocol_of
from bench.reports.reference import REFERENCE, REFERENCE_CONDITION
from bench.reports.sections import CHECK_COLUMNS
from bench.reports.variants import Variant

SLACK = 0.005
"""Rise in accuracy, or lead of a black-box attack, that random starts explain."""
FEWEST_SHARED = 30
"""Images that two samples must share before runs are compared on them."""


class Finding(NamedTuple):
    """One check of one attack."""

    attack: str
    condition: Condition | None
    check: SelfCheck


def self_check_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry, attack, condition and check; ``strength`` is NaN where a check is over all epsilons."""
    findings = [(entry, finding) for entry in entries for check in _CHECKS for finding in check(entry)]
    findings += [pair for entry in entries for pair in _adaptive_gradient(entry, entries)]
    rows = [
        {
            "label": entry.label,
            "classifier": entry.spec.classifier,
            "attack": finding.attack,
            "condition": "" if finding.condition is None else entry.attacks[finding.attack].describe(finding.condition),
            "strength": math.nan if finding.condition is None else finding.condition.strength,
            "check": finding.check.name,
            "passed": finding.check.passed,
            "message": finding.check.message,
        }
        for entry, finding in findings
    ]
    return pd.DataFrame(rows, columns=list(CHECK_COLUMNS))


def _complete(entry: LeaderboardEntry, attack: str) -> dict[float, Condition]:
    """The attack's complete conditions by epsilon."""
    return {item.strength: item for item in entry.conditions(attack) if entry.has(attack, item)}


_Within = dict[float, tuple[Condition, Hits]]


def _within(entry: LeaderboardEntry, attack: str) -> _Within:
    """Condition and whether each image is still classified correctly, by epsilon.

    The epsilons are those that the attack was run at. For an attack that seeks the smallest perturbation, they are
    those of every attack in the same norm, up to the largest perturbation that it looks for.
    """
    variant, complete = entry.attacks[attack], _complete(entry, attack)
    if not variant.threat.minimal_norm:
        return {epsilon: (condition, entry.hits(attack, condition)) for epsilon, condition in complete.items()}
    asked = {
        epsilon
        for name, other in entry.attacks.items()
        if other.threat.norm == variant.threat.norm
        for epsilon in _complete(entry, name)
    }
    within: _Within = {}
    for largest, condition in complete.items():
        distance = entry.outcomes(attack, condition)["distance"].to_numpy(dtype=np.float64)
        hits = entry.hits(attack, condition)
        within |= {
            epsilon: (condition, replace(hits, right=distance > epsilon))
            for epsilon in sorted(asked)
            if epsilon <= largest
        }
    return within


def _epsilon_zero(entry: LeaderboardEntry) -> Iterator[Finding]:
    for attack in entry.attacks:
        zero = _complete(entry, attack).get(0.0)
        if zero is not None and entry.has_clean:
            clean = entry.hits(REFERENCE.name, REFERENCE_CONDITION)
            shared = _shared([clean, entry.hits(attack, zero)])
            if shared:
                yield Finding(attack, zero, check_epsilon_zero(*shared))


def _in_ball(entry: LeaderboardEntry) -> Iterator[Finding]:
    for attack, variant in entry.attacks.items():
        if variant.threat.minimal_norm:
            continue
        for epsilon, condition in _complete(entry, attack).items():
            distance = entry.outcomes(attack, condition)["distance"].to_numpy(dtype=np.float64)
            allowance = rounding_allowance(variant.threat.norm, epsilon, _n_values(variant.spec))
            yield Finding(attack, condition, check_in_ball(distance, epsilon, allowance))


def _n_values(spec: RunSpec) -> int:
    """Values of an image, three for each pixel."""
    height, width = spec.image_size
    return 3 * height * width


def _monotone_in_epsilon(entry: LeaderboardEntry) -> Iterator[Finding]:
    for attack, variant in entry.attacks.items():
        epsilons = _complete(entry, attack)
        shared = _shared([entry.hits(attack, condition) for condition in epsilons.values()])
        correct = dict(zip(epsilons, shared, strict=False))
        if len(correct) > 1 and not variant.threat.single_step and variant.threat.access not in (SCORES, DECISIONS):
            yield Finding(attack, None, check_monotone_in_epsilon(correct, slack=SLACK))


def _monotone_in_steps(entry: LeaderboardEntry) -> Iterator[Finding]:
    """Over runs of one attack in the store that differ in their steps alone."""
    for attack, variant in entry.attacks.items():
        for epsilon, condition in _complete(entry, attack).items():
            runs = {variant.threat.steps: entry.hits(attack, condition)}
            for name, older in entry.older:
                cell = older.cells.get(condition)
                if name == attack and cell and cell.usable and _alike_but_for_steps(older, variant):
                    runs[older.threat.steps] = Hits(*entry.store.sampled_correct(cell.spec), cell.spec.n_images)
            correct = dict(zip(runs, _shared(list(runs.values())), strict=False))
            if len(correct) > 1 and epsilon:
                yield Finding(attack, condition, check_monotone_in_steps(correct, slack=SLACK))


def _alike_but_for_steps(one: Variant, other: Variant) -> bool:
    return (one.version, one.threat.family) == (other.version, other.threat.family)


def _black_box(entry: LeaderboardEntry) -> Iterator[Finding]:
    blind: list[tuple[str, Variant, _Within]] = []
    seeing: list[tuple[str, Variant, _Within]] = []
    for attack, variant in entry.attacks.items():
        if variant.threat.access in (SCORES, DECISIONS, GRADIENT) and not variant.threat.targeted:
            (seeing if variant.threat.access == GRADIENT else blind).append((attack, variant, _within(entry, attack)))
    for attack, variant, by_epsilon in blind:
        norm = variant.threat.norm
        for epsilon, (condition, correct) in by_epsilon.items():
            white = [
                within[epsilon][1] for _, other, within in seeing if other.threat.norm == norm and epsilon in within
            ]
            if epsilon and white:
                strongest = min(white, key=lambda hits: float(hits.right.mean()))
                shared = _shared([strongest, correct])
                if not shared:
                    continue
                check = check_black_box(*shared, slack=SLACK)
                where = "" if epsilon == condition.strength else f"within {epsilon:.6g}, "
                yield Finding(attack, condition, replace(check, message=where + check.message))


def _zero_gradients(entry: LeaderboardEntry) -> Iterator[Finding]:
    for attack in entry.attacks:
        for epsilon, condition in _complete(entry, attack).items():
            share = entry.outcomes(attack, condition)["zero_gradient"].to_numpy(dtype=np.float64)
            if epsilon and not np.isnan(share).all():
                yield Finding(attack, condition, check_zero_gradients(share))


def _noise_control(entry: LeaderboardEntry) -> Iterator[Finding]:
    controls = {
        (variant.threat.norm, epsilon): entry.hits(name, condition)
        for name, variant in entry.attacks.items()
        if variant.threat.control
        for epsilon, condition in _complete(entry, name).items()
    }
    for attack, variant in entry.attacks.items():
        shared = [e for e in _complete(entry, attack) if e and (variant.threat.norm, e) in controls]
        if shared and not variant.threat.control and not variant.threat.targeted:
            epsilon = max(shared)  # at a small one, neither need do anything
            condition = _complete(entry, attack)[epsilon]
            shown = _shared([entry.hits(attack, condition), controls[variant.threat.norm, epsilon]])
            if shown:
                yield Finding(attack, condition, check_noise_control(*shown))


def _shared(cells: Sequence[Hits]) -> list[NDArray[np.bool_]]:
    """As ``on_shared_images``; empty where samples share too few images for a check to say anything."""
    try:
        shared = on_shared_images(cells)
    except DataError:
        return []
    return shared if len(shared[0]) >= min(FEWEST_SHARED, cells[0].n_images) else []


def _adaptive_gradient(
    naive: LeaderboardEntry, entries: Sequence[LeaderboardEntry]
) -> Iterator[tuple[LeaderboardEntry, Finding]]:
    """A defended classifier attacked by the defense's own gradient, against the same one attacked adaptively."""
    if not naive.spec.adaptive_defense:
        return
    same_but_adaptive = protocol_of(replace(naive.spec, defense=naive.spec.adaptive_defense))
    for adaptive in entries:
        if protocol_of(adaptive.spec) != same_but_adaptive:
            continue
        for attack, variant in naive.attacks.items():
            other = adaptive.attacks.get(attack)
            if other is None or (other.version, other.parameters) != (variant.version, variant.parameters):
                continue
            shared = _complete(naive, attack).keys() & _complete(adaptive, attack).keys()
            for epsilon in sorted(shared - {0.0}):
                condition = _complete(naive, attack)[epsilon]
                both = _shared([naive.hits(attack, condition), adaptive.hits(attack, condition)])
                if both:
                    yield naive, Finding(attack, condition, check_adaptive_gradient(*both, slack=SLACK))


_CHECKS: Sequence[Callable[[LeaderboardEntry], Iterator[Finding]]] = (
    _epsilon_zero,
    _in_ball,
    _monotone_in_epsilon,
    _monotone_in_steps,
    _black_box,
    _zero_gradients,
    _noise_control,
)

"""Tables of an adversarial evaluation: epsilons, smallest perturbations, queries, transfer."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks.transfer import Transfer
from bench.errors import DataError
from bench.metrics.adversarial import attack_success, robust_accuracy
from bench.metrics.sampling import on_shared_images
from bench.records import Condition, Estimate
from bench.reports.entries import LeaderboardEntry
from bench.reports.reference import REFERENCE, REFERENCE_CONDITION
from bench.reports.tables import MISSING, identity, interval

TRANSFER = Transfer.name
DISTANCE_BINS = 24
"""Bins of the histograms of smallest perturbations."""

QUERY_POINTS = 40
"""Points of a query curve."""


def epsilon_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry, attack and epsilon: robust accuracy over all images, success over the correct ones."""
    rows = []
    for entry, attack, condition in _attacked(entries):
        correct = entry.hits(attack, condition).right
        success = _attack_success(entry, attack, condition)
        rows.append(
            {
                **identity(entry),
                "attack": attack,
                "norm": entry.attacks[attack].threat.norm,
                "epsilon": condition.strength,
                "epsilon_255": round(condition.strength * 255, 6),
                **interval("robust_accuracy", robust_accuracy(correct)),
                "n_images": len(correct),
                **interval("attack_success", success),
                "n_attacked": success.n,
            }
        )
    return pd.DataFrame(rows)


def robust_accuracy_curves(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """Robust accuracy against epsilon: stored epsilons, and every distance of attacks that seek the smallest.

    Columns ``label, benchmark, norm, strength, accuracy, accuracy_low, accuracy_high``; clean is at strength 0.
    """
    rows: list[dict[str, object]] = []
    for entry, attack, condition in _attacked(entries):
        what = {"label": entry.label, "benchmark": attack, "norm": entry.attacks[attack].threat.norm}
        points = [(condition.strength, entry.hits(attack, condition).right)]
        if entry.attacks[attack].threat.minimal_norm:
            distance = _distances(entry, attack, condition)
            points = [(e, distance > e) for e in np.linspace(0, condition.strength, DISTANCE_BINS + 1)[1:]]
        if entry.has_clean and condition.strength:
            points.append((0.0, entry.hits(REFERENCE.name, REFERENCE_CONDITION).right))
        rows += [{**what, "strength": e, **interval("accuracy", robust_accuracy(flags))} for e, flags in points]
    columns = ["label", "benchmark", "norm", "strength", "accuracy", "accuracy_low", "accuracy_high"]
    return pd.DataFrame(rows, columns=columns).drop_duplicates(["label", "benchmark", "strength"])


def distance_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """Histogram of the smallest perturbations found: one row per entry, attack and bin.

    ``share`` is of the images attacked (those classified correctly); what lies beyond the attack's epsilon, or was
    never found, is in no bin and is counted in ``beyond``.
    """
    rows = []
    for entry, attack, condition in _attacked(entries):
        if not entry.attacks[attack].threat.minimal_norm:
            continue
        distance = _distances(entry, attack, condition)
        distance = distance[distance > 0]
        if not len(distance):
            continue
        counts, edges = np.histogram(distance, DISTANCE_BINS, range=(0, condition.strength))
        beyond = float((distance > condition.strength).mean())
        rows += [
            {
                **identity(entry),
                "attack": attack,
                "norm": entry.attacks[attack].threat.norm,
                "low": low,
                "high": high,
                "share": count / len(distance),
                "beyond": beyond,
                "n_attacked": len(distance),
            }
            for count, low, high in zip(counts, edges, edges[1:], strict=False)
        ]
    return pd.DataFrame(rows)


def query_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """Share of the attacked images misclassified by each number of queries: one row per entry, attack and count."""
    rows = []
    for entry, attack, condition in _attacked(entries):
        if not entry.attacks[attack].threat.stops_at_success:
            continue
        outcomes = entry.outcomes(attack, condition)
        attacked = outcomes[outcomes["stage"] != "clean"]
        if attacked.empty:
            continue
        needed = attacked["queries"].where(attacked["success"], np.inf).to_numpy(dtype=float)
        most = int(attacked["queries"].max())
        counts = np.unique(np.geomspace(1, max(most, 2), QUERY_POINTS).round().astype(int))
        rows += [
            {
                **identity(entry),
                "attack": attack,
                "epsilon": condition.strength,
                "queries": int(count),
                "success": float((needed <= count).mean()),
                "n_attacked": len(attacked),
            }
            for count in counts
        ]
    return pd.DataFrame(rows)


def transfer_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per surrogate, target and epsilon: the target's accuracy on the surrogate's adversarial images.

    ``transfer_success`` is over the images that the target classifies correctly when clean.
    """
    rows = []
    for entry in entries:
        for condition in entry.conditions(TRANSFER):
            if entry.has(TRANSFER, condition):
                correct = entry.hits(TRANSFER, condition).right
                rows.append(
                    {
                        **identity(entry),
                        "surrogate": entry.benchmarks[TRANSFER].cells[condition].spec.surrogate,
                        "epsilon": condition.strength,
                        **interval("robust_accuracy", robust_accuracy(correct)),
                        **interval("transfer_success", _attack_success(entry, TRANSFER, condition)),
                    }
                )
    return pd.DataFrame(rows)


def stage_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """How many images each stage of a cascade (AutoAttack) broke: one row per entry, attack, epsilon and stage."""
    rows = []
    for entry, attack, condition in _attacked(entries):
        if not entry.attacks[attack].threat.cascade:
            continue
        stages = entry.outcomes(attack, condition)["stage"].astype(str).replace("", "withstood")
        rows += [
            {**identity(entry), "attack": attack, "epsilon": condition.strength, "stage": stage, "images": int(count)}
            for stage, count in stages.value_counts().items()
        ]
    return pd.DataFrame(rows)


def _attacked(entries: Sequence[LeaderboardEntry]) -> Iterator[tuple[LeaderboardEntry, str, Condition]]:
    """Every complete cell of an attack."""
    for entry in entries:
        for attack in entry.attacks:
            for condition in entry.conditions(attack):
                if entry.has(attack, condition):
                    yield entry, attack, condition


def _distances(entry: LeaderboardEntry, attack: str, condition: Condition) -> NDArray[np.float64]:
    """Size of each image's smallest perturbation; 0 where it was wrong without one, infinite where none was found."""
    distances: NDArray[np.float64] = entry.outcomes(attack, condition)["distance"].to_numpy(dtype=np.float64)
    return distances


def _attack_success(entry: LeaderboardEntry, attack: str, condition: Condition) -> Estimate:
    try:
        shown = entry.hits(REFERENCE.name, REFERENCE_CONDITION), entry.hits(attack, condition)
        return attack_success(*on_shared_images(shown))
    except DataError:
        return MISSING  # without clean outcomes, or a correct one among them, nothing is known to attack

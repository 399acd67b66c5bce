"""Tables of an adversarial evaluation: epsilons, smallest perturbations, queries, transfer."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks.transfer import Transfer
from bench.errors import DataError
from bench.metrics.adversarial import attack_success, robust_accuracy
from bench.records import Condition, Estimate
from bench.reports.subjects import Subject
from bench.reports.tables import MISSING, identity, interval

TRANSFER = Transfer.name
DISTANCE_BINS = 24
"""Bins of the histograms of smallest perturbations."""

QUERY_POINTS = 40
"""Points of a query curve."""


def epsilon_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """One row a subject, attack and epsilon: robust accuracy over all images, success over the correct ones."""
    rows = []
    for subject, attack, condition in _attacked(subjects):
        correct = subject.correct(attack, condition)
        success = _attack_success(subject, correct)
        rows.append(
            {
                **identity(subject),
                "attack": attack,
                "norm": subject.attacks[attack].threat.norm,
                "epsilon": condition.strength,
                "epsilon_255": round(condition.strength * 255, 6),
                **interval("robust_accuracy", robust_accuracy(correct)),
                "n_images": len(correct),
                **interval("attack_success", success),
                "n_attacked": success.n,
            }
        )
    return pd.DataFrame(rows)


def robust_accuracy_curves(subjects: Sequence[Subject]) -> pd.DataFrame:
    """Robust accuracy against epsilon: stored epsilons, and every distance of attacks that seek the smallest.

    Columns ``label, benchmark, norm, strength, accuracy, accuracy_low, accuracy_high``; clean is at strength 0.
    """
    rows: list[dict[str, object]] = []
    for subject, attack, condition in _attacked(subjects):
        what = {"label": subject.label, "benchmark": attack, "norm": subject.attacks[attack].threat.norm}
        points = [(condition.strength, subject.correct(attack, condition))]
        if subject.attacks[attack].threat.minimal_norm:
            distance = _distances(subject, attack, condition)
            points = [(e, distance > e) for e in np.linspace(0, condition.strength, DISTANCE_BINS + 1)[1:]]
        if subject.has_clean and condition.strength:
            points.append((0.0, subject.clean()))
        rows += [{**what, "strength": e, **interval("accuracy", robust_accuracy(flags))} for e, flags in points]
    columns = ["label", "benchmark", "norm", "strength", "accuracy", "accuracy_low", "accuracy_high"]
    return pd.DataFrame(rows, columns=columns).drop_duplicates(["label", "benchmark", "strength"])


def distance_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """Histogram of the smallest perturbations found: one row a subject, attack and bin.

    ``share`` is of the images attacked (those classified correctly); what lies beyond the attack's epsilon, or was
    never found, is in no bin and is counted in ``beyond``.
    """
    rows = []
    for subject, attack, condition in _attacked(subjects):
        if not subject.attacks[attack].threat.minimal_norm:
            continue
        distance = _distances(subject, attack, condition)
        distance = distance[distance > 0]
        if not len(distance):
            continue
        counts, edges = np.histogram(distance, DISTANCE_BINS, range=(0, condition.strength))
        beyond = float((distance > condition.strength).mean())
        rows += [
            {
                **identity(subject),
                "attack": attack,
                "norm": subject.attacks[attack].threat.norm,
                "low": low,
                "high": high,
                "share": count / len(distance),
                "beyond": beyond,
                "n_attacked": len(distance),
            }
            for count, low, high in zip(counts, edges, edges[1:], strict=False)
        ]
    return pd.DataFrame(rows)


def query_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """Share of the attacked images that had fallen by each number of queries: one row a subject, attack and count."""
    rows = []
    for subject, attack, condition in _attacked(subjects):
        if not subject.attacks[attack].threat.stops_at_success:
            continue
        outcomes = subject.outcomes(attack, condition)
        attacked = outcomes[outcomes["stage"] != "clean"]
        if attacked.empty:
            continue
        needed = attacked["queries"].where(attacked["success"], np.inf).to_numpy(dtype=float)
        most = int(attacked["queries"].max())
        counts = np.unique(np.geomspace(1, max(most, 2), QUERY_POINTS).round().astype(int))
        rows += [
            {
                **identity(subject),
                "attack": attack,
                "epsilon": condition.strength,
                "queries": int(count),
                "success": float((needed <= count).mean()),
                "n_attacked": len(attacked),
            }
            for count in counts
        ]
    return pd.DataFrame(rows)


def transfer_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """One row a surrogate, target and epsilon: the target's accuracy on the surrogate's adversarial images.

    ``transfer_success`` is over the images that the target classifies correctly when clean.
    """
    rows = []
    for subject in subjects:
        for condition in subject.conditions(TRANSFER):
            if subject.complete(TRANSFER, condition):
                correct = subject.correct(TRANSFER, condition)
                rows.append(
                    {
                        **identity(subject),
                        "surrogate": subject.benchmarks[TRANSFER].cells[condition].spec.surrogate,
                        "epsilon": condition.strength,
                        **interval("robust_accuracy", robust_accuracy(correct)),
                        **interval("transfer_success", _attack_success(subject, correct)),
                    }
                )
    return pd.DataFrame(rows)


def stage_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """What each stage of a cascade (AutoAttack) broke: one row a subject, attack, epsilon and stage."""
    rows = []
    for subject, attack, condition in _attacked(subjects):
        if not subject.attacks[attack].threat.cascade:
            continue
        stages = subject.outcomes(attack, condition)["stage"].astype(str).replace("", "withstood")
        rows += [
            {**identity(subject), "attack": attack, "epsilon": condition.strength, "stage": stage, "images": int(count)}
            for stage, count in stages.value_counts().items()
        ]
    return pd.DataFrame(rows)


def _attacked(subjects: Sequence[Subject]) -> Iterator[tuple[Subject, str, Condition]]:
    """Every complete cell of an attack."""
    for subject in subjects:
        for attack in subject.attacks:
            for condition in subject.conditions(attack):
                if subject.complete(attack, condition):
                    yield subject, attack, condition


def _distances(subject: Subject, attack: str, condition: Condition) -> NDArray[np.float64]:
    """Size of each image's smallest perturbation; 0 where it was wrong without one, infinite where none was found."""
    distances: NDArray[np.float64] = subject.outcomes(attack, condition)["distance"].to_numpy(dtype=np.float64)
    return distances


def _attack_success(subject: Subject, correct: NDArray[np.bool_]) -> Estimate:
    try:
        return attack_success(subject.clean(), correct)
    except DataError:
        return MISSING  # without clean outcomes, or a correct one among them, nothing is known to attack

"""Shape against texture: classifiers, imported networks and humans in the same tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks.cue_conflict import CueConflict, read_trials
from bench.errors import DataError
from bench.metrics.error_consistency import ErrorConsistency, error_consistency, mean_consistency
from bench.metrics.shape_bias import (
    CueTrials,
    bootstrap_cue_accuracy,
    bootstrap_shape_bias,
    category_shape_biases,
    count_cues,
    cue_accuracy,
    shape_bias,
)
from bench.records import Estimate, RunSpec
from bench.reports.entries import LeaderboardEntry, is_imported
from bench.results import Store

BENCHMARK = CueConflict.name
[CONDITION] = CueConflict().conditions()
PEOPLE, HUMAN, NETWORK, CLASSIFIER = "people", "human", "network", "classifier"
KINDS = (PEOPLE, HUMAN, NETWORK, CLASSIFIER)
"""In the order of tables and plots: all imported people together and each of them, imported networks, our own
classifiers."""
ALL_PEOPLE = "all people"
PAIR_COLUMNS = (
    *("first", "second", "first_kind", "second_kind", "n_images"),
    *("kappa", "kappa_low", "kappa_high", "observed", "expected"),
)
UNDEFINED = Estimate(math.nan, math.nan, math.nan, 0)


@dataclass(frozen=True)
class DecisionMaker:
    """A person, people, or a network that decided on cue-conflict images."""

    label: str
    """Its name, unique in the report."""
    kind: str
    """One of ``KINDS``."""
    outcomes: pd.DataFrame
    """One row per image: ``image_id, shape, texture, decision, correct``."""

    @property
    def trials(self) -> CueTrials:
        """The cues of the images, and the decisions."""
        return read_trials(self.outcomes)


@dataclass(frozen=True)
class DecisionTables:
    """The tables on decision makers."""

    shape_bias: pd.DataFrame
    """One row per decision maker: counts, pooled shape bias and cue accuracy with intervals, and shape bias by category
    of shape (``shape_bias_cat``, ...). Where there are several people, the first row pools all of their decisions."""
    error_consistency: pd.DataFrame
    """One row per pair: kappa with its interval, observed and expected consistency, and the number of shared images."""


def imported_specs(store: Store) -> list[tuple[str, RunSpec]]:
    """Label and identity of every imported decision maker's cell, in whatever experiment."""
    specs = [cell.spec for cell in store.cells() if is_imported(cell.spec) and cell.complete]
    names = [(spec.classifier, spec.dataset) for spec in specs]
    twice = {name for name, dataset in names if names.count((name, dataset)) > 1}
    return [
        (f"{spec.classifier} · {spec.weights_digest[:8]}" if spec.classifier in twice else spec.classifier, spec)
        for spec in specs
    ]


def decision_makers(
    store: Store, entries: Sequence[LeaderboardEntry], imported: Sequence[tuple[str, RunSpec]]
) -> list[DecisionMaker]:
    """The decision makers with a decision on all cue-conflict images of a set: humans first, classifiers last.

    Args:
        store: where the decisions are.
        entries: of the classifiers.
        imported: of ``imported_specs``.
    """
    ours = {entry.label for entry in entries}
    makers = []
    for name, spec in imported:
        if spec.benchmark == BENCHMARK:
            label = f"{name} · {spec.weights_digest[:8]}" if name in ours else name
            makers.append(DecisionMaker(label, spec.decision_maker, store.outcomes(spec)))
    seen: set[str] = set()
    for entry in entries:  # one set may be in several entries of the same classifier
        if entry.has(BENCHMARK, CONDITION):
            cell_id = entry.benchmarks[BENCHMARK].cells[CONDITION].spec.cell_id
            if cell_id not in seen:
                seen.add(cell_id)
                makers.append(DecisionMaker(entry.label, CLASSIFIER, entry.outcomes(BENCHMARK, CONDITION)))
    return sorted(makers, key=lambda maker: (KINDS.index(maker.kind), maker.label))


def decision_tables(makers: Sequence[DecisionMaker]) -> DecisionTables | None:
    """The tables of ``makers``; None where there are none."""
    if not makers:
        return None
    people = [maker.outcomes for maker in makers if maker.kind == HUMAN]
    pooled = [DecisionMaker(ALL_PEOPLE, PEOPLE, pd.concat(people, ignore_index=True))] if len(people) > 1 else []
    pairs = pd.DataFrame([_pair_row(one, other) for one, other in combinations(makers, 2)], columns=PAIR_COLUMNS)
    return DecisionTables(pd.DataFrame([_bias_row(maker) for maker in (*pooled, *makers)]), pairs)


def consistency_sentences(pairs: pd.DataFrame) -> list[str]:
    """Mean kappa of classifiers and humans, and among humans, where there are such pairs."""
    known = pairs.dropna(subset=["kappa"])
    kappas = {
        frozenset((str(row["first"]), str(row["second"]))): float(row["kappa"]) for row in known.to_dict("records")
    }
    kinds = dict(zip(pairs["first"], pairs["first_kind"], strict=True))
    kinds |= dict(zip(pairs["second"], pairs["second_kind"], strict=True))
    humans = [name for name, kind in kinds.items() if kind == HUMAN]
    sentences = []
    for words, kind in (("our classifiers and humans", CLASSIFIER), ("imported networks and humans", NETWORK)):
        sentences += _mean_sentence(words, kappas, [name for name, other in kinds.items() if other == kind], humans)
    return sentences + _mean_sentence("one human and another", kappas, humans, humans)


def _mean_sentence(
    words: str, kappas: dict[frozenset[str], float], group: Sequence[str], others: Sequence[str]
) -> list[str]:
    try:
        return [f"Between {words}, kappa is {mean_consistency(kappas, group, others):.2f} on average."]
    except DataError:
        return []


def _bias_row(maker: DecisionMaker) -> dict[str, object]:
    trials = maker.trials
    row: dict[str, object] = {"decision_maker": maker.label, "kind": maker.kind}
    try:
        counts = count_cues(trials)
    except DataError:  # a set without conflict has no shape bias, and still an error consistency
        return row
    row |= {name: getattr(counts, name) for name in ("n", "n_conflict", "shape", "texture", "other")}
    pooled, resampled, accuracy = _figures(maker)
    row |= {"shape_bias": pooled.value, "shape_bias_low": pooled.low, "shape_bias_high": pooled.high}
    row |= {"shape_bias_bootstrap_low": resampled.low, "shape_bias_bootstrap_high": resampled.high}
    row |= {"cue_accuracy": accuracy.value, "cue_accuracy_low": accuracy.low, "cue_accuracy_high": accuracy.high}
    for category, estimate in category_shape_biases(trials).items():
        name = f"shape_bias_{category}"
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        if maker.kind == PEOPLE:  # the exact interval would take decisions on one image for independent
            row |= {f"{name}_low": math.nan, f"{name}_high": math.nan}
    return row


def _figures(maker: DecisionMaker) -> tuple[Estimate, Estimate, Estimate]:
    """Shape bias with its exact and its bootstrap interval, and cue accuracy.

    The decisions of several people on one image are not independent: theirs have bootstrap intervals over images alone.
    """
    trials = maker.trials
    images = maker.outcomes["image_id"].to_numpy(dtype=str) if maker.kind == PEOPLE else None
    accuracy = cue_accuracy(trials) if images is None else bootstrap_cue_accuracy(trials, images)
    try:
        resampled = bootstrap_shape_bias(trials, images)
        return shape_bias(trials) if images is None else resampled, resampled, accuracy
    except DataError:  # no decision follows a cue
        return UNDEFINED, UNDEFINED, accuracy


def _pair_row(one: DecisionMaker, other: DecisionMaker) -> dict[str, object]:
    first, second = _common(one.outcomes, other.outcomes)
    consistency = _consistency(first, second)
    return {
        "first": one.label,
        "second": other.label,
        "first_kind": one.kind,
        "second_kind": other.kind,
        "n_images": len(first),
        "kappa": consistency.kappa.value,
        "kappa_low": consistency.kappa.low,
        "kappa_high": consistency.kappa.high,
        "observed": consistency.observed,
        "expected": consistency.expected,
    }


def _consistency(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> ErrorConsistency:
    try:
        return error_consistency(first, second)
    except DataError:  # no image in common, or nothing to tell from chance
        return ErrorConsistency(UNDEFINED, math.nan, math.nan)


def _common(one: pd.DataFrame, other: pd.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each decided correctly on the images that both decided on, in the same order."""
    joined = one[["image_id", "correct"]].merge(other[["image_id", "correct"]], on="image_id", validate="one_to_one")
    return joined["correct_x"].to_numpy(dtype=bool), joined["correct_y"].to_numpy(dtype=bool)

"""Shape against texture: classifiers, imported networks and humans in the same tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks.cue_conflict import CueConflict
from bench.errors import DataError
from bench.metrics.error_consistency import ErrorConsistency, error_consistency, mean_consistency
from bench.metrics.shape_bias import (
    CueTrials,
    bootstrap_shape_bias,
    category_shape_biases,
    count_cues,
    cue_accuracy,
    shape_bias,
)
from bench.records import Estimate
from bench.reports.subjects import Subject
from bench.results import Store

BENCHMARK = CueConflict.name
[CONDITION] = CueConflict().conditions()
HUMAN, NETWORK, CLASSIFIER = "human", "network", "classifier"
KINDS = (HUMAN, NETWORK, CLASSIFIER)
"""In the order of tables and plots: imported observers, imported networks, our own classifiers."""
PAIR_COLUMNS = (
    *("first", "second", "first_kind", "second_kind", "n_images"),
    *("kappa", "kappa_low", "kappa_high", "observed", "expected"),
)
UNDEFINED = Estimate(math.nan, math.nan, math.nan, 0)


@dataclass(frozen=True)
class DecisionMaker:
    """Whoever decided on cue-conflict images."""

    label: str
    """A name that no other has."""
    kind: str
    """One of ``KINDS``."""
    outcomes: pd.DataFrame
    """One row an image: ``image_id, shape, texture, decision, correct``."""

    @property
    def trials(self) -> CueTrials:
        """What was shown and answered."""
        return _trials(self.outcomes)


@dataclass(frozen=True)
class DecisionTables:
    """What a report says of decision makers."""

    shape_bias: pd.DataFrame
    """One row a decision maker: counts, pooled shape bias and cue accuracy with intervals, and shape bias by category
    of shape (``shape_bias_cat``, ...)."""
    error_consistency: pd.DataFrame
    """One row a pair: kappa with its interval, observed and expected consistency, and how many images both saw."""


def cue_trials(subject: Subject) -> CueTrials:
    """A classifier's decisions on cue-conflict images.

    Raises:
        DataError: the benchmark was not run, or not to its end.
    """
    return _trials(subject.outcomes(BENCHMARK, CONDITION))


def decision_makers(store: Store, subjects: Sequence[Subject]) -> list[DecisionMaker]:
    """Everyone who decided on all cue-conflict images of a set: humans first, our classifiers last."""
    imported = [
        cell
        for cell in store.cells()
        if cell.spec.benchmark == BENCHMARK and "decision_maker" in cell.spec.parameters and cell.complete
    ]
    names = [cell.spec.classifier for cell in imported] + [subject.label for subject in subjects]
    makers = []
    for cell in imported:
        name, spec = cell.spec.classifier, cell.spec
        label = name if names.count(name) == 1 else f"{name} · {spec.weights_digest[:8]}"
        makers.append(DecisionMaker(label, str(spec.parameters["decision_maker"]), store.outcomes(spec)))
    seen: set[str] = set()
    for subject in subjects:  # one set may stand in several rows of the same classifier
        if subject.complete(BENCHMARK, CONDITION):
            cell_id = subject.benchmarks[BENCHMARK].cells[CONDITION].spec.cell_id
            if cell_id not in seen:
                seen.add(cell_id)
                makers.append(DecisionMaker(subject.label, CLASSIFIER, subject.outcomes(BENCHMARK, CONDITION)))
    return sorted(makers, key=lambda maker: (KINDS.index(maker.kind), maker.label))


def decision_tables(makers: Sequence[DecisionMaker]) -> DecisionTables | None:
    """The tables of ``makers``; None where there are none."""
    if not makers:
        return None
    pairs = pd.DataFrame([_pair_row(one, other) for one, other in combinations(makers, 2)], columns=PAIR_COLUMNS)
    return DecisionTables(pd.DataFrame([_bias_row(maker) for maker in makers]), pairs)


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
        sentences += _mean_sentence(words, kappas, [name for name, held in kinds.items() if held == kind], humans)
    return sentences + _mean_sentence("one human and another", kappas, humans, humans)


def _mean_sentence(
    words: str, kappas: dict[frozenset[str], float], group: Sequence[str], others: Sequence[str]
) -> list[str]:
    try:
        return [f"Between {words}, kappa is {mean_consistency(kappas, group, others):.2f} on average."]
    except DataError:
        return []


def _trials(outcomes: pd.DataFrame) -> CueTrials:
    shape, texture, decision = (outcomes[name].to_numpy(dtype=object) for name in ("shape", "texture", "decision"))
    return CueTrials(shape, texture, decision)


def _bias_row(maker: DecisionMaker) -> dict[str, object]:
    trials = maker.trials
    row: dict[str, object] = {"decision_maker": maker.label, "kind": maker.kind}
    try:
        counts = count_cues(trials)
    except DataError:  # a set without conflict has no shape bias, and still an error consistency
        return row
    row |= {name: getattr(counts, name) for name in ("n", "n_conflict", "shape", "texture", "other")}
    try:
        pooled, resampled = shape_bias(trials), bootstrap_shape_bias(trials)
    except DataError:  # no decision follows a cue
        pooled = resampled = UNDEFINED
    accuracy = cue_accuracy(trials)
    row |= {"shape_bias": pooled.value, "shape_bias_low": pooled.low, "shape_bias_high": pooled.high}
    row |= {"shape_bias_bootstrap_low": resampled.low, "shape_bias_bootstrap_high": resampled.high}
    row |= {"cue_accuracy": accuracy.value, "cue_accuracy_low": accuracy.low, "cue_accuracy_high": accuracy.high}
    for category, estimate in category_shape_biases(trials).items():
        name = f"shape_bias_{category}"
        row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return row


def _pair_row(one: DecisionMaker, other: DecisionMaker) -> dict[str, object]:
    first, second = _common(one.outcomes, other.outcomes)
    found = _consistency(first, second)
    return {
        "first": one.label,
        "second": other.label,
        "first_kind": one.kind,
        "second_kind": other.kind,
        "n_images": len(first),
        "kappa": found.kappa.value,
        "kappa_low": found.kappa.low,
        "kappa_high": found.kappa.high,
        "observed": found.observed,
        "expected": found.expected,
    }


def _consistency(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> ErrorConsistency:
    try:
        return error_consistency(first, second)
    except DataError:  # no image in common, or nothing to tell from chance
        return ErrorConsistency(UNDEFINED, math.nan, math.nan)


def _common(one: pd.DataFrame, other: pd.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each was right about the images that both saw, in one order."""
    joined = one[["image_id", "correct"]].merge(other[["image_id", "correct"]], on="image_id", validate="one_to_one")
    return joined["correct_x"].to_numpy(dtype=bool), joined["correct_y"].to_numpy(dtype=bool)

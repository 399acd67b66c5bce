"""The sentences on the leaderboard page: how to read its figures, and how they were measured."""

from collections.abc import Sequence

import pandas as pd

from bench.benchmarks.words import describe_strength
from bench.reports.entries import LeaderboardEntry
from bench.reports.protocols import describe_options, describe_variant
from bench.reports.reference import REFERENCE_ACCURACY
from bench.reports.tables import Gap, Leaderboard


def width_sentences(table: pd.DataFrame) -> list[str]:
    """How wide the intervals are with so few images: one sentence per dataset where they are over 5 points wide."""
    sentences = []
    for (dataset, n), rows in table.groupby(["dataset", "n_images"]):
        known = rows.dropna(subset=[REFERENCE_ACCURACY])
        if known.empty:
            continue
        row = known.iloc[0]
        low_end, high_end = row[f"{REFERENCE_ACCURACY}_low"], row[f"{REFERENCE_ACCURACY}_high"]
        if high_end - low_end > 0.05:
            low, high = f"{low_end:.0%}", f"{high_end:.0%}"
            sentences.append(
                f"{dataset} has {n} images: the {row[REFERENCE_ACCURACY]:.0%} clean accuracy of {row['classifier']}"
                f" could be anything between {low} and {high} (95 % interval)."
                " Do not rank classifiers whose intervals overlap."
            )
    return sentences


def detectable_sentences(board: Leaderboard) -> list[str]:
    """The smallest difference that the tests can detect: one sentence per protocol where it is over one point."""
    clean = board.ranks[(board.ranks["metric"] == REFERENCE_ACCURACY) & (board.ranks["ranked"] > 1)]
    smallest = clean.groupby("protocol")["minimum_detectable_difference"].min()
    sentences = []
    for protocol, difference in smallest.items():
        if difference > 0.01:
            which = f" of protocol {protocol}" if len(smallest) > 1 else ""
            sentences.append(
                f"Two classifiers{which} must differ by about {difference * 100:.1f} points of clean accuracy for a"
                " test to find it (in 4 of 5 experiments, before correction for many pairs)."
            )
    return sentences


def protocol_facts(entries: Sequence[LeaderboardEntry]) -> list[tuple[str, str]]:
    """How the figures were measured: each setting with its distinct values."""
    facts: dict[str, set[str]] = {}
    for entry in entries:
        spec = entry.spec
        facts.setdefault("Dataset", set()).add(f"{spec.dataset}, {spec.n_images} images, digest {spec.dataset_digest}")
        facts.setdefault("Crop", set()).add(spec.crop)
        facts.setdefault("Precision", set()).add(spec.precision)
        for benchmark, variant in entry.benchmarks.items():
            facts.setdefault(benchmark, set()).add(describe_variant(variant))
    facts |= _sources(entries)
    return [(name, "; ".join(sorted(values))) for name, values in facts.items()]


def _sources(entries: Sequence[LeaderboardEntry]) -> dict[str, set[str]]:
    """The papers that benchmarks follow, and the licences of what they use of others, as they declare them."""
    declared = {variant.declared for entry in entries for variant in entry.benchmarks.values()}
    papers = {f"{benchmark.name}: {benchmark.citation}" for benchmark in declared if benchmark.citation}
    licences = {f"{benchmark.name}: {benchmark.licence}" for benchmark in declared if benchmark.licence}
    return {name: values for name, values in (("Papers", papers), ("Licences", licences)) if values}


def headline_sentences(board: Leaderboard, entries: Sequence[LeaderboardEntry]) -> list[str]:
    """At which strength and with which options each figure at one strength was measured."""
    headlines = []
    for column in board.columns:
        if column.strength_column:
            strengths = sorted(set(board.table[column.strength_column].dropna()))
            run = [entry.benchmarks.get(column.benchmark) for entry in entries]
            variants = [variant for variant in run if variant is not None]
            words = " or ".join(describe_strength(strength, variants[0].unit) for strength in strengths)
            budgets = {describe_options(variant) for variant in variants} - {""}
            budget = f" ({' or '.join(sorted(budgets))})" if budgets else ""
            headlines += [f"{column.suite_entry_title} at {words}{budget}"] if strengths else []
    return headlines


def caution_sentences(entries: Sequence[LeaderboardEntry]) -> list[str]:
    """Why figures cannot be compared with published ones; each sentence once."""
    variants = [variant for entry in entries for variant in entry.benchmarks.values()]
    return list(
        dict.fromkeys(sentence for variant in variants for sentence in variant.declared.cautions(variant.parameters))
    )


def empty_figures(gaps: Sequence[Gap]) -> list[tuple[str, str, str]]:
    """Label, columns and reason: one line for all figures of a row that are empty for the same reason."""
    lines: dict[tuple[str, str], list[str]] = {}
    for gap in gaps:
        lines.setdefault((gap.label, gap.reason), []).append(gap.column)
    return [(label, ", ".join(columns), reason) for (label, reason), columns in lines.items()]

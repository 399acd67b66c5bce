"""The pandas tables of a report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.corruptions import FAMILIES, SEVERITIES
from bench.errors import DataError
from bench.metrics.corruption import (
    corruption_errors,
    family_corruption_errors,
    family_mean_accuracies,
    mean_accuracies,
)
from bench.metrics.estimates import proportion
from bench.records import Estimate
from bench.reports.alexnet import alexnet_applies
from bench.reports.columns import Column, columns_of, headline_epsilon
from bench.reports.subjects import Subject
from bench.reports.summary import Summary, summarise

MISSING = Estimate(math.nan, math.nan, math.nan, 0)


@dataclass(frozen=True)
class Gap:
    """A figure that could not be computed."""

    subject: str
    """Label of the classifier."""
    column: str
    """Title of the column."""
    reason: str
    """What is missing."""


@dataclass(frozen=True)
class Leaderboard:
    """One row a subject, and what could not be filled in."""

    table: pd.DataFrame
    """The columns of ``leaderboard.csv``; the index holds the subjects' labels."""
    gaps: Sequence[Gap]
    """Every empty estimate that was asked of its subject's protocol, and the reason."""
    columns: Sequence[Column]
    """The estimates it has."""
    ranks: pd.DataFrame
    """One row a subject and column: ``ranks.csv``."""


def leaderboard(subjects: Sequence[Subject]) -> Leaderboard:
    """One row a subject: by protocol, then mCE, then (where mCE means nothing) mean corruption and clean accuracy.

    Subjects of which no column was asked, such as those that only saw a set of sketches, have no row.
    """
    columns = columns_of(subjects)
    shown = [subject for subject in subjects if any(column.benchmark in subject.expected for column in columns)]
    summary = summarise(shown, columns)
    filled = [_row(subject, columns, summary) for subject in shown]
    rows, gaps = [row for row, _ in filled], [gap for _, missing in filled for gap in missing]
    index = pd.Index([subject.label for subject in shown], name="label")
    table = pd.DataFrame(rows, index=index, columns=_names(columns))
    order = ["protocol", "mean_corruption_error", "mean_corruption_accuracy", "clean_accuracy"]
    table = table.sort_values(order, ascending=[True, True, False, False], kind="stable")
    return Leaderboard(table, gaps, columns, summary.ranks)


def _row(subject: Subject, columns: Sequence[Column], summary: Summary) -> tuple[dict[str, object], list[Gap]]:
    row: dict[str, object] = {
        "classifier": subject.spec.classifier,
        "weights_digest": subject.spec.weights_digest,
        "parameters": int(subject.provenance.cost["parameters"]),
        "gmacs": round(subject.provenance.cost["gmacs"], 4),
        "n_images": subject.spec.n_images,
    }
    gaps = []
    for column in columns:
        key = subject.label, column.name
        row |= interval(column.name, summary.estimates.get(key, MISSING))
        if key in summary.reasons and column.benchmark in subject.expected:
            gaps.append(Gap(subject.label, column.title, summary.reasons[key]))
    for column in columns:
        if column.epsilon:
            row[f"{column.benchmark}_epsilon"] = _epsilon(subject, column.benchmark)
    row |= {
        "protocol": subject.protocol,
        "corruption_source": subject.parameter("corruption", "source"),
        "corruption_definition": subject.parameter("corruption", "definition"),
        "corruption_protocol": subject.parameter("corruption", "protocol"),
        "dataset": subject.spec.dataset,
        "dataset_digest": subject.spec.dataset_digest,
        "crop": subject.spec.crop,
        "precision": subject.spec.precision,
        "defense": subject.spec.defense,
        "seed": subject.spec.seed,
        "notes": "; ".join(f"{gap.column}: {gap.reason}" for gap in gaps),
    }
    return row, gaps


def _names(columns: Sequence[Column]) -> list[str]:
    """The columns of ``leaderboard.csv`` in order."""
    return [
        *("classifier", "weights_digest", "parameters", "gmacs", "n_images"),
        *(name for column in columns for name in interval(column.name, MISSING)),
        *(f"{column.benchmark}_epsilon" for column in columns if column.epsilon),
        *("protocol", "corruption_source", "corruption_definition", "corruption_protocol", "dataset", "dataset_digest"),
        *("crop", "precision", "defense", "seed", "notes"),
    ]


def interval(name: str, estimate: Estimate) -> dict[str, float]:
    """An estimate as three columns: ``<name>``, ``<name>_low`` and ``<name>_high``."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _epsilon(subject: Subject, attack: str) -> float:
    try:
        return headline_epsilon(subject, attack).strength
    except DataError:
        return math.nan


def condition_accuracies(subjects: Sequence[Subject], benchmarks: Sequence[str]) -> pd.DataFrame:
    """Accuracy of every cell its protocol calls for: one row a subject, benchmark and condition, NaN where missing."""
    rows = []
    for subject in subjects:
        for benchmark in benchmarks:
            for condition in sorted(subject.expected.get(benchmark, ())):
                known = subject.complete(benchmark, condition)
                estimate = proportion(subject.correct(benchmark, condition)) if known else MISSING
                rows.append(
                    {
                        **identity(subject),
                        "benchmark": benchmark,
                        "condition": condition.name,
                        "strength": condition.strength,
                        **interval("accuracy", estimate),
                    }
                )
    return pd.DataFrame(rows)


def corruption_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """One row a subject and corruption: CE (where AlexNet's errors apply), mean accuracy, accuracy at each severity."""
    return pd.DataFrame([row for subject in subjects for row in _corruption_rows(subject)])


def family_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """One row a subject and family (noise, blur, weather, digital) whose corruptions are complete.

    ``mean_corruption_error`` is its mean CE, NaN where AlexNet's errors do not apply; ``mean_corruption_accuracy`` its
    mean accuracy.
    """
    rows = []
    for subject in subjects:
        errors = _errors(subject)
        whole = {
            family: names
            for family, names in FAMILIES.items()
            if family != "extra" and all((name, severity) in errors for name in names for severity in SEVERITIES)
        }
        families = list(whole.values())
        relative = family_corruption_errors(errors, families) if alexnet_applies(subject) else [MISSING] * len(whole)
        accuracies = family_mean_accuracies(errors, families)
        rows += [
            {
                **identity(subject),
                "family": family,
                **interval("mean_corruption_error", error),
                **interval("mean_corruption_accuracy", accuracy),
            }
            for family, error, accuracy in zip(whole, relative, accuracies, strict=True)
        ]
    return pd.DataFrame(rows)


def _errors(subject: Subject) -> dict[tuple[str, int], NDArray[np.bool_]]:
    """Whether each image was misclassified, for every complete corruption condition."""
    return {
        (condition.name, int(condition.strength)): ~subject.correct("corruption", condition)
        for condition in subject.conditions("corruption")
        if subject.complete("corruption", condition)
    }


def _corruption_rows(subject: Subject) -> list[dict[str, object]]:
    found = {condition.name for condition in subject.conditions("corruption")}
    errors = _errors(subject)
    whole = [name for name in sorted(found) if all((name, severity) in errors for severity in SEVERITIES)]
    relative = dict(zip(whole, corruption_errors(errors, whole), strict=True)) if alexnet_applies(subject) else {}
    accuracy = dict(zip(whole, mean_accuracies(errors, whole), strict=True))
    rows = []
    for family, corruption in [(family, name) for family, names in FAMILIES.items() for name in names if name in found]:
        row: dict[str, object] = {
            **identity(subject),
            "source": subject.parameter("corruption", "source"),
            "definition": subject.parameter("corruption", "definition"),
            "family": family,
            "corruption": corruption,
            **interval("corruption_error", relative.get(corruption, MISSING)),
            **interval("mean_accuracy", accuracy.get(corruption, MISSING)),
        }
        for severity in SEVERITIES:
            known = errors.get((corruption, severity))
            row |= interval(f"accuracy_severity_{severity}", MISSING if known is None else proportion(~known))
        rows.append(row)
    return rows


def identity(subject: Subject) -> dict[str, object]:
    """The columns that say whose row it is."""
    return {
        "label": subject.label,
        "protocol": subject.protocol,
        "classifier": subject.spec.classifier,
        "weights_digest": subject.spec.weights_digest,
        "dataset": subject.spec.dataset,
    }


def to_markdown(board: Leaderboard) -> str:
    """The leaderboard as a Markdown table: value and interval in one cell."""
    titles = ["Classifier", "Parameters (M)", "GMACs", "Images", *(column.title for column in board.columns)]
    rows = [
        [
            str(label),
            f"{row['parameters'] / 1e6:.2f}",
            f"{row['gmacs']:.2f}",
            str(row["n_images"]),
            *(format_estimate(row, column.name, percent=column.percent) for column in board.columns),
        ]
        for label, row in board.table.iterrows()
    ]
    gaps = [f"- {escape_markdown(gap.subject)}, {gap.column}: {escape_markdown(gap.reason)}" for gap in board.gaps]
    return "\n".join([markdown_table(titles, rows), "", *gaps]).rstrip() + "\n"


def markdown_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, every cell escaped."""
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return "\n".join([*lines, *("| " + " | ".join(escape_markdown(cell) for cell in row) + " |" for row in rows)])


def format_estimate(row: "pd.Series[Any]", name: str, *, percent: bool) -> str:
    """``85.0 [62.1, 96.8]``, in percent where asked for; a dash where there is no figure, no interval of one image."""
    value, low, high = (float(str(row[key])) for key in (name, f"{name}_low", f"{name}_high"))
    if math.isnan(value):
        return "\N{EN DASH}"
    scale = 100 if percent else 1
    if math.isnan(low):
        return f"{value * scale:.1f}"
    return f"{value * scale:.1f} [{low * scale:.1f}, {high * scale:.1f}]"


def escape_markdown(text: str) -> str:
    """Text for a cell of a Markdown table: no bar ends it, no markup acts."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")

"""The pandas tables of a report."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.corruptions import FAMILIES, SEVERITIES
from bench.errors import DataError
from bench.metrics.corruption import corruption_error, mean_corruption_accuracy_of
from bench.metrics.estimates import proportion
from bench.records import Condition, Estimate
from bench.reports.columns import COLUMNS, headline_epsilon
from bench.reports.subjects import Subject

ATTACKS = ("fgsm", "pgd")
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
    """Every empty estimate and its reason."""


def leaderboard(subjects: Sequence[Subject]) -> Leaderboard:
    """One row a subject: by dataset, then mCE, then clean accuracy."""
    rows, gaps = [], []
    for subject in subjects:
        row, missing = _row(subject)
        rows.append(row)
        gaps += missing
    table = pd.DataFrame(rows, index=pd.Index([subject.label for subject in subjects], name="label"))
    order = ["dataset", "mean_corruption_error", "clean_accuracy"]
    return Leaderboard(table.sort_values(order, ascending=[True, True, False], kind="stable"), gaps)


def _row(subject: Subject) -> tuple[dict[str, object], list[Gap]]:
    row: dict[str, object] = {
        "classifier": subject.spec.classifier,
        "weights_digest": subject.spec.weights_digest,
        "parameters": int(subject.provenance.cost["parameters"]),
        "gmacs": round(subject.provenance.cost["gmacs"], 4),
        "n_images": subject.spec.n_images,
    }
    gaps = []
    for column in COLUMNS:
        try:
            estimate = column.compute(subject)
        except DataError as error:
            estimate = MISSING
            gaps.append(Gap(subject.label, column.title, str(error)))
        row |= _interval(column.name, estimate)
    for attack in ATTACKS:
        row[f"{attack}_epsilon"] = _epsilon(subject, attack)
    row |= {
        "corruption_source": subject.parameter("corruption", "source"),
        "corruption_definition": subject.parameter("corruption", "definition"),
        "dataset": subject.spec.dataset,
        "dataset_digest": subject.spec.dataset_digest,
        "crop": subject.spec.crop,
        "precision": subject.spec.precision,
        "defense": subject.spec.defense,
        "seed": subject.spec.seed,
        "notes": "; ".join(f"{gap.column}: {gap.reason}" for gap in gaps),
    }
    return row, gaps


def _interval(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _epsilon(subject: Subject, attack: str) -> float:
    try:
        return headline_epsilon(subject, attack).strength
    except DataError:
        return math.nan


def condition_accuracies(subjects: Sequence[Subject], benchmarks: Sequence[str]) -> pd.DataFrame:
    """Accuracy of every complete cell of ``benchmarks``: one row a subject, benchmark and condition."""
    rows = []
    for subject in subjects:
        for benchmark in benchmarks:
            for condition in subject.conditions(benchmark):
                if subject.benchmarks[benchmark].cells[condition].complete:
                    estimate = proportion(subject.correct(benchmark, condition))
                    rows.append(
                        {
                            "label": subject.label,
                            "classifier": subject.spec.classifier,
                            "weights_digest": subject.spec.weights_digest,
                            "dataset": subject.spec.dataset,
                            "benchmark": benchmark,
                            "version": subject.benchmarks[benchmark].version,
                            "condition": condition.name,
                            "strength": condition.strength,
                            **_interval("accuracy", estimate),
                            "n_images": estimate.n,
                        }
                    )
    return pd.DataFrame(rows)


def corruption_table(subjects: Sequence[Subject]) -> pd.DataFrame:
    """One row a subject and corruption: CE (of AlexNet's error), mean accuracy, accuracy at each severity."""
    family_of = {name: family for family, names in FAMILIES.items() for name in names}
    rows = []
    for subject in subjects:
        for corruption in sorted({condition.name for condition in subject.conditions("corruption")}, key=_catalogue):
            try:
                errors = {
                    (corruption, severity): ~subject.correct("corruption", Condition(corruption, float(severity)))
                    for severity in SEVERITIES
                }
            except DataError:
                continue  # the leaderboard's gaps say which conditions are missing
            row: dict[str, object] = {
                "label": subject.label,
                "classifier": subject.spec.classifier,
                "weights_digest": subject.spec.weights_digest,
                "dataset": subject.spec.dataset,
                "source": subject.parameter("corruption", "source"),
                "definition": subject.parameter("corruption", "definition"),
                "family": family_of[corruption],
                "corruption": corruption,
                **_interval("corruption_error", corruption_error(errors, corruption)),
                **_interval("mean_accuracy", mean_corruption_accuracy_of(errors, corruption)),
            }
            for severity in SEVERITIES:
                row[f"accuracy_severity_{severity}"] = float(1 - errors[corruption, severity].mean())
            rows.append(row)
    return pd.DataFrame(rows)


def _catalogue(corruption: str) -> int:
    return [name for names in FAMILIES.values() for name in names].index(corruption)


def to_markdown(board: Leaderboard) -> str:
    """The leaderboard as a Markdown table: value and interval in one cell."""
    titles = ["Classifier", "Parameters (M)", "GMACs", "Images", *(column.title for column in COLUMNS)]
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    for label, row in board.table.iterrows():
        cells = [
            _escape(str(label)),
            f"{row['parameters'] / 1e6:.2f}",
            f"{row['gmacs']:.2f}",
            str(row["n_images"]),
            *(format_estimate(row, column.name, percent=column.percent) for column in COLUMNS),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", *(f"- {_escape(gap.subject)}, {gap.column}: {_escape(gap.reason)}" for gap in board.gaps)]
    return "\n".join(lines).rstrip() + "\n"


def format_estimate(row: "pd.Series[Any]", name: str, *, percent: bool) -> str:
    """``85.0 [62.1, 96.8]``, in percent where asked for; a dash where there is no figure."""
    value, low, high = (float(str(row[key])) for key in (name, f"{name}_low", f"{name}_high"))
    if math.isnan(value):
        return "\N{EN DASH}"
    scale = 100 if percent else 1
    return f"{value * scale:.1f} [{low * scale:.1f}, {high * scale:.1f}]"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")

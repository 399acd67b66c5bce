"""A comparison in Markdown."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from bench.reports.columns import Column
from bench.reports.comparison import Comparison
from bench.reports.tables import DASH, cost_texts, escape_markdown, markdown_table

MOST_CONDITIONS = 20
"""Most rows that the table of conditions shows; the CSV file has all."""


def comparison_markdown(
    comparison: Comparison,
    costs: pd.DataFrame,
    effective: pd.DataFrame,
    columns: Sequence[Column],
    published: pd.DataFrame,
) -> str:
    """The comparison as a Markdown document.

    Args:
        comparison: of ``compare``.
        costs: of ``cost_table``, the rows to show.
        effective: of ``effective_robustness_table``.
        columns: for headings and units.
        published: of ``published_table``.
    """
    by_name = {column.name: column for column in columns}
    differences = [_difference(row, by_name) for _, row in comparison.differences.iterrows()]
    costs_rows = [
        [
            *[str(row["label"]), *cost_texts(row)],
            *[number(row["images_per_second"], ".1f"), f"{row['seconds']:.1f}", str(row["device"])],
            str(row["pareto"]) or DASH,
        ]
        for _, row in costs.iterrows()
    ]
    parts = [
        "# Comparison",
        "Candidate minus baseline on the same images. Images right or wrong: Tango's 95 % score interval and McNemar's"
        " mid-p; else the paired bootstrap and the paired t-test. P-values are corrected over this table (Holm).",
        markdown_table(
            ["Candidate", "Figure", "Baseline", "Candidate's", "Difference", "p (Holm)", "Verdict", "Detectable"],
            differences,
        ),
        "## Images that flipped",
        _flips(comparison.conditions),
        "## Effective robustness",
        _effective(effective, by_name),
        "## Published figures of the same weights",
        _published(published),
        "## Cost",
        markdown_table(
            ["Classifier", "Parameters (M)", "GMACs", "Images/s", "Seconds", "Device", "Pareto front"], costs_rows
        ),
        _front(columns),
    ]
    return "\n\n".join(parts) + "\n"


def _front(columns: Sequence[Column]) -> str:
    """Which figures the Pareto front is computed over."""
    names = [f"{column.title[:1].lower()}{column.title[1:]}" for column in columns if column.on_front]
    return f"The front is that of {', '.join(names)} and GMACs over all rows of the protocol in the store."


def number(value: object, form: str) -> str:
    """A float in the given form; a dash for NaN."""
    figure = float(str(value))
    return DASH if math.isnan(figure) else format(figure, form)


def _difference(row: "pd.Series[Any]", by_name: dict[str, Column]) -> list[str]:
    column = by_name[str(row["metric"])]
    if math.isnan(float(str(row["difference"]))):
        return [str(row["candidate"]), column.title, DASH, DASH, str(row["note"]), DASH, DASH, DASH]
    scale = 100 if column.percent else 1
    low, high = (number(row[f"difference_{end}"] * scale, "+.2f") for end in ("low", "high"))
    return [
        str(row["candidate"]),
        column.title,
        number(row["baseline_value"] * scale, ".2f"),
        number(row["candidate_value"] * scale, ".2f"),
        f"{row['difference'] * scale:+.2f} [{low}, {high}]",
        number(row["p_corrected"], ".2g"),
        str(row["verdict"]),
        number(row["minimum_detectable_difference"] * scale, ".2f"),
    ]


def _flips(conditions: pd.DataFrame) -> str:
    if conditions.empty:
        return "No condition was run on both in the same way."
    shown = conditions.sort_values("p_value", kind="stable").head(MOST_CONDITIONS)
    rows = [
        [
            *[str(row["candidate"]), str(row["benchmark"]), f"{row['condition']} {row['strength']:.4g}"],
            *[str(row["regressed"]), str(row["fixed"]), number(row["p_corrected"], ".2g")],
        ]
        for _, row in shown.iterrows()
    ]
    table = markdown_table(["Candidate", "Benchmark", "Condition", "Regressed", "Fixed", "p (Holm)"], rows)
    left = len(conditions) - len(shown)
    return table + (f"\n\nand {left} conditions with larger p-values: conditions.csv" if left else "")


def _published(table: pd.DataFrame) -> str:
    rows = [
        [
            *[str(row["label"]), str(row["title"]), number(row["value"], ".2f"), number(row["published"], ".2f")],
            *[number(row["difference"], "+.2f"), str(row["verdict"]) or DASH, f"{row['source']}; {row['note']}"],
        ]
        for row in table.to_dict("records")
    ]
    titles = ["Classifier", "Figure", "Own", "Published", "Difference", "Verdict", "Source"]
    return markdown_table(titles, rows) if rows else "None is published of these weights at this input size."


def _effective(table: pd.DataFrame, by_name: dict[str, Column]) -> str:
    figures = table[table["effective_robustness"].notna()]
    reasons = list(dict.fromkeys(str(note) for note in table["note"] if note))
    rows = [
        [
            *[str(row["label"]), by_name[str(row["metric"])].title, f"{row['value'] * 100:.2f}"],
            *[
                f"{row['expected'] * 100:.2f}",
                f"{row['effective_robustness'] * 100:+.2f}",
                str(int(row["classifiers"])),
            ],
        ]
        for _, row in figures.iterrows()
    ]
    titles = [
        "Classifier",
        "Figure",
        "Accuracy",
        "Expected from clean accuracy",
        "Above expected",
        "Classifiers in the fit",
    ]
    parts = [markdown_table(titles, rows)] if rows else []
    return "\n\n".join([*parts, *(f"- {escape_markdown(reason)}" for reason in reasons)]) or "No figure to judge."

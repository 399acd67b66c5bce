"""The section on budgets: cost and precision side by side, where figures rest on a sample of the images."""

import pandas as pd

from bench.reports.budget.plots import precision_plot
from bench.reports.budget.tables import budget_table
from bench.reports.plots import Plot
from bench.reports.sections import PageTable, ReportData, Section, register_section
from bench.reports.tables import DASH

HEADS = (
    *("Classifier", "Benchmark", "Conditions", "Images of each", "Of", "Share of a full run", "Figure", "Value"),
    *("±", "± at twice the cost"),
)


@register_section()
def budget_section(data: ReportData) -> Section:
    """What was spared and what it costs in precision; nothing where every benchmark was shown all images."""
    if not data.entries:
        return Section({}, [])
    table = budget_table(data.board, data.entries)
    known = table[table["half_width"] > 0]
    plots = []
    if len(known):
        note = (
            "Points: the images that were shown. Dashed: what more of them would give, until each image of the set is"
            " shown under one condition; beyond that an interval shrinks more slowly."
        )
        plots.append(Plot("Precision against cost", note, precision_plot(known)))
    return Section({"budget.csv": table}, plots, page_tables=[_page_table(table)] if len(table) else ())


def _page_table(table: pd.DataFrame) -> PageTable:
    rows = [
        (
            str(row["label"]),
            str(row["benchmark"]),
            f"{row['conditions']}",
            _range(int(str(row["least_images"])), int(str(row["most_images"]))),
            f"{row['set_images']:,}",
            f"{row['share']:.1%}",
            str(row["title"]) or DASH,
            *(
                DASH if pd.isna(row[name]) else f"{row[name]:.2f}"
                for name in ("value", "half_width", "half_width_doubled")
            ),
        )
        for row in table.to_dict("records")
    ]
    note = (
        "Some figures rest on a sample of the images under each condition, so that the run cost less. They estimate"
        " what the full run measures; the interval (95 %) says how closely. A larger budget, or budget=full, computes"
        " only the missing images."
    )
    return PageTable("Cost and precision", note, HEADS, rows)


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"

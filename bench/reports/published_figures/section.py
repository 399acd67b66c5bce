"""The section on published figures: the user's own beside them, never ranked with them."""

import pandas as pd

from bench.references import SOURCES, published_fit, published_pairs
from bench.reports.plots import Plot
from bench.reports.published_figures.plots import difference_plot, fit_plot
from bench.reports.published_figures.tables import (
    published_effective_robustness_table,
    published_table,
    warnings_of,
)
from bench.reports.sections import PageTable, ReportData, Section, register_section
from bench.reports.tables import DASH

HEADS = ("Classifier", "Figure", "Own", "95 %", "Published", "Difference", "Verdict", "Images", "Source")


@register_section()
def published_section(data: ReportData) -> Section:
    """Differences from published figures of the same weights, and effective robustness against the published fits."""
    published = published_table(data.board, data.entries)
    effective = published_effective_robustness_table(data.board, data.entries)
    plots = []
    compared = published[published["verdict"] != ""]
    if len(compared):
        note = "The same weights at the same input size, as published; bars are 95 % intervals of the own figure."
        plots.append(Plot("Difference from published figures", note, difference_plot(compared)))
    known = effective[effective["expected"].notna()]
    plots += [_fit(known[known["metric"] == metric]) for metric in dict.fromkeys(known["metric"])]
    return Section(
        {"published.csv": published, "published_effective_robustness.csv": effective},
        plots,
        page_tables=[_page_table(published)] if len(published) else [],
        cautions=warnings_of(published),
    )


def _fit(own: pd.DataFrame) -> Plot:
    figure, title = str(own["metric"].iloc[0]), str(own["title"].iloc[0])
    fit = published_fit(figure)
    note = (
        f"Grey: {fit.n:,} models as timm publishes them; the line is logit({title}) = {fit.slope:.3f} logit(clean)"
        f" {fit.intercept:+.3f} (r² {fit.r_squared:.3f}). Above the line: more robust than clean accuracy lets expect."
    )
    return Plot(f"Effective robustness: {title}", note, fit_plot(published_pairs(figure), fit, own, title))


def _page_table(published: pd.DataFrame) -> PageTable:
    rows = [
        (
            str(row["label"]),
            str(row["title"]),
            f"{row['value']:.2f}",
            f"[{row['low']:.2f}, {row['high']:.2f}]",
            f"{row['published']:.2f}",
            DASH if pd.isna(row["difference"]) else f"{row['difference']:+.2f}",
            str(row["verdict"]) or DASH,
            str(row["note"]),
            f"{SOURCES[str(row['source'])].title}, {row['model']}",
        )
        for row in published.to_dict("records")
    ]
    note = (
        "Figures of the same weights at the same input size that others have published. They are not ranked with the"
        " rows above. A difference beyond sampling is a hint at the setup: crop, interpolation, normalisation, classes."
    )
    return PageTable("Beside published figures", note, HEADS, rows)

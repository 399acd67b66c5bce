"""The section on groups of images: asked for with ``data.groups``."""

import pandas as pd

from bench.reports.plots import Plot
from bench.reports.reference import REFERENCE
from bench.reports.sections import PageTable, ReportData, Section, register_section
from bench.reports.slices.plots import error_ratio_plot
from bench.reports.slices.tables import class_table, confusion_table, slice_table
from bench.reports.tables import DASH

HEADS = (
    "Classifier",
    "Images",
    "Overall",
    "Worst group",
    "Its images",
    "Its accuracy",
    "Gap",
    "Error ratio",
    "p (Holm)",
)
HARDEST = 10
"""Classes on the page; the CSV file has all."""


@register_section()
def slice_section(data: ReportData) -> Section:
    """Accuracy by group of images and by class, where groups were asked for; else nothing."""
    if data.groups is None or not data.entries:
        return Section({}, [])
    slices, classes = slice_table(data.entries, data.groups), class_table(data.entries)
    clean = slices[slices["benchmark"] == REFERENCE.name]
    plots, tables = [], []
    if len(clean):
        note = (
            "Errors on the group's images over errors on all grouped images: above 1 is harder than usual. Unchanged"
            " images. Every condition is in slices.csv."
        )
        plots.append(Plot("Error ratio by group", note, error_ratio_plot(clean)))
        tables.append(_worst_groups(clean))
    if len(classes):
        tables.append(_hardest(classes))
    return Section(
        {"slices.csv": slices, "classes.csv": classes, "confusions.csv": confusion_table(data.entries)},
        plots,
        page_tables=tables,
    )


def _worst_groups(clean: pd.DataFrame) -> PageTable:
    rows = []
    for row in clean[clean["worst"]].to_dict("records"):
        group = str(row["factor"]) if row["group"] == "yes" else f"{row['factor']}: {row['group']}"
        low, high = row["accuracy_low"], row["accuracy_high"]
        ratio = row["error_ratio"]
        rows.append(
            (
                str(row["label"]),
                str(row["dataset"]),
                f"{row['overall']:.1%}",
                group,
                f"{row['n_images']:,}",
                f"{row['accuracy']:.1%} [{low:.1%}, {high:.1%}]",
                f"{100 * row['gap']:+.1f}",
                DASH if pd.isna(ratio) else f"{ratio:.2f}",
                f"{row['p_corrected']:.2g}",
            )
        )
    note = "The group of the lowest accuracy, of each factor with several values, and among all factors of yes and no."
    return PageTable("Worst groups", note, HEADS, rows)


def _hardest(classes: pd.DataFrame) -> PageTable:
    shown = classes.groupby("label", sort=False).head(HARDEST)
    rows = [
        (
            str(row["label"]),
            str(row["class_name"]),
            str(row["n_images"]),
            f"{row['accuracy']:.1%}",
            f"{row['taken_for_name'] or row['taken_for']} ({row['taken_for_count']})"
            if row["taken_for_count"]
            else DASH,
        )
        for row in shown.to_dict("records")
    ]
    note = f"The {HARDEST} classes of the lowest accuracy of each classifier; all are in classes.csv."
    return PageTable(
        "Hardest classes", note, ("Classifier", "Class", "Images", "Accuracy", "Most often taken for"), rows
    )

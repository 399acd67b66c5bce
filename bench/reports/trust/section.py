"""The sections on whether a confidence can be trusted: on wrong answers, under shift, and on images of no class."""

import math

import pandas as pd

from bench.benchmarks.ood import Unlabelled
from bench.benchmarks.stored_scores import SCORES
from bench.benchmarks.trust_scores import ALPHA, TrustScores
from bench.reports.plots import Plot
from bench.reports.reference import REFERENCE
from bench.reports.sections import PageTable, ReportData, Section, register_section
from bench.reports.tables import format_estimate
from bench.reports.trust.ood import ood_table
from bench.reports.trust.plots import coverage_plot, ood_plot, risk_coverage_plot
from bench.reports.trust.selective import clean_curves, selective_table
from bench.reports.trust.stored import conformal_table, images_title, temperature_table

PLOTTED = "threshold"
"""The method of the conformal sets on the page; conformal.csv has all."""


@register_section(TrustScores.axis)
def trust_section(data: ReportData) -> Section:
    """Selective prediction, calibration before and after temperature scaling, and conformal sets."""
    selective, temperature = selective_table(data.entries), temperature_table(data.entries)
    conformal = conformal_table(data.entries)
    tables = {"selective.csv": selective, "temperature.csv": temperature, "conformal.csv": conformal}
    plots, page_tables = [], []
    if len(temperature):  # the axis was asked for: a page of corruptions alone has the tables, and no more
        points = clean_curves(data.entries)
        if len(points):
            note = (
                "Errors among the images with the highest confidence, unchanged images. A confidence that knows nothing"
                " has a flat line; at the right end every image is answered. Areas and intervals are in selective.csv."
            )
            plots.append(Plot("Risk and coverage", note, risk_coverage_plot(points)))
            page_tables.append(_selective_page(selective[selective["benchmark"] == REFERENCE.name]))
        page_tables.append(_temperature_page(temperature))
        shown = conformal[(conformal["method"] == PLOTTED) & (conformal["alpha"] == ALPHA)]
        note = (
            f"Prediction sets that hold the label of {1 - ALPHA:.0%} of the images (dashed line), fitted on half of the"
            " clean images and judged on the other half and under each condition. Bars are exact 95 % intervals; both"
            " halves vary, so that clean sets may miss the line by chance when images are few."
        )
        plots.append(Plot("Coverage of conformal sets", note, coverage_plot(shown, 1 - ALPHA)))
    return Section(tables, plots, page_tables=page_tables)


@register_section(Unlabelled.axis)
def ood_section(data: ReportData) -> Section:
    """How well each score tells images of no known class from ordinary ones."""
    table = ood_table(data.entries)
    if table.empty:
        return Section({"ood.csv": table}, [])
    note = (
        "Probability that an image of no known class scores worse than an ordinary one: 50 % is guessing. Bars are"
        " 95 % intervals (DeLong)."
    )
    plot = Plot("Images of no known class", note, ood_plot(table[table["set"] != ""]))
    return Section({"ood.csv": table}, [plot], page_tables=[_ood_page(table)])


def _selective_page(rows: pd.DataFrame) -> PageTable:
    figures = ("accuracy", "accuracy_at_80_percent", "aurc", "excess_aurc", "failure_auroc", "overconfidence")
    heads = ("Accuracy", "On the surest 80 %", "AURC", "E-AURC", "AUROC of errors", "Overconfidence")
    note = (
        "In percent, with 95 % intervals. AURC is the area under the risk-coverage curve, E-AURC what of it a better"
        " order of the images would save; overconfidence is mean confidence minus accuracy."
    )
    cells = [
        (str(row["label"]), *(format_estimate(row, name, percent=True) for name in figures))
        for _, row in rows.iterrows()
    ]
    return PageTable("Answering only when sure", note, ("Classifier", *heads), cells)


def _temperature_page(rows: pd.DataFrame) -> PageTable:
    note = (
        "One temperature, fitted on half of the clean images; figures are those of images that it was not fitted on."
        " Corrupted images are the mean over conditions. ECE in percent; log-loss in nats."
    )
    heads = ("Classifier", "Images", "Temperature", "ECE", "ECE, scaled", "Log-loss", "Log-loss, scaled")
    names = ("expected_calibration_error", "scaled_expected_calibration_error", "log_loss", "scaled_log_loss")
    cells = []
    for (label, benchmark), group in rows.groupby(["label", "benchmark"], sort=False):
        temperature = f"{group['temperature'].iloc[0]:.2f}"
        mark = " (end of range)" if group["at_end_of_range"].iloc[0] else ""
        values = (_mean_or_interval(group, name, percent="calibration" in name) for name in names)
        cells.append((str(label), images_title(str(benchmark)), temperature + mark, *values))
    return PageTable("Temperature scaling", note, heads, cells)


def _mean_or_interval(group: pd.DataFrame, name: str, *, percent: bool) -> str:
    """The interval of one condition, the mean of several."""
    if len(group) > 1:
        mean = float(group[name].mean())
        return f"{100 * mean:.1f}" if percent else f"{mean:.2f}"
    if percent:
        return format_estimate(group.iloc[0], name, percent=True)
    value, low, high = (float(group[f"{name}{end}"].iloc[0]) for end in ("", "_low", "_high"))
    return f"{value:.2f}" if math.isnan(low) else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _ood_page(table: pd.DataFrame) -> PageTable:
    """Near and far means; the sets themselves where a benchmark has no groups."""
    heads = ["Classifier", "Images", "OOD / ordinary"]
    for title in SCORES.values():
        heads += [f"{title}: AUROC", "FPR"]
    note = (
        "In percent; OOD images are the positive class. MSP is the maximum softmax probability, energy the log-sum-exp"
        " of the logits, GEN an entropy of the 100 likeliest classes. AUROC has its 95 % interval; FPR is the share of"
        " ordinary images taken for OOD where 95 % of the OOD images are recognised. Near and far are means over their"
        " sets. Every set and the areas under precision and recall are in ood.csv."
    )
    grouped = table.groupby(["label", "benchmark"], sort=False)["set"].transform(lambda sets: (sets == "").any())
    shown = table[(table["set"] == "") == grouped]
    cells = []
    for (label, own, group), rows in shown.groupby(["label", "set", "group"], sort=False):
        by_score = {str(row["score"]): row for _, row in rows.iterrows()}
        first = rows.iloc[0]
        name = str(own).replace("_", " ") if own else f"{group} (mean)"
        row = [str(label), name, f"{first['n_ood']:,} / {first['n_ordinary']:,}"]
        for score in SCORES:
            row += [format_estimate(by_score[score], "auroc", percent=True)]
            row += [f"{100 * by_score[score]['fpr_at_95_tpr']:.1f}"]
        cells.append(row)
    return PageTable("Images of no known class, by score", note, heads, cells)

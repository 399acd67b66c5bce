"""The plots of an adversarial evaluation."""

import altair as alt
import pandas as pd

from bench.reports.plots import Plot, accuracy_bands, classifier_colour, panel

UNITS = {"linf": (255, "epsilon (of 255, Linf)"), "l2": (1, "epsilon (L2)"), "l1": (1, "epsilon (L1)")}
"""Norm -> factor and axis title."""


def attack_plots(
    curves: pd.DataFrame, distances: pd.DataFrame, queries: pd.DataFrame, transfer: pd.DataFrame
) -> list[Plot]:
    """Whatever of the four there are figures for.

    Args:
        curves: of ``robust_accuracy_curves``.
        distances: of ``distance_table``.
        queries: of ``query_table``.
        transfer: of ``transfer_table``.
    """
    plots = []
    for norm in [norm for norm in UNITS if norm in set(curves["norm"])]:
        note = "Bands are exact 95 % intervals over all images. Epsilon 0 is the clean image."
        title = "Robust accuracy against epsilon" + (f" ({norm.upper()})" if norm != "linf" else "")
        plots.append(Plot(title, note, epsilon_plot(curves[curves["norm"] == norm], norm)))
    for norm in sorted(set(distances["norm"])) if len(distances) else []:
        note = "Size of the smallest perturbation that each attack found, over the images it attacked."
        rows = distances[distances["norm"] == norm]
        plots.append(Plot(f"Smallest perturbations ({norm.upper()})", note, distance_plot(rows, norm)))
    if len(queries):
        note = "Share of the correctly classified images that are misclassified by then. A higher curve is worse."
        plots.append(Plot("Success against queries", note, query_plot(queries)))
    if len(transfer):
        note = "Accuracy of the target (column) on images made against the surrogate (row); the diagonal is white-box."
        plots.append(Plot("Transfer attacks", note, transfer_plot(transfer)))
    return plots


def epsilon_plot(curves: pd.DataFrame, norm: str) -> alt.TopLevelMixin:
    """Robust accuracy against epsilon, one panel per attack, one line per classifier, with intervals."""
    factor, title = UNITS[norm]
    names = sorted(set(curves["benchmark"]))
    rows = curves.assign(epsilon=curves["strength"] * factor).drop(columns=["strength", "norm"]).round(5)
    base = alt.Chart(rows).encode(
        x=alt.X("epsilon:Q", title=title, axis=alt.Axis(tickCount=5)), color=classifier_colour(rows)
    )
    panels = accuracy_bands(base, "robust accuracy").properties(width=330, height=240)
    chart: alt.FacetChart = panels.facet(panel("benchmark:N", names), columns=2)
    return chart


def distance_plot(distances: pd.DataFrame, norm: str) -> alt.TopLevelMixin:
    """Histogram of the smallest perturbations, one panel per attack, one line per classifier."""
    factor, title = UNITS.get(norm, (1, f"distance ({norm})"))
    names = sorted(set(distances["attack"]))
    rows = distances[["label", "attack", "share", "beyond"]].assign(
        low=distances["low"] * factor, high=distances["high"] * factor
    )
    base = alt.Chart(rows.round(5)).encode(color=classifier_colour(rows))
    steps = base.mark_line(interpolate="step-after", strokeWidth=2).encode(
        x=alt.X("low:Q", title=title.replace("epsilon", "smallest perturbation")),
        y=alt.Y("share:Q", title="share of attacked images", axis=alt.Axis(format="%")),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("low:Q", format=".3f"),
            alt.Tooltip("high:Q", format=".3f"),
            alt.Tooltip("share:Q", format=".1%"),
            alt.Tooltip("beyond:Q", title="beyond the largest", format=".1%"),
        ],
    )
    chart: alt.FacetChart = steps.properties(width=330, height=200).facet(panel("attack:N", names), columns=2)
    return chart


def query_plot(queries: pd.DataFrame) -> alt.TopLevelMixin:
    """Share of attacked images broken against queries spent on each, one panel per attack, one line per classifier."""
    names = sorted(set(queries["attack"]))
    rows = queries[["label", "attack", "epsilon", "queries", "success"]].round(5)
    base = alt.Chart(rows).encode(
        x=alt.X("queries:Q", title="queries an image", scale=alt.Scale(type="log")), color=classifier_colour(rows)
    )
    lines = base.mark_line(interpolate="step-after", strokeWidth=2).encode(
        y=alt.Y("success:Q", title="attack success", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")),
        detail="epsilon:N",
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("queries:Q", format=",d"),
            alt.Tooltip("success:Q", format=".1%"),
            alt.Tooltip("epsilon:Q", format=".4g"),
        ],
    )
    chart: alt.FacetChart = lines.properties(width=330, height=200).facet(panel("attack:N", names), columns=2)
    return chart


def transfer_plot(transfer: pd.DataFrame) -> alt.TopLevelMixin:
    """Matrix of the targets' accuracy on the surrogates' adversarial images, one panel per epsilon."""
    rows = transfer.assign(epsilon=(transfer["epsilon"] * 255).map("epsilon {:.4g}/255".format))
    rows = rows[["label", "surrogate", "epsilon", "robust_accuracy", "transfer_success"]].round(5)
    base = alt.Chart(rows).encode(
        x=alt.X("label:N", title="target", axis=alt.Axis(labelAngle=-30)), y=alt.Y("surrogate:N", title="surrogate")
    )
    cells = base.mark_rect().encode(
        color=alt.Color(
            "robust_accuracy:Q",
            title="accuracy",
            legend=alt.Legend(format="%"),
            scale=alt.Scale(scheme="blues", domain=[0, 1]),
        ),
        tooltip=[
            alt.Tooltip("surrogate:N"),
            alt.Tooltip("label:N", title="target"),
            alt.Tooltip("robust_accuracy:Q", title="accuracy", format=".1%"),
            alt.Tooltip("transfer_success:Q", title="success over the correct ones", format=".1%"),
        ],
    )
    text = base.mark_text(fontSize=12).encode(
        text=alt.Text("robust_accuracy:Q", format=".0%"),
        color=alt.condition("datum.robust_accuracy > 0.55", alt.value("white"), alt.value("#222")),
    )
    panels = alt.layer(cells, text).properties(width=alt.Step(64), height=alt.Step(34))
    chart: alt.FacetChart = panels.facet(alt.Facet("epsilon:N", title=None), columns=3)
    return chart

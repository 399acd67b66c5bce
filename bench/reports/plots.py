"""The plots of a report, as Vega-Lite charts over the report's tables."""

import altair as alt
import pandas as pd

from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, FAMILIES

PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F6A00", "#8A3FFC"]
"""Colour-blind safe (after Okabe & Ito 2008)."""


def severity_plot(accuracies: pd.DataFrame) -> alt.TopLevelMixin:
    """Accuracy against severity, a panel a corruption, a line a classifier, with intervals.

    Args:
        accuracies: rows of ``condition_accuracies`` for ``clean`` and ``corruption``; clean is drawn as severity 0.
    """
    corrupted = accuracies[accuracies["benchmark"] == "corruption"]
    names = [name for name in (*CORRUPTIONS, *EXTRA_CORRUPTIONS) if name in set(corrupted["condition"])]
    clean = accuracies[accuracies["benchmark"] == "clean"].drop(columns="condition")
    origin = clean.merge(pd.DataFrame({"condition": names}), how="cross")
    rows = pd.concat([origin, corrupted], ignore_index=True)
    base = alt.Chart(_slim(rows)).encode(
        x=alt.X("strength:Q", title="severity (0 = clean)", axis=alt.Axis(values=[0, 1, 2, 3, 4, 5], format="d")),
        color=classifier_colour(rows),
    )
    return (
        accuracy_bands(base, "accuracy").properties(width=150, height=120).facet(panel("condition:N", names), columns=5)
    )


def clean_against_mce_plot(board: pd.DataFrame) -> alt.TopLevelMixin:
    """Clean accuracy against mCE with both intervals: the lower right corner is where one wants to be."""
    rows = board.reset_index()[
        [
            "label",
            *(f"{name}{end}" for name in ("clean_accuracy", "mean_corruption_error") for end in ("", "_low", "_high")),
        ]
    ].dropna()
    base = alt.Chart(rows).encode(color=classifier_colour(rows))
    x = alt.X("clean_accuracy:Q", title="clean accuracy", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False))
    y = alt.Y("mean_corruption_error:Q", title="mCE (lower is better)", scale=alt.Scale(zero=False))
    points = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=x,
        y=y,
        shape=alt.Shape("label:N", legend=None),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("clean_accuracy:Q", title="clean accuracy", format=".1%"),
            alt.Tooltip("mean_corruption_error:Q", title="mCE", format=".1f"),
        ],
    )
    across = base.mark_rule().encode(
        x=alt.X("clean_accuracy_low:Q", title="clean accuracy", axis=alt.Axis(format="%")),
        x2="clean_accuracy_high:Q",
        y=y,
    )
    along = base.mark_rule().encode(
        x=x, y=alt.Y("mean_corruption_error_low:Q", title="mCE (lower is better)"), y2="mean_corruption_error_high:Q"
    )
    chart: alt.LayerChart = (across + along + points).properties(width=560, height=320, usermeta={"shrink": True})
    return chart


def corruption_heat_map(corruptions: pd.DataFrame) -> alt.TopLevelMixin:
    """Corruption error of each classifier and corruption, in percent of AlexNet's error."""
    names = [name for name in (*CORRUPTIONS, *EXTRA_CORRUPTIONS) if name in set(corruptions["corruption"])]
    base = alt.Chart(corruptions[["label", "corruption", "family", "corruption_error", "mean_accuracy"]]).encode(
        x=alt.X("corruption:N", sort=names, title=None, axis=alt.Axis(labelAngle=-45)),
        y=alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=420)),
    )
    colour = alt.Color(
        "corruption_error:Q", title="CE", scale=alt.Scale(scheme="yelloworangered", domain=[20, 130], clamp=True)
    )
    cells = base.mark_rect().encode(
        color=colour,
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            "corruption:N",
            "family:N",
            alt.Tooltip("corruption_error:Q", title="CE", format=".1f"),
            alt.Tooltip("mean_accuracy:Q", title="mean accuracy", format=".1%"),
        ],
    )
    text = (
        base.transform_filter("isValid(datum.corruption_error)")
        .mark_text(fontSize=11)
        .encode(
            text=alt.Text("corruption_error:Q", format=".0f"),
            color=alt.condition("datum.corruption_error > 90", alt.value("white"), alt.value("#222")),
        )
    )
    chart: alt.LayerChart = (cells + text).properties(width=46 * max(len(names), 4), height=alt.Step(26))
    return chart


def family_plot(families: pd.DataFrame) -> alt.TopLevelMixin:
    """Mean CE of each corruption family with its interval, a panel a family.

    Args:
        families: rows of ``family_table``.
    """
    rows = families[["label", "family", *(f"mean_corruption_error{end}" for end in ("", "_low", "_high"))]].round(3)
    base = alt.Chart(rows).encode(y=alt.Y("label:N", title=None), color=classifier_colour(rows))
    scale = alt.Scale(zero=False)
    rule = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("mean_corruption_error_low:Q", title="mean CE (percent of AlexNet's)", scale=scale),
        x2="mean_corruption_error_high:Q",
    )
    point = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("mean_corruption_error:Q", title="mean CE (percent of AlexNet's)", scale=scale),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("family:N"),
            alt.Tooltip("mean_corruption_error:Q", title="mean CE", format=".1f"),
        ],
    )
    panels = alt.layer(rule, point).properties(width=200, height=alt.Step(24))
    chart: alt.FacetChart = panels.facet(alt.Facet("family:N", title=None, sort=list(FAMILIES)), columns=4)
    return chart


def accuracy_bands(base: alt.Chart, title: str) -> alt.LayerChart | alt.FacetChart:
    """Lines of ``accuracy`` with their intervals as bands."""
    axis = alt.Axis(format="%", tickCount=4)
    scale = alt.Scale(domain=[0, 1])
    band = base.mark_area(opacity=0.12).encode(
        y=alt.Y("accuracy_low:Q", title=title, scale=scale, axis=axis), y2="accuracy_high:Q"
    )
    line = base.mark_line(point=True, strokeWidth=2).encode(
        y=alt.Y("accuracy:Q", title=title, scale=scale, axis=axis),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("accuracy:Q", format=".1%"),
            alt.Tooltip("accuracy_low:Q", title="low", format=".1%"),
            alt.Tooltip("accuracy_high:Q", title="high", format=".1%"),
        ],
    )
    return alt.layer(band, line)


def panel(field: str, names: list[str]) -> alt.Facet:
    """One panel a name, in that order."""
    header = alt.Header(labelExpr="replace(datum.label, /_/g, ' ')", labelFontSize=12)
    return alt.Facet(field, title=None, sort=names, header=header)


def _slim(rows: pd.DataFrame, *more: str) -> pd.DataFrame:
    """Only what the plots read, rounded: the page carries this data as text."""
    kept = ["label", "condition", "strength", "accuracy", "accuracy_low", "accuracy_high", *more]
    return rows[[name for name in kept if name in rows]].round(5)


def classifier_colour(rows: pd.DataFrame) -> alt.Color:
    """One colour a label, colour-blind safe up to eight."""
    labels = sorted(set(rows["label"]))
    legend = alt.Legend(symbolOpacity=1, symbolLimit=0, labelLimit=420)
    if len(labels) > len(PALETTE):
        return alt.Color("label:N", title="classifier", legend=legend)
    scale = alt.Scale(domain=labels, range=PALETTE[: len(labels)])
    return alt.Color("label:N", title="classifier", legend=legend, scale=scale)

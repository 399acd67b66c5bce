"""The plots of accuracy under corruptions, as Vega-Lite charts."""

from dataclasses import dataclass

import altair as alt
import pandas as pd

from bench.benchmarks.corruption import Corruption
from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, FAMILIES
from bench.reports.plots import accuracy_bands, classifier_colour, panel
from bench.reports.reference import REFERENCE


def severity_plot(accuracies: pd.DataFrame) -> alt.TopLevelMixin:
    """Accuracy against severity, one panel per corruption, one line per classifier, with intervals.

    Args:
        accuracies: rows of ``condition_accuracies`` for ``clean`` and ``corruption``; clean is drawn as severity 0.
    """
    corrupted = accuracies[accuracies["benchmark"] == Corruption.name]
    names = _in_order(corrupted["condition"])
    clean = accuracies[accuracies["benchmark"] == REFERENCE.name].drop(columns="condition")
    origin = clean.merge(pd.DataFrame({"condition": names}), how="cross")
    rows = pd.concat([origin, corrupted], ignore_index=True)
    base = alt.Chart(_slim(rows)).encode(
        x=alt.X("strength:Q", title="severity (0 = clean)", axis=alt.Axis(values=[0, 1, 2, 3, 4, 5], format="d")),
        color=classifier_colour(rows),
    )
    return (
        accuracy_bands(base, "accuracy").properties(width=150, height=120).facet(panel("condition:N", names), columns=5)
    )


def _in_order(names: "pd.Series[str]") -> list[str]:
    """Corruptions in the order of the published sets, those of plug-ins last."""
    published = [name for name in (*CORRUPTIONS, *EXTRA_CORRUPTIONS) if name in set(names)]
    return [*published, *sorted(set(names) - set(published))]


@dataclass(frozen=True)
class Measure:
    """A figure of robustness to corruptions, as plots show it."""

    board: str
    """Its column of the leaderboard, and of ``family_table``."""
    of_corruption: str
    """Its column of ``corruption_table``."""
    title: str
    """On axes, of a mean over corruptions."""
    short: str
    """In legends, of one corruption."""
    format: str
    """D3 format of a figure."""
    colours: alt.Scale
    """Of a heat map."""
    dark: str
    """Vega expression: whether a colour wants white text on it, given ``value``."""


CORRUPTION_ERROR = Measure(
    "mean_corruption_error",
    "corruption_error",
    "mean CE (percent of AlexNet's, lower is better)",
    "CE",
    ".0f",
    alt.Scale(scheme="yelloworangered", domain=[20, 130], clamp=True),
    "{value} > 90",
)
"""Where AlexNet's errors apply."""
CORRUPTION_ACCURACY = Measure(
    "mean_corruption_accuracy",
    "mean_accuracy",
    "mean corruption accuracy",
    "accuracy",
    ".0%",
    alt.Scale(scheme="yelloworangered", domain=[0, 1], reverse=True),
    "{value} < 0.3",
)
"""Elsewhere."""


def clean_against_corrupted_plot(board: pd.DataFrame, measure: Measure) -> alt.TopLevelMixin:
    """Clean accuracy against mCE, or against mean corruption accuracy, with both intervals."""
    names = ("clean_accuracy", measure.board)
    rows = board.reset_index()[["label", *(f"{name}{end}" for name in names for end in ("", "_low", "_high"))]].dropna()
    base = alt.Chart(rows).encode(color=classifier_colour(rows))
    axis = alt.Axis(format=measure.format)
    x = alt.X("clean_accuracy:Q", title="clean accuracy", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False))
    y = alt.Y(f"{measure.board}:Q", title=measure.title, axis=axis, scale=alt.Scale(zero=False))
    points = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=x,
        y=y,
        shape=alt.Shape("label:N", legend=None),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("clean_accuracy:Q", title="clean accuracy", format=".1%"),
            alt.Tooltip(f"{measure.board}:Q", title=measure.title, format=measure.format.replace("0", "1")),
        ],
    )
    across = base.mark_rule().encode(
        x=alt.X("clean_accuracy_low:Q", title="clean accuracy", axis=alt.Axis(format="%")),
        x2="clean_accuracy_high:Q",
        y=y,
    )
    along = base.mark_rule().encode(
        x=x, y=alt.Y(f"{measure.board}_low:Q", title=measure.title, axis=axis), y2=f"{measure.board}_high:Q"
    )
    chart: alt.LayerChart = (across + along + points).properties(width=560, height=320, usermeta={"shrink": True})
    return chart


def corruption_heat_map(corruptions: pd.DataFrame, measure: Measure) -> alt.TopLevelMixin:
    """Each classifier under each corruption.

    Args:
        corruptions: rows of ``corruption_table``.
        measure: what the colours say.
    """
    names = _in_order(corruptions["corruption"])
    value = measure.of_corruption
    base = alt.Chart(corruptions[["label", "corruption", "family", "corruption_error", "mean_accuracy"]]).encode(
        x=alt.X("corruption:N", sort=names, title=None, axis=alt.Axis(labelAngle=-45)),
        y=alt.Y("label:N", title=None, sort=None, axis=alt.Axis(labelLimit=420)),
    )
    cells = base.mark_rect().encode(
        color=alt.Color(
            f"{value}:Q", title=measure.short, scale=measure.colours, legend=alt.Legend(format=measure.format)
        ),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            "corruption:N",
            "family:N",
            *([alt.Tooltip("corruption_error:Q", title="CE", format=".1f")] if measure is CORRUPTION_ERROR else []),
            alt.Tooltip("mean_accuracy:Q", title="mean accuracy", format=".1%"),
        ],
    )
    text = (
        base.transform_filter(f"isValid(datum.{value})")
        .mark_text(fontSize=11)
        .encode(
            text=alt.Text(f"{value}:Q", format=measure.format),
            color=alt.condition(measure.dark.format(value=f"datum.{value}"), alt.value("white"), alt.value("#222")),
        )
    )
    chart: alt.LayerChart = (cells + text).properties(width=46 * max(len(names), 4), height=alt.Step(26))
    return chart


def family_plot(families: pd.DataFrame, measure: Measure) -> alt.TopLevelMixin:
    """The mean over each corruption family with its interval, one panel per family.

    Args:
        families: rows of ``family_table``.
        measure: what is averaged.
    """
    value = measure.board
    rows = families[["label", "family", *(f"{value}{end}" for end in ("", "_low", "_high"))]].round(3)
    base = alt.Chart(rows).encode(y=alt.Y("label:N", title=None), color=classifier_colour(rows))
    axis, scale = alt.Axis(format=measure.format), alt.Scale(zero=False)
    rule = base.mark_rule(strokeWidth=2).encode(
        x=alt.X(f"{value}_low:Q", title=measure.title, axis=axis, scale=scale), x2=f"{value}_high:Q"
    )
    point = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X(f"{value}:Q", title=measure.title, axis=axis, scale=scale),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("family:N"),
            alt.Tooltip(f"{value}:Q", title=measure.title, format=measure.format.replace("0", "1")),
        ],
    )
    panels = alt.layer(rule, point).properties(width=200, height=alt.Step(24))
    chart: alt.FacetChart = panels.facet(alt.Facet("family:N", title=None, sort=list(FAMILIES)), columns=4)
    return chart


def _slim(rows: pd.DataFrame, *more: str) -> pd.DataFrame:
    """Only what the plots read, rounded: the page carries this data as text."""
    kept = ["label", "condition", "strength", "accuracy", "accuracy_low", "accuracy_high", *more]
    return rows[[name for name in kept if name in rows]].round(5)

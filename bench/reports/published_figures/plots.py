"""The published fits with the user's classifiers on them, and the differences from published figures."""

import altair as alt
import numpy as np
import pandas as pd
from scipy.special import logit

from bench.metrics.effective_robustness import LogitFit
from bench.references import PublishedPairs
from bench.reports.plots import classifier_colour

PERCENT = "format(100 / (1 + exp(-datum.value)), '.2~f') + '%'"
"""Vega expression: the label of a tick on a logit scale."""
TICKS = [float(logit(share)) for share in (0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)]


def fit_plot(pairs: PublishedPairs, fit: LogitFit, own: pd.DataFrame, title: str) -> alt.TopLevelMixin:
    """Published models in grey, their fit, and the user's classifiers.

    Args:
        pairs: the published models.
        fit: over them.
        own: rows of ``published_effective_robustness_table`` for one figure, with a clean accuracy.
        title: of the figure.
    """
    inside = (pairs.clean > 0) & (pairs.clean < 1) & (pairs.shifted > 0) & (pairs.shifted < 1)
    grey = pd.DataFrame(
        {"x": logit(pairs.clean[inside]), "y": logit(pairs.shifted[inside]), "model": pairs.models[inside]}
    ).round(3)
    ends = np.array([grey["x"].min(), grey["x"].max()])
    line = pd.DataFrame({"x": ends, "y": fit.intercept + fit.slope * ends})
    dots = own.assign(x=logit(own["clean_value"]), y=logit(own["value"].clip(1e-4, 1 - 1e-4)))
    x = alt.X("x:Q", title="clean accuracy, same classes", axis=_axis(), scale=alt.Scale(zero=False))
    y = alt.Y("y:Q", title=title, axis=_axis(), scale=alt.Scale(zero=False))
    published = alt.Chart(grey).mark_point(size=8, color="#9aa7b2", opacity=0.5).encode(x=x, y=y, tooltip=["model:N"])
    fitted = alt.Chart(line).mark_line(color="#5b6670", strokeDash=[5, 4]).encode(x=x, y=y)
    mine = (
        alt.Chart(dots[["label", "x", "y", "value", "clean_value", "effective_robustness"]].round(4))
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x=x,
            y=y,
            color=classifier_colour(own),
            tooltip=[
                alt.Tooltip("label:N", title="classifier"),
                alt.Tooltip("clean_value:Q", title="clean", format=".1%"),
                alt.Tooltip("value:Q", title=title, format=".1%"),
                alt.Tooltip("effective_robustness:Q", title="above the fit", format="+.1%"),
            ],
        )
    )
    chart: alt.LayerChart = (published + fitted + mine).properties(width=460, height=340, usermeta={"shrink": True})
    return chart


def _axis() -> alt.Axis:
    return alt.Axis(values=TICKS, labelExpr=PERCENT)


def difference_plot(published: pd.DataFrame) -> alt.TopLevelMixin:
    """Own figure minus the published one, in points, with intervals.

    Args:
        published: rows of ``published_table`` that were compared.
    """
    names = list(dict.fromkeys(published["title"]))
    shown = published[
        ["label", "title", "value", "published", "difference", "difference_low", "difference_high", "verdict"]
    ].round(3)
    base = alt.Chart(shown).encode(
        y=alt.Y("title:N", title=None, sort=names, axis=alt.Axis(labelLimit=260)),
        yOffset=alt.YOffset("label:N"),
        color=classifier_colour(published),
    )
    rule = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("difference_low:Q", title="own figure minus the published one (points)"), x2="difference_high:Q"
    )
    point = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("difference:Q", title="own figure minus the published one (points)"),
        shape=alt.Shape(
            "verdict:N", title=None, scale=alt.Scale(domain=["agrees", "differs"], range=["circle", "cross"])
        ),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("title:N", title="figure"),
            alt.Tooltip("value:Q", title="own", format=".2f"),
            alt.Tooltip("published:Q", format=".2f"),
            alt.Tooltip("verdict:N"),
        ],
    )
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color="#5b6670", strokeDash=[4, 3]).encode(x="x:Q")
    chart: alt.LayerChart = (zero + rule + point).properties(
        width=560, height=alt.Step(16 if shown["label"].nunique() > 1 else 26), usermeta={"shrink": True}
    )
    return chart

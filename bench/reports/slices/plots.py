"""The plot of error ratios by group."""

import altair as alt
import pandas as pd

MOST_GROUPS = 60
"""Rows of the heat map; the CSV file has all."""


def error_ratio_plot(slices: pd.DataFrame) -> alt.TopLevelMixin:
    """Error ratio of each group, one column per classifier.

    Args:
        slices: rows of ``slice_table`` for one condition.
    """
    rows = slices.assign(
        name=[
            str(factor) if group == "yes" else f"{factor}: {group}"
            for factor, group in zip(slices["factor"], slices["group"], strict=True)
        ]
    )
    order = rows.groupby("name")["error_ratio"].mean().sort_values(ascending=False).head(MOST_GROUPS).index.tolist()
    shown = rows[rows["name"].isin(order)][["label", "name", "error_ratio", "accuracy", "n_images", "p_corrected"]]
    base = alt.Chart(shown.round(4)).encode(
        x=alt.X("label:N", title=None, axis=alt.Axis(labelAngle=-30, labelLimit=260)),
        y=alt.Y("name:N", title=None, sort=order, axis=alt.Axis(labelLimit=320)),
    )
    scale = alt.Scale(scheme="blueorange", domain=[0.4, 2.4], domainMid=1, clamp=True)
    cells = base.mark_rect().encode(
        color=alt.Color("error_ratio:Q", title="error ratio", scale=scale),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("name:N", title="group"),
            alt.Tooltip("error_ratio:Q", title="error ratio", format=".2f"),
            alt.Tooltip("accuracy:Q", format=".1%"),
            alt.Tooltip("n_images:Q", title="images"),
            alt.Tooltip("p_corrected:Q", title="p (Holm)", format=".2g"),
        ],
    )
    dark = "datum.error_ratio > 2 || datum.error_ratio < 0.55"
    text = base.mark_text(fontSize=11).encode(
        text=alt.Text("error_ratio:Q", format=".2f"),
        color=alt.condition(dark, alt.value("white"), alt.value("#222")),
    )
    chart: alt.LayerChart = (cells + text).properties(width=alt.Step(90), height=alt.Step(20))
    return chart

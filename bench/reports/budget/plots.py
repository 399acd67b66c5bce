"""The plot of precision against cost."""

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from bench.reports.plots import classifier_colour, panel

POINTS = 24
"""Of each curve."""


def precision_plot(table: pd.DataFrame) -> alt.TopLevelMixin:
    """Half the interval's length against the number of outcomes: what there is, and what more would give.

    Args:
        table: rows of ``budget_table`` with a known half-width.
    """
    rows: list[dict[str, Any]] = [dict(row) for _, row in table.iterrows()]
    curves = pd.concat([_curve(row) for row in rows], ignore_index=True)
    x = alt.X("outcomes:Q", title="images x conditions (log scale)", scale=alt.Scale(type="log"))
    y = alt.Y("half_width:Q", title="± points (log scale)", scale=alt.Scale(type="log"))
    line = alt.Chart().mark_line(strokeDash=[4, 3]).encode(x=x, y=y, color=classifier_colour(table))
    point = (
        alt.Chart()
        .transform_filter("datum.now")
        .mark_point(filled=True, size=70)
        .encode(
            x=x,
            y=y,
            color=classifier_colour(table),
            tooltip=[
                alt.Tooltip("label:N", title="classifier"),
                alt.Tooltip("outcomes:Q", format=",", title="images x conditions"),
                alt.Tooltip("half_width:Q", format=".2f", title="± points"),
            ],
        )
    )
    names = list(dict.fromkeys(table["title"]))
    layered = alt.layer(line, point, data=curves.round(4)).properties(width=240, height=160)
    chart: alt.FacetChart = layered.facet(panel("title:N", names), columns=3).resolve_scale(x="independent")
    return chart


def _curve(row: dict[str, Any]) -> pd.DataFrame:
    """The half-width from the outcomes that there are to one per image of the set, the first of them marked as now."""
    outcomes, largest, width = (float(str(row[name])) for name in ("outcomes", "set_images", "half_width"))
    steps = np.geomspace(outcomes, largest, POINTS) if outcomes < largest else np.array([outcomes])
    return pd.DataFrame(
        {
            "label": row["label"],
            "title": row["title"],
            "outcomes": steps,
            "half_width": width * np.sqrt(outcomes / steps),
            "now": np.arange(len(steps)) == 0,
        }
    )

"""A plot of a report, and the parts that plots of several axes share, as Vega-Lite charts."""

import json
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
"""Version of Vega-Lite that Altair writes."""
PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F6A00", "#8A3FFC"]
"""Safe for colour-blind readers (after Okabe & Ito 2008)."""


@dataclass(frozen=True)
class Plot:
    """A chart with its heading."""

    title: str
    """Heading."""
    note: str
    """One sentence on how to read it."""
    chart: alt.TopLevelMixin
    """The chart."""

    def vega_lite(self) -> dict[str, Any]:
        """The chart with its data inside, without Altair's limit of 5000 rows, which a hundred classifiers exceed."""
        with alt.data_transformers.disable_max_rows():
            return self.chart.to_dict()

    def spec(self) -> str:
        """Vega-Lite JSON without any ``<``, so that no name in it can end a script element or open a comment."""
        return json.dumps(self.vega_lite()).replace("<", "\\u003c")


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
    """One panel per name, in that order."""
    header = alt.Header(labelExpr="replace(datum.label, /_/g, ' ')", labelFontSize=12)
    return alt.Facet(field, title=None, sort=names, header=header)


def classifier_colour(rows: pd.DataFrame) -> alt.Color:
    """One colour per label; safe for colour-blind readers up to eight labels."""
    labels = sorted(set(rows["label"]))
    legend = alt.Legend(symbolOpacity=1, symbolLimit=0, labelLimit=420)
    if len(labels) > len(PALETTE):
        return alt.Color("label:N", title="classifier", legend=legend)
    scale = alt.Scale(domain=labels, range=PALETTE[: len(labels)])
    return alt.Color("label:N", title="classifier", legend=legend, scale=scale)

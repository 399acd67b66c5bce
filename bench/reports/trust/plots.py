"""The plots of the sections on trust and on images of no known class, as Vega-Lite charts."""

import altair as alt
import pandas as pd

from bench.reports.plots import classifier_colour
from bench.reports.trust.stored import images_title

PERCENT = alt.Axis(format="%")


def risk_coverage_plot(points: pd.DataFrame) -> alt.TopLevelMixin:
    """Errors among the answered images against the share that is answered, one line per classifier."""
    chart: alt.Chart = (
        alt.Chart(points.round(5))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("coverage:Q", title="share of images answered", axis=PERCENT, scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("risk:Q", title="errors among these", axis=PERCENT),
            color=classifier_colour(points),
            tooltip=[
                alt.Tooltip("label:N", title="classifier"),
                alt.Tooltip("coverage:Q", format=".1%"),
                alt.Tooltip("risk:Q", title="errors", format=".1%"),
            ],
        )
        .properties(width=560, height=280)
    )
    return chart


def coverage_plot(rows: pd.DataFrame, asked: float) -> alt.TopLevelMixin:
    """How often conformal sets hold the label, by condition, with the asked share as a line.

    Args:
        rows: of ``conformal_table``, one method and alpha.
        asked: ``1 - alpha``.
    """
    cells = zip(rows["benchmark"], rows["condition"], rows["strength"], strict=True)
    shown = rows.assign(
        what=[f"{name} {strength:g}" if strength else images_title(key) for key, name, strength in cells]
    )
    order = list(dict.fromkeys(shown["what"]))
    fields = ["label", "what", "coverage", "coverage_low", "coverage_high", "set_size", "n_images"]
    base = alt.Chart(shown[fields].round(5)).encode(
        y=alt.Y("what:N", title=None, sort=order, axis=alt.Axis(labelExpr="replace(datum.label, /_/g, ' ')")),
        yOffset=alt.YOffset("label:N"),
        color=classifier_colour(rows),
    )
    title, scale = "sets that hold the label", alt.Scale(domain=[0, 1])
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("coverage_low:Q", title=title, axis=PERCENT, scale=scale), x2="coverage_high:Q"
    )
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=alt.X("coverage:Q", title=title, axis=PERCENT, scale=scale),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("what:N", title="images"),
            alt.Tooltip("coverage:Q", format=".1%"),
            alt.Tooltip("set_size:Q", title="mean classes in a set", format=".2f"),
            alt.Tooltip("n_images:Q", title="images judged"),
        ],
    )
    line = alt.Chart(pd.DataFrame({"asked": [asked]})).mark_rule(strokeDash=[4, 3], color="grey").encode(x="asked:Q")
    return alt.layer(line, bars, dots).properties(width=560, height=_step(rows), usermeta={"shrink": True})


def ood_plot(rows: pd.DataFrame) -> alt.TopLevelMixin:
    """AUROC of each score on each set, one panel per score.

    Args:
        rows: of ``ood_table``, without the means over groups.
    """
    shown = rows[["label", "title", "set", "auroc", "auroc_low", "auroc_high", "fpr_at_95_tpr", "n_ood"]].round(5)
    base = alt.Chart(shown).encode(
        y=alt.Y("set:N", title=None, axis=alt.Axis(labelExpr="replace(datum.label, /_/g, ' ')")),
        yOffset=alt.YOffset("label:N"),
        color=classifier_colour(rows),
    )
    scale = alt.Scale(domain=[0, 1])
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("auroc_low:Q", title="AUROC", axis=PERCENT, scale=scale), x2="auroc_high:Q"
    )
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=alt.X("auroc:Q", title="AUROC", axis=PERCENT, scale=scale),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("set:N"),
            alt.Tooltip("auroc:Q", title="AUROC", format=".1%"),
            alt.Tooltip("fpr_at_95_tpr:Q", title="FPR at 95 % TPR", format=".1%"),
            alt.Tooltip("n_ood:Q", title="images"),
        ],
    )
    panels = alt.layer(bars, dots).properties(width=260, height=_step(rows))
    return panels.facet(alt.Facet("title:N", title=None, sort=list(dict.fromkeys(rows["title"]))), columns=2)


def _step(rows: pd.DataFrame) -> alt.Step:
    return alt.Step(14 if rows["label"].nunique() > 1 else 24)

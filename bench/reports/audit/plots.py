"""The plots of the attribution audit, as Vega-Lite charts."""

import altair as alt
import pandas as pd

from bench.benchmarks.shortcut import SHORTCUTS
from bench.reports.plots import PALETTE, Plot

SPLIT_COLOURS = {"correct": PALETTE[0], "wrong": PALETTE[1]}
INTERVAL = ("", "_low", "_high")


def audit_plots(audit: pd.DataFrame, shortcuts: pd.DataFrame, faithfulness: pd.DataFrame) -> list[Plot]:
    """Attribution in the object, the effect of shortcuts, and the faithfulness of the maps: those with any data."""
    plots = []
    if "attribution_in_box" in audit and not audit.dropna(subset=["attribution_in_box"]).empty:
        note = (
            "Share of positive attribution in the object's region, on images that were classified correctly and"
            " wrongly; bars are 95 % intervals. The tick is the same share of a map that only favours the image's"
            " centre: what counts is how far a classifier is above it. Wrong and far to the left is a classifier that"
            " looked at the background."
        )
        plots.append(Plot("Attribution in the object", note, energy_plot(audit)))
    if "accuracy_change" in shortcuts and not shortcuts.dropna(subset=["accuracy_change"]).empty:
        note = f"{_verdicts(shortcuts)} Bars are 95 % intervals over images, each compared with itself unchanged."
        plots.append(Plot("Shortcuts", note, shortcut_plot(shortcuts)))
    if "deletion_area" in faithfulness and not faithfulness.dropna(subset=["deletion_area"]).empty:
        note = (
            "Area below the probability of the predicted class while pixels are taken away or given back in the order"
            " of the map; bars are 95 % intervals, and the grey tick is a random order. By deletion, the map should be"
            f" left of the tick; by insertion, right of it. {_beliefs(faithfulness)}"
        )
        plots.append(Plot("Are the maps to be believed?", note, faithfulness_plot(faithfulness)))
    return plots


def energy_plot(audit: pd.DataFrame) -> alt.TopLevelMixin:
    """Energy in the object for correct and wrong predictions, with the centred baseline of each."""
    rows = audit[audit["split"].isin(SPLIT_COLOURS)].dropna(subset=["attribution_in_box"])
    rows = rows[["label", "split", "n", "centre_baseline", *(f"attribution_in_box{end}" for end in INTERVAL)]].round(5)
    scale = alt.Scale(domain=list(SPLIT_COLOURS), range=list(SPLIT_COLOURS.values()))
    base = alt.Chart(rows).encode(
        y=alt.Y("label:N", title=None, axis=alt.Axis(labelLimit=420)),
        yOffset=alt.YOffset("split:N", sort=list(SPLIT_COLOURS)),
        color=alt.Color("split:N", title="prediction", scale=scale),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("split:N", title="prediction"),
            alt.Tooltip("n:Q", title="images"),
            alt.Tooltip("attribution_in_box:Q", title="attribution in box", format=".1%"),
            alt.Tooltip("centre_baseline:Q", title="centred baseline", format=".1%"),
        ],
    )
    share, axis = alt.Scale(domain=[0, 1]), alt.Axis(format="%")
    bars = base.mark_rule().encode(
        x=alt.X("attribution_in_box_low:Q", title="attribution in box", scale=share, axis=axis),
        x2="attribution_in_box_high:Q",
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("attribution_in_box:Q", title="attribution in box", scale=share, axis=axis)
    )
    ticks = base.mark_tick(thickness=2, size=14, opacity=0.6).encode(x=alt.X("centre_baseline:Q", scale=share))
    return alt.layer(ticks, bars, points).properties(width=560, height=alt.Step(20))


def shortcut_plot(shortcuts: pd.DataFrame) -> alt.TopLevelMixin:
    """Change of accuracy, and change of the attribution mass on what was changed, by shortcut."""
    known = shortcuts.dropna(subset=["accuracy_change"])
    names = [name for name in SHORTCUTS if name in set(known["shortcut"])]
    return alt.hconcat(
        _change_panel(known, "accuracy_change", "change of accuracy", names),
        _change_panel(known.dropna(subset=["mass_change"]), "mass_change", "attribution moved onto the change", names),
    )


def _change_panel(rows: pd.DataFrame, name: str, title: str, names: list[str]) -> alt.LayerChart | alt.FacetChart:
    labels = sorted(set(rows["label"]))
    shown = rows[["label", "shortcut", *(f"{name}{end}" for end in INTERVAL)]].round(5)
    palette = [PALETTE[place % len(PALETTE)] for place in range(len(labels))]
    legend = alt.Legend(symbolOpacity=1, symbolLimit=0, labelLimit=420, orient="bottom", direction="vertical")
    colour = alt.Color("label:N", title="classifier", scale=alt.Scale(domain=labels, range=palette), legend=legend)
    y = alt.Y("shortcut:N", title=None, sort=names, axis=alt.Axis(labelExpr="replace(datum.label, '_', ' ')"))
    base = alt.Chart(shown).encode(y=y, yOffset="label:N", color=colour)
    axis = alt.Axis(format="+%")
    zero = alt.Chart(pd.DataFrame({"zero": [0]})).mark_rule(color="grey").encode(x="zero:Q")
    bars = base.mark_rule().encode(x=alt.X(f"{name}_low:Q", title=title, axis=axis), x2=f"{name}_high:Q")
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=alt.X(f"{name}:Q", title=title, axis=axis),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("shortcut:N"),
            alt.Tooltip(f"{name}:Q", title=title, format="+.1%"),
        ],
    )
    return alt.layer(zero, bars, points).properties(width=300, height=alt.Step(14))


def faithfulness_plot(faithfulness: pd.DataFrame) -> alt.TopLevelMixin:
    """Areas below the deletion and insertion curves, of the map and of random order."""
    return alt.hconcat(*(_area_panel(faithfulness, curve) for curve in ("deletion", "insertion")))


def _area_panel(faithfulness: pd.DataFrame, curve: str) -> alt.LayerChart | alt.FacetChart:
    own, random = f"{curve}_area", f"random_{curve}_area"
    rows = faithfulness[["label", random, *(f"{own}{end}" for end in INTERVAL)]].dropna(subset=[own]).round(5)
    base = alt.Chart(rows).encode(y=alt.Y("label:N", title=None, axis=alt.Axis(labelLimit=300)))
    scale, title = alt.Scale(domain=[0, 1]), f"area below the {curve} curve"
    bars = base.mark_rule(color=PALETTE[0]).encode(
        x=alt.X(f"{own}_low:Q", title=title, scale=scale), x2=f"{own}_high:Q"
    )
    points = base.mark_point(filled=True, size=80, opacity=1, color=PALETTE[0]).encode(
        x=alt.X(f"{own}:Q", title=title, scale=scale),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip(f"{own}:Q", title="in order of the map", format=".3f"),
            alt.Tooltip(f"{random}:Q", title="in random order", format=".3f"),
        ],
    )
    ticks = base.mark_tick(thickness=2, size=16, color="#8A8A8A").encode(x=alt.X(f"{random}:Q", scale=scale))
    return alt.layer(ticks, bars, points).properties(width=260, height=alt.Step(24))


def _verdicts(shortcuts: pd.DataFrame) -> str:
    """Which classifiers rely on an added tag or watermark, in words."""
    tried = shortcuts.dropna(subset=["relies_on_it"]) if "relies_on_it" in shortcuts else shortcuts.iloc[:0]
    if tried.empty:
        return ""
    caught = tried[tried["relies_on_it"].astype(bool)]
    if caught.empty:
        return "No classifier is caught relying on an added tag or watermark."
    return " ".join(
        f"{row['label']} is caught relying on the {row['shortcut']}: accuracy falls by {-row['accuracy_change']:.0%}"
        f" and {row['mass_change']:.0%} of the attribution moves onto it."
        for row in caught.to_dict("records")
    )


def _beliefs(faithfulness: pd.DataFrame) -> str:
    """Rank correlation with randomised networks, in words."""
    known = faithfulness.dropna(subset=["head_correlation", "all_correlation"])
    return " ".join(
        f"{row['label']}: rank correlation with the maps of the network whose last layer is random"
        f" {row['head_correlation']:.2f}, whose every layer is random {row['all_correlation']:.2f}."
        for row in known.to_dict("records")
    )

"""The plots of shape against texture, as Vega-Lite charts."""

import altair as alt
import pandas as pd

from bench.data.categories import CATEGORIES
from bench.reports.plots import PALETTE, Plot
from bench.reports.shape.tables import CLASSIFIER, HUMAN, NETWORK, PEOPLE, DecisionTables, consistency_sentences

HUMAN_COLOUR = "#A51E37"
"""The red of the published plots."""
SHAPES = ("square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right", "triangle-left")


def cue_conflict_plots(tables: DecisionTables | None, board: pd.DataFrame) -> list[Plot]:
    """Per-category shape bias, shape bias against clean accuracy and mCE, error consistency: those with any data."""
    if tables is None or "shape_bias" not in tables.shape_bias:
        return []
    note = (
        "Markers are one category of shape each; lines are pooled over all conflicting images. Left is shape, right is"
        " texture. A classifier sees its own normalisation."
        f" Images whose cues agree are left out: {_left_out(tables.shape_bias)}."
    )
    plots = [Plot("Shape bias by category", note, category_plot(tables.shape_bias))]
    for column, title in (("clean_accuracy", "clean accuracy"), ("mean_corruption_error", "mCE")):
        if {"shape_bias", column} <= set(board) and not board.dropna(subset=["shape_bias", column]).empty:
            plots.append(Plot(f"Shape bias against {title}", "Bars are 95 % intervals.", against_plot(board, column)))
    if not tables.error_consistency.dropna(subset=["kappa"]).empty:
        note = "Cohen's kappa of being right (the shape is right): 1 = the same errors, 0 = as independent ones."
        note = " ".join([note, *consistency_sentences(tables.error_consistency)])
        plots.append(Plot("Error consistency", note, consistency_plot(tables.error_consistency)))
        note = "One point a pair. On the line, they agree in being right or wrong as often as independent ones would."
        plots.append(Plot("Observed against expected consistency", note, observed_plot(tables.error_consistency)))
    return plots


def _left_out(shape_bias: pd.DataFrame) -> str:
    """``80 of 1280``, once for each set of images."""
    single = shape_bias[shape_bias["kind"] != PEOPLE]
    sets = single[["n", "n_conflict"]].dropna().astype(int).drop_duplicates().to_numpy().tolist()
    return ", ".join(f"{n - n_conflict} of {n}" for n, n_conflict in sets)


def category_plot(shape_bias: pd.DataFrame) -> alt.TopLevelMixin:
    """The classic plot (Geirhos et al. 2019, figure 4): a marker per decision maker and category, a line for the pool.

    Args:
        shape_bias: ``DecisionTables.shape_bias``.
    """
    categories = [name for name in CATEGORIES if f"shape_bias_{name}" in shape_bias]
    points = shape_bias.melt(
        id_vars=["decision_maker"],
        value_vars=[f"shape_bias_{name}" for name in categories],
        var_name="category",
        value_name="bias",
    ).dropna()
    points["category"] = points["category"].str.removeprefix("shape_bias_")
    colour, shape = _decision_makers(shape_bias)
    scale = alt.Scale(domain=[0, 1], reverse=True)
    bottom = alt.Axis(title="share of shape decisions", values=[0, 0.2, 0.4, 0.6, 0.8, 1], format=".1f", grid=False)
    top = alt.Axis(
        title="share of texture decisions",
        values=[0, 0.2, 0.4, 0.6, 0.8, 1],
        orient="top",
        labelExpr="format(1 - datum.value, '.1f')",
        grid=False,
    )
    tooltip = [
        alt.Tooltip("decision_maker:N", title="decision maker"),
        alt.Tooltip("bias:Q", title="shape bias", format=".1%"),
    ]
    markers = (
        alt.Chart(points.round(4))
        .mark_point(filled=True, size=90, opacity=0.85)
        .encode(
            x=alt.X("bias:Q", scale=scale, axis=bottom),
            y=alt.Y("category:N", title=None, sort=categories, axis=alt.Axis(grid=True)),
            color=colour,
            shape=shape,
            tooltip=[alt.Tooltip("category:N"), *tooltip],
        )
    )
    pooled = shape_bias[["decision_maker", "shape_bias"]].rename(columns={"shape_bias": "bias"}).dropna()
    lines = (
        alt.Chart(pooled.round(4))
        .mark_rule(strokeWidth=2.5, opacity=0.7)
        .encode(x=alt.X("bias:Q", scale=scale, axis=top), color=colour, tooltip=tooltip)
    )
    chart: alt.LayerChart = (
        (lines + markers)
        .resolve_axis(x="independent")
        .properties(width=620, height=alt.Step(26), usermeta={"shrink": True})
    )
    return chart


def against_plot(board: pd.DataFrame, column: str) -> alt.TopLevelMixin:
    """Shape bias of each classifier against another estimate of the leaderboard, with both intervals.

    Args:
        board: the leaderboard's table.
        column: ``clean_accuracy`` or ``mean_corruption_error``.
    """
    names = [f"{name}{end}" for name in (column, "shape_bias") for end in ("", "_low", "_high")]
    rows = board.reset_index()[["label", *names]].dropna().round(5)
    colour, shape = _decision_makers(rows.rename(columns={"label": "decision_maker"}).assign(kind=CLASSIFIER), "label")
    share = column == "clean_accuracy"
    axis = alt.Axis(format="%") if share else alt.Axis()
    title = "clean accuracy" if share else "mCE (lower is better)"
    x = alt.X(f"{column}:Q", title=title, axis=axis, scale=alt.Scale(zero=False))
    y = alt.Y("shape_bias:Q", title="shape bias", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False))
    base = alt.Chart(rows).encode(color=colour)
    points = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=x,
        y=y,
        shape=shape,
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("shape_bias:Q", title="shape bias", format=".1%"),
            alt.Tooltip(f"{column}:Q", title=title, format=".1%" if share else ".1f"),
        ],
    )
    across = base.mark_rule().encode(x=alt.X(f"{column}_low:Q", title=title), x2=f"{column}_high:Q", y=y)
    along = base.mark_rule().encode(x=x, y=alt.Y("shape_bias_low:Q", title="shape bias"), y2="shape_bias_high:Q")
    chart: alt.LayerChart = (across + along + points).properties(width=560, height=320, usermeta={"shrink": True})
    return chart


def consistency_plot(pairs: pd.DataFrame) -> alt.TopLevelMixin:
    """The matrix of kappas, humans first; a pair without one is left empty.

    Args:
        pairs: ``DecisionTables.error_consistency``.
    """
    order = list(dict.fromkeys([*pairs["first"], *pairs["second"]]))
    kept = ["first", "second", "kappa", "kappa_low", "kappa_high", "observed", "expected", "n_images"]
    mirrored = pairs.rename(columns={"first": "second", "second": "first"})
    rows = pd.concat([pairs[kept], mirrored[kept]]).dropna(subset=["kappa"]).round(4)
    base = alt.Chart(rows).encode(
        x=alt.X("first:N", title=None, sort=order, axis=alt.Axis(labelAngle=-45, labelLimit=420)),
        y=alt.Y("second:N", title=None, sort=order, axis=alt.Axis(labelLimit=420)),
    )
    cells = base.mark_rect().encode(
        color=alt.Color("kappa:Q", title="kappa", scale=alt.Scale(scheme="blues", domain=[0, 1], clamp=True)),
        tooltip=[
            alt.Tooltip("first:N"),
            alt.Tooltip("second:N"),
            *(alt.Tooltip(f"{name}:Q", format=".3f") for name in kept[2:7]),
            alt.Tooltip("n_images:Q", title="images"),
        ],
    )
    text = base.mark_text(fontSize=11).encode(
        text=alt.Text("kappa:Q", format=".2f"),
        color=alt.condition("datum.kappa > 0.6", alt.value("white"), alt.value("#222")),
    )
    side = alt.Step(44)
    chart: alt.LayerChart = (cells + text).properties(width=max(44 * len(order), 180), height=side)
    return chart


def observed_plot(pairs: pd.DataFrame) -> alt.TopLevelMixin:
    """Observed against expected consistency of each pair (Geirhos et al. 2020, figure 1).

    Args:
        pairs: ``DecisionTables.error_consistency``.
    """
    rows = pairs[["first", "second", "observed", "expected", "kappa"]].dropna().round(4)
    kinds = (pairs["first_kind"] + " and " + pairs["second_kind"]).loc[rows.index]
    scale = alt.Scale(domain=[0, 1])
    points = (
        alt.Chart(rows.assign(pair=kinds))
        .mark_point(filled=True, size=90, opacity=0.9)
        .encode(
            x=alt.X("expected:Q", title="expected consistency", scale=scale, axis=alt.Axis(format="%")),
            y=alt.Y("observed:Q", title="observed consistency", scale=scale, axis=alt.Axis(format="%")),
            color=alt.Color("pair:N", title=None, scale=alt.Scale(range=PALETTE), legend=alt.Legend(symbolOpacity=1)),
            tooltip=[
                alt.Tooltip("first:N"),
                alt.Tooltip("second:N"),
                *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("observed", "expected", "kappa")),
            ],
        )
    )
    chance = pd.DataFrame({"expected": [0, 1], "observed": [0, 1]})
    line = alt.Chart(chance).mark_line(strokeDash=[4, 4], color="#888").encode(x="expected:Q", y="observed:Q")
    chart: alt.LayerChart = (line + points).properties(width=400, height=360)
    return chart


def _decision_makers(rows: pd.DataFrame, field: str = "decision_maker") -> tuple[alt.Color, alt.Shape]:
    """Colour and marker of each: people are red circles, all others have their own colour and marker."""
    names, kinds = rows["decision_maker"].tolist(), dict(zip(rows["decision_maker"], rows["kind"], strict=True))
    # classifiers by name, as in the other plots, so that each has one colour throughout; networks after them
    others = sorted(
        (name for name in names if kinds[name] not in (PEOPLE, HUMAN)), key=lambda name: (kinds[name] == NETWORK, name)
    )
    places = [others.index(name) if name in others else None for name in names]
    colours = [HUMAN_COLOUR if place is None else PALETTE[place % len(PALETTE)] for place in places]
    shapes = ["circle" if place is None else SHAPES[place % len(SHAPES)] for place in places]
    title = "decision maker" if field == "decision_maker" else "classifier"
    legend = alt.Legend(symbolOpacity=1, symbolLimit=0, labelLimit=420)
    colour = alt.Color(f"{field}:N", title=title, legend=legend, scale=alt.Scale(domain=names, range=colours))
    shape = alt.Shape(f"{field}:N", title=title, legend=legend, scale=alt.Scale(domain=names, range=shapes))
    return colour, shape

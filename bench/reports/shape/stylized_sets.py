"""Accuracy on the stylized sets of the cue-conflict images: category folders and parametric manipulations."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from bench.benchmarks.clean import Clean
from bench.benchmarks.parametric import Parametric
from bench.corruptions.parametric import MANIPULATIONS
from bench.data.categories import CATEGORY_SPACE
from bench.metrics.estimates import proportion
from bench.records import Estimate, RunSpec
from bench.reports.entries import LeaderboardEntry
from bench.reports.plots import PALETTE, Plot
from bench.reports.shape.tables import BENCHMARK, CLASSIFIER
from bench.results import Store

PARAMETRIC = Parametric.name


def stylized_set_table(
    store: Store, entries: Sequence[LeaderboardEntry], imported: Sequence[tuple[str, RunSpec]] = ()
) -> pd.DataFrame:
    """One row per complete cell: decision maker, images, kind of decision, condition, and accuracy.

    Clean top-1 accuracy is included where manipulated images were classified among the classifier's own classes.

    Args:
        store: where the decisions are.
        entries: of the classifiers.
        imported: people and networks, of ``bench.reports.shape.tables.imported_specs``.
    """
    rows: list[dict[str, object]] = []
    for label, spec in imported:
        if spec.benchmark != BENCHMARK:
            estimate = proportion(store.correct(spec))
            rows.append(_row(label, spec.decision_maker, spec.entry, spec, estimate))
    for entry in entries:
        names = [
            name
            for name, variant in entry.benchmarks.items()
            if variant.benchmark == PARAMETRIC or variant.spec.label_space == CATEGORY_SPACE.name
        ]
        if any(entry.benchmarks[name].spec.label_space != CATEGORY_SPACE.name for name in names):
            names.append(Clean.name)
        for benchmark in names:
            if benchmark == BENCHMARK:  # has tables of its own
                continue
            for condition in entry.conditions(benchmark):
                if entry.has(benchmark, condition):
                    spec = entry.benchmarks[benchmark].cells[condition].spec
                    estimate = proportion(entry.hits(benchmark, condition).right)
                    rows.append(_row(entry.label, CLASSIFIER, benchmark, spec, estimate))
    return pd.DataFrame(rows)


def _row(label: str, kind: str, benchmark: str, spec: RunSpec, estimate: Estimate) -> dict[str, object]:
    return {
        "label": label,
        "kind": kind,
        "benchmark": benchmark,
        "dataset": spec.dataset,
        "decision": "categories" if spec.label_space == CATEGORY_SPACE.name else "classes",
        "condition": spec.condition.name,
        "strength": spec.condition.strength,
        "n_images": estimate.n,
        "accuracy": estimate.value,
        "accuracy_low": estimate.low,
        "accuracy_high": estimate.high,
    }


def stylized_set_plots(table: pd.DataFrame) -> list[Plot]:
    """Accuracy against strength of each manipulation, where there is any."""
    shown = table[table["condition"].isin(MANIPULATIONS)] if len(table) else table
    if not len(shown):
        return []
    note = (
        "Greyscale images, manipulated as by Geirhos et al. 2018; from weak to strong. Bars are exact 95 % intervals."
    )
    return [Plot("Accuracy against manipulation strength", note, _strength_plot(shown))]


def _strength_plot(rows: pd.DataFrame) -> alt.TopLevelMixin:
    labels = sorted(set(rows["label"]))
    names = [name for name in MANIPULATIONS if name in set(rows["condition"])]
    kept = ["label", "condition", "strength", "accuracy", "accuracy_low", "accuracy_high"]
    ranked = rows[kept].round(5)
    weaker_is_higher = ranked["condition"].isin(["contrast", "high_pass"])
    ranked["order"] = ranked["strength"].where(~weaker_is_higher, -ranked["strength"])
    palette = [PALETTE[place % len(PALETTE)] for place in range(len(labels))]
    scale = alt.Scale(domain=labels, range=palette)
    colour = alt.Color(
        "label:N", title="classifier", scale=scale, legend=alt.Legend(symbolOpacity=1, symbolLimit=0, labelLimit=420)
    )
    x = alt.X("strength:O", title=None, sort=alt.SortField("order"), axis=alt.Axis(labelAngle=0))
    share, axis = alt.Scale(domain=[0, 1]), alt.Axis(format="%", tickCount=4)
    base = alt.Chart(ranked).encode(x=x, color=colour)
    bars = base.mark_rule(opacity=0.4).encode(
        y=alt.Y("accuracy_low:Q", title="accuracy", scale=share, axis=axis), y2="accuracy_high:Q"
    )
    line = base.mark_line(point=True).encode(
        y=alt.Y("accuracy:Q", title="accuracy", scale=share, axis=axis),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("strength:Q"),
            alt.Tooltip("accuracy:Q", format=".1%"),
        ],
    )
    header = alt.Header(labelExpr="replace(datum.label, /_/g, ' ')", labelFontSize=12)
    panels = alt.layer(bars, line).properties(width=240, height=140)
    chart: alt.FacetChart = panels.facet(
        alt.Facet("condition:N", title=None, sort=names, header=header), columns=4
    ).resolve_scale(x="independent")
    return chart

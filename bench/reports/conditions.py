"""The generic section: the figure of each condition, for benchmarks whose axis has no section of its own."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks import Metric
from bench.errors import DataError
from bench.metrics.estimates import bootstrap_mean, proportion
from bench.records import Condition, Estimate
from bench.reports.columns import axis_of
from bench.reports.entries import LeaderboardEntry
from bench.reports.measured import MeasuredBenchmark
from bench.reports.plots import Plot, classifier_colour, panel
from bench.reports.reference import REFERENCE
from bench.reports.tables import identity, interval

ACCURACY = "accuracy"
CONDITION_COLUMNS = (
    *("label", "protocol", "classifier", "weights_digest", "dataset", "axis", "benchmark", "condition", "strength"),
    *("unit", "metric", "value", "value_low", "value_high", "n_images"),
)


@dataclass(frozen=True)
class _OneCondition(MeasuredBenchmark):
    """A benchmark as if it had been run under one condition only."""

    condition: Condition

    @property
    def conditions(self) -> Sequence[Condition]:
        """The one condition."""
        return [self.condition]

    @property
    def expected(self) -> Sequence[Condition]:
        """The one condition."""
        return [self.condition]


def condition_table(entries: Sequence[LeaderboardEntry], axes: Collection[str]) -> pd.DataFrame:
    """One row per entry, benchmark of ``axes``, complete condition and metric, with its 95 % interval.

    ``metric`` is ``accuracy`` where the benchmark's declared metrics are accuracies, or where it declares none.
    Otherwise it is each declared metric that can be computed from one condition alone.

    Args:
        entries: with their protocols.
        axes: of the benchmarks to include.

    Returns:
        The columns ``CONDITION_COLUMNS``. ``value`` is in the unit of the metric, an accuracy in [0,1].
    """
    rows = [
        {
            **identity(entry),
            "dataset": variant.spec.dataset,
            "axis": axis_of(variant.declared),
            "benchmark": name,
            "condition": condition.name,
            "strength": condition.strength,
            "unit": variant.cells[condition].spec.strength_unit,
            "metric": metric,
            **interval("value", estimate),
            "n_images": estimate.n,
        }
        for entry in entries
        for name, variant in sorted(entry.benchmarks.items())
        if variant.declared is not REFERENCE and axis_of(variant.declared) in axes
        for metric, condition, estimate in _figures(entry, name)
    ]
    return pd.DataFrame(rows, columns=list(CONDITION_COLUMNS))


def _figures(entry: LeaderboardEntry, name: str) -> Iterator[tuple[str, Condition, Estimate]]:
    """Metric, condition and figure of each complete condition of a benchmark."""
    complete = [item for item in entry.conditions(name) if entry.has(name, item)]
    metrics = entry.benchmarks[name].declared.metrics
    by_metric = [(metric, _values_by_condition(entry, name, metric, complete)) for metric in metrics]
    if not metrics or any(_is_accuracy(entry, name, metric, values) for metric, values in by_metric):
        for condition in complete:
            yield ACCURACY, condition, proportion(entry.hits(name, condition).right)
        return
    for metric, values in by_metric:
        for condition, images in values.items():
            one = _OneCondition(entry, name, condition)
            estimate = one.estimate(metric) or bootstrap_mean(images.astype(np.float64))
            yield metric.name, condition, replace(estimate, n=min(estimate.n, one.n_images()))


def _values_by_condition(
    entry: LeaderboardEntry, name: str, metric: Metric, conditions: Sequence[Condition]
) -> dict[Condition, NDArray[Any]]:
    """Condition -> ``(N,)`` values of a metric, for each condition that it can be computed from alone."""
    values = {}
    for condition in conditions:
        try:
            values[condition] = _OneCondition(entry, name, condition).values(metric)
        except DataError:  # the metric needs more than this one condition
            continue
    return values


def _is_accuracy(entry: LeaderboardEntry, name: str, metric: Metric, values: Mapping[Condition, NDArray[Any]]) -> bool:
    """Whether a metric is a share of right answers: it has booleans, or would have them without samples."""
    if metric.under_shift or any(images.dtype == np.bool_ for images in values.values()):
        return True
    return metric.exact is None and any(
        _OneCondition(entry, name, condition).estimate(metric) is not None for condition in values
    )


def condition_plots(table: pd.DataFrame) -> list[Plot]:
    """One plot per benchmark and metric against strength; none for a benchmark whose conditions have no strength.

    Args:
        table: of ``condition_table``.
    """
    plots, benchmarks = [], table.groupby("axis")["benchmark"].nunique()
    for (axis, benchmark, metric), rows in table.groupby(["axis", "benchmark", "metric"], sort=False):
        if (rows["strength"] > 0).any():
            units = sorted(set(rows["unit"]) - {""})
            unit = units[0] if len(units) == 1 else "strength"
            what = str(metric).replace("_", " ")
            heading = str(axis) if benchmarks[str(axis)] == 1 else f"{axis}, {benchmark}"
            note = "Bars are 95 % intervals."
            plots.append(Plot(f"{heading}: {what} against {unit}", note, _strength_plot(rows, what, unit)))
    return plots


def _strength_plot(rows: pd.DataFrame, what: str, unit: str) -> alt.TopLevelMixin:
    """The figure against strength: one panel per condition name, one line per classifier, with intervals."""
    names = sorted(set(rows["condition"]))
    shown = rows[["label", "condition", "strength", "value", "value_low", "value_high"]].round(5)
    scale = alt.Scale(domain=[0, 1]) if what == ACCURACY else alt.Scale(zero=False)
    axis = alt.Axis(format="%", tickCount=4) if what == ACCURACY else alt.Axis(tickCount=4)
    base = alt.Chart(shown).encode(x=alt.X("strength:Q", title=unit), color=classifier_colour(rows))
    bars = base.mark_rule(opacity=0.5).encode(
        y=alt.Y("value_low:Q", title=what, scale=scale, axis=axis), y2="value_high:Q"
    )
    line = base.mark_line(point=True, strokeWidth=2).encode(
        y=alt.Y("value:Q", title=what, scale=scale, axis=axis),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("strength:Q", title=unit),
            *(alt.Tooltip(f"value{end}:Q", title=what + end.replace("_", " ")) for end in ("", "_low", "_high")),
        ],
    )
    panels = alt.layer(bars, line).properties(width=240, height=160)
    chart: alt.FacetChart = panels.facet(panel("condition:N", names), columns=3)
    return chart

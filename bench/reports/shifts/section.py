"""The section on shifted image sets: each set and its variants beside the clean accuracy on the same classes."""

import math
from collections.abc import Iterator, Sequence

import altair as alt
import numpy as np
import pandas as pd

from bench.benchmarks.shifted_set import ShiftedSet, variants_of_images
from bench.metrics.estimates import proportion
from bench.records import Condition, Estimate
from bench.reports.columns import axis_of
from bench.reports.entries import LeaderboardEntry
from bench.reports.plots import Plot, classifier_colour
from bench.reports.reference import REFERENCE, REFERENCE_CONDITION
from bench.reports.sections import ReportData, Section, register_section
from bench.reports.tables import MISSING, identity, interval

Z95 = 1.959964
"""Standard errors of a 95 % interval."""
COLUMNS = [
    *("label", "protocol", "classifier", "weights_digest", "dataset", "benchmark", "set", "variant", "n_images"),
    *("accuracy", "accuracy_low", "accuracy_high", "top5_accuracy", "top5_accuracy_low", "top5_accuracy_high"),
    *("clean_benchmark", "clean_accuracy", "drop", "drop_low", "drop_high"),
]


@register_section(ShiftedSet.axis)
def shift_section(data: ReportData) -> Section:
    """Accuracy on every shifted set, and how far it falls below the clean accuracy."""
    table = shift_table(data.entries)
    if table.empty:
        return Section({"natural_shifts.csv": table}, [])
    note = "Top-1 accuracy with exact 95 % intervals; the tick is the clean accuracy on the same classes."
    return Section({"natural_shifts.csv": table}, [Plot("Natural shifts", note, _plot(table[table["variant"] == ""]))])


def shift_table(entries: Sequence[LeaderboardEntry]) -> pd.DataFrame:
    """One row per entry and shifted set, and one per variant of a set: the columns ``COLUMNS``.

    ``drop`` is the clean accuracy, on images of the same classes where these were run, minus that on the set. Its
    interval is that of two independent proportions.
    """
    rows = [
        row
        for entry in entries
        for name in sorted(entry.benchmarks)
        if axis_of(entry.benchmarks[name].declared) == ShiftedSet.axis
        for row in _rows(entry, name)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(entry: LeaderboardEntry, name: str) -> Iterator[dict[str, object]]:
    variant = entry.benchmarks[name]
    condition = Condition(variant.benchmark)
    if not entry.has(name, condition):
        return
    outcomes = entry.outcomes(name, condition)
    correct, top5 = outcomes["correct"].to_numpy(dtype=bool), outcomes["top5"].to_numpy(dtype=bool)
    has_top5 = any(metric.name.endswith("top5_accuracy") for metric in variant.declared.metrics)
    parts = variants_of_images(outcomes["image_id"].to_numpy(dtype=str))
    names = [""] if variant.spec.n_images and set(parts) <= {""} else ["", *np.unique(parts)]
    compared, clean = _clean(entry, variant.declared.compared_with)
    for part in names:
        inside = np.ones(len(parts), dtype=bool) if part == "" else parts == part
        estimate = proportion(correct[inside])
        yield {
            **identity(entry),
            "dataset": variant.spec.dataset,
            "benchmark": name,
            "set": variant.declared.metrics[0].title,
            "variant": part,
            "n_images": estimate.n,
            **interval("accuracy", estimate),
            **interval("top5_accuracy", proportion(top5[inside]) if has_top5 else MISSING),
            "clean_benchmark": compared,
            "clean_accuracy": clean.value,
            **_drop(clean, estimate),
        }


def _clean(entry: LeaderboardEntry, compared_with: str) -> tuple[str, Estimate]:
    """The benchmark whose accuracy a set's is compared with, and that accuracy."""
    condition = REFERENCE_CONDITION if compared_with == REFERENCE.name else Condition(compared_with)
    if not entry.has(compared_with, condition):
        return compared_with, MISSING
    return compared_with, proportion(entry.hits(compared_with, condition).right)


def _drop(clean: Estimate, shifted: Estimate) -> dict[str, float]:
    if clean.n == 0:
        return interval("drop", MISSING)
    error = math.sqrt(sum(item.value * (1 - item.value) / item.n for item in (clean, shifted)))
    drop = clean.value - shifted.value
    return interval("drop", Estimate(drop, drop - Z95 * error, drop + Z95 * error, shifted.n))


def _plot(rows: pd.DataFrame) -> alt.TopLevelMixin:
    names = list(dict.fromkeys(rows["set"]))
    shown = rows[["label", "set", "accuracy", "accuracy_low", "accuracy_high", "clean_accuracy", "n_images"]].round(5)
    axis = alt.Axis(format="%")
    base = alt.Chart(shown).encode(
        y=alt.Y("set:N", title=None, sort=names, axis=alt.Axis(labelLimit=260)),
        yOffset=alt.YOffset("label:N"),
        color=classifier_colour(rows),
    )
    rule = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("accuracy_low:Q", title="accuracy", axis=axis, scale=alt.Scale(domain=[0, 1])), x2="accuracy_high:Q"
    )
    point = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("accuracy:Q", title="accuracy", axis=axis),
        tooltip=[
            alt.Tooltip("label:N", title="classifier"),
            alt.Tooltip("set:N"),
            alt.Tooltip("accuracy:Q", format=".1%"),
            alt.Tooltip("clean_accuracy:Q", title="clean, same classes", format=".1%"),
            alt.Tooltip("n_images:Q", title="images"),
        ],
    )
    tick = base.mark_tick(thickness=2, size=14).encode(x=alt.X("clean_accuracy:Q", title="accuracy", axis=axis))
    height = alt.Step(16 if rows["label"].nunique() > 1 else 28)
    chart: alt.LayerChart = (rule + point + tick).properties(width=560, height=height, usermeta={"shrink": True})
    return chart

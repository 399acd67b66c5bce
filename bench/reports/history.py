"""Every figure over dates, from the store alone: the leaderboard of each day on which something was computed."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from bench.benchmarks.registry import is_known
from bench.errors import DataError
from bench.reports.columns import columns_named, standard_columns
from bench.reports.entries import LeaderboardEntry, is_imported, read_entries
from bench.reports.plots import Plot, classifier_colour
from bench.reports.protocols import with_protocols
from bench.reports.tables import leaderboard
from bench.results import Store

HISTORY = [
    *["date", "classifier", "defense", "dataset", "crop", "weights_digest", "n_images"],
    *["metric", "value", "low", "high"],
]


def history_table(store: Store) -> pd.DataFrame:
    """One row per day, classifier and figure, for each day on which a cell of a classifier was started.

    Each day has the figures of that day's leaderboard. A classifier that was not run on that day has its newest figures
    so far. One whose weights have changed has the figures of the newest weights.

    Raises:
        DataError: the store is empty.
    """
    cells = [cell for cell in store.cells() if is_known(cell.spec.benchmark) and not is_imported(cell.spec)]
    dates = sorted({cell.provenance.started[:10] for cell in cells})
    if not dates:
        raise DataError(f"the store {store.root} has no classifier's outcomes: run a sweep first, e.g. snowwolf")
    rows = [row for date in dates for row in _day(store, date)]
    return pd.DataFrame(rows, columns=HISTORY)


def _day(store: Store, date: str) -> list[dict[str, object]]:
    board = leaderboard(with_protocols(_newest(read_entries(store, until=date))))
    identity = ("classifier", "defense", "dataset", "crop", "weights_digest", "n_images")
    return [
        {
            "date": date,
            **{name: row[name] for name in identity},
            "metric": column.name,
            "value": row[column.name],
            "low": row[f"{column.name}_low"],
            "high": row[f"{column.name}_high"],
        }
        for row in board.table.to_dict("records")
        for column in board.columns
        if pd.notna(row[column.name])
    ]


def _newest(entries: Sequence[LeaderboardEntry]) -> list[LeaderboardEntry]:
    """The newest entry of each name and dataset: its weights have replaced those of the others."""
    latest: dict[tuple[str, str, str], LeaderboardEntry] = {}
    for entry in sorted(entries, key=lambda entry: entry.provenance.started):
        latest[entry.spec.classifier, entry.spec.defense, entry.spec.dataset] = entry
    return list(latest.values())


def history_plots(history: pd.DataFrame) -> list[Plot]:
    """One plot per figure: its value and interval over dates, one line per classifier."""
    table = history.assign(
        label=[
            " · ".join(filter(None, parts))
            for parts in zip(history["classifier"], history["defense"], history["dataset"], strict=True)
        ]
    )
    names = list(dict.fromkeys(table["metric"]))
    known = {column.name: column for column in columns_named([*names, *(f"{name}_low" for name in names)], [])}
    order = {column.name: place for place, column in enumerate(standard_columns())}
    plots = []
    for name in sorted(names, key=lambda name: order.get(name, len(order))):
        column = known[name]
        rows = table[table["metric"] == name][["date", "label", "value", "low", "high", "weights_digest", "n_images"]]
        note = f"Bars are 95 % intervals; {column.better} is better."
        plots.append(Plot(column.title, note, _lines(rows, "%" if column.percent else "")))
    return plots


def _lines(rows: pd.DataFrame, form: str) -> alt.LayerChart:
    axis = alt.Axis(format=form) if form else alt.Axis()
    base = alt.Chart(rows).encode(x=alt.X("date:T", title=None), color=classifier_colour(rows))
    value = alt.Y("value:Q", title=None, axis=axis, scale=alt.Scale(zero=False))
    tooltip = [alt.Tooltip(name) for name in ("label:N", "date:T", "value:Q", "low:Q", "high:Q", "weights_digest:N")]
    line = base.mark_line(point=True).encode(y=value, tooltip=tooltip)
    bars = base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q"), y2="high:Q")
    chart: alt.LayerChart = (bars + line).properties(width=760, height=220)
    return chart

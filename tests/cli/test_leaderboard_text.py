"""The short leaderboard at a sweep's end, against a table written by hand."""

import math
from pathlib import Path

import pandas as pd

from bench.benchmarks import HIGHER, Metric
from bench.benchmarks.clean import Clean
from bench.cli.leaderboard import board_text, leaderboard_text
from bench.reports.columns import Column
from bench.reports.tables import Leaderboard
from bench.results import Store

PAGE = Path("reports/default/leaderboard.html")


def board(figures, labels):
    """Title -> value and the ends of its interval, the same in every row."""
    columns = [
        Column("clean", Clean, Metric(f"figure_{place}", title, HIGHER, lambda measured: None, percent=percent))
        for place, (title, (_, percent)) in enumerate(figures.items())
    ]
    row = {"n_images": 20, "parameters": 4_650_000, "gmacs": 0.39}
    for column, ((value, low, high), _) in zip(columns, figures.values(), strict=True):
        row |= {column.name: value, f"{column.name}_low": low, f"{column.name}_high": high}
    table = pd.DataFrame([row] * len(labels), index=pd.Index(labels, name="label"))
    return Leaderboard(table, [], columns, pd.DataFrame())


def test_the_first_columns_that_fit_are_shown_and_the_rest_counted():
    figures = {
        "Clean accuracy": ((0.85, 0.621, 0.968), True),
        "mCE": ((math.nan, math.nan, math.nan), False),
        **{f"Figure {i}": ((1.0, 0.5, 2.0), False) for i in range(9)},
    }
    said = board_text(board(figures, ["lite0", "a|b\\c <i>"]), PAGE).splitlines()
    assert said == [
        "Classifier  Images  Clean accuracy     Figure 0        Figure 1        Figure 2",
        "lite0       20      85.0 [62.1, 96.8]  1.0 [0.5, 2.0]  1.0 [0.5, 2.0]  1.0 [0.5, 2.0]",
        "a|b\\c <i>   20      85.0 [62.1, 96.8]  1.0 [0.5, 2.0]  1.0 [0.5, 2.0]  1.0 [0.5, 2.0]",
        f"page: {PAGE} (6 more columns there)",
    ]
    assert max(map(len, said[:3])) <= 100


def test_a_long_name_is_cut_and_stays_in_one_line():
    said = board_text(board({"Clean accuracy": ((1, 0.5, 1), True)}, ["x" * 39 + "\nyz"]), PAGE).splitlines()
    assert said[1] == "x" * 39 + "   20      100.0 [50.0, 100.0]"


def test_the_figures_are_those_of_the_store(tmp_path, make_spec, make_outcomes, provenance):
    store = Store(str(tmp_path))
    spec = make_spec(classifier="net", n_images=4)
    outcomes = make_outcomes(0, 4)
    store.write_part(spec, outcomes, 0, provenance)
    right = (outcomes.prediction == outcomes.label).mean()
    header, row, page = leaderboard_text(store, PAGE).splitlines()
    assert header.split("  ")[0] == "Classifier"
    assert "Clean accuracy" in header
    assert row.startswith("net")
    assert f" {100 * right:.1f} [" in row
    assert page == f"page: {PAGE}"

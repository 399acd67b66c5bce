"""Reports of samples: the figures by hand, marked on the board, with what they cost and how precise they are."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.data.order import balanced_order, window
from bench.metrics.corruption import ALEXNET_ERROR
from bench.records import Condition, Outcomes
from bench.reports import write_report
from bench.reports.budget.tables import budget_table
from bench.reports.comparison import compare
from bench.reports.entries import read_entries
from bench.reports.protocols import with_protocols
from bench.reports.tables import leaderboard
from bench.results import Store

N, K = 400, 16
CONDITIONS = [Condition(name, level) for name in CORRUPTIONS for level in SEVERITIES]


def errors_of(seed):
    """(75, N) whether each image is wrong: harder images are so under most conditions."""
    draw = np.random.default_rng(seed)
    hardness = np.random.default_rng(0).normal(size=N)
    return hardness[None] + draw.normal(size=(75, N)) > 0.4


def write_samples(store, classifier, errors, make_spec, provenance, *, k=K):
    ids = np.array([f"image_{i}" for i in range(N)])
    labels = np.arange(N) % 10
    order = balanced_order(ids.tolist(), labels)
    for number, condition in enumerate(CONDITIONS):
        spec = make_spec(
            classifier=classifier,
            weights_digest=classifier,
            n_images=N,
            benchmark="corruption",
            condition=condition,
            parameters={"source": "batched", "definition": "imagenet_c", "protocol": "published"},
        )
        for start, stop in window(number, 75, k, N):
            at = order[start:stop]
            predictions = np.where(errors[number, at], labels[at] + 1, labels[at])
            outcomes = Outcomes(ids[at], labels[at], predictions, np.full(len(at), 0.5, np.float32))
            store.write_part(spec, outcomes, start, replace(provenance, sample=0 if k == N else k), positions=at)
    return order


@pytest.fixture
def store(tmp_path, make_spec, provenance):
    store = Store(str(tmp_path / "store"))
    for seed, name in ((1, "one"), (2, "two")):
        write_samples(store, name, errors_of(seed), make_spec, provenance)
    write_samples(store, "whole", errors_of(3), make_spec, provenance, k=N)
    return store


@pytest.fixture
def entries(store):
    return with_protocols(read_entries(store))


def test_the_mce_of_samples_is_worked_by_hand(entries):
    board = leaderboard(entries).table
    ids = [f"image_{i}" for i in range(N)]
    order = balanced_order(ids, np.arange(N) % 10)
    rates = {}
    for number, condition in enumerate(CONDITIONS):
        places = np.concatenate([np.arange(*part) for part in window(number, 75, K, N)])
        rates[condition] = errors_of(1)[number, order[places]].mean()
    ratios = [
        sum(rates[Condition(name, level)] for level in SEVERITIES) / (5 * ALEXNET_ERROR[name]) for name in CORRUPTIONS
    ]
    assert board.loc["one", "mean_corruption_error"] == pytest.approx(100 * np.mean(ratios))
    whole = [errors_of(3)[number].mean() for number in range(75)]
    by_name = [np.mean(whole[5 * i : 5 * i + 5]) / ALEXNET_ERROR[name] for i, name in enumerate(CORRUPTIONS)]
    assert board.loc["whole", "mean_corruption_error"] == pytest.approx(100 * np.mean(by_name))


def test_samples_are_marked_beside_full_rows_and_are_no_gaps(store, tmp_path):
    write_report(store, tmp_path / "report")

    def report(name):
        return pd.read_csv(tmp_path / "report" / name, keep_default_na=False, na_values=["nan", ""])

    board = report("leaderboard.csv").set_index("label")
    assert board["sampled"].fillna("").to_dict() == {"one": "corruption", "two": "corruption", "whole": ""}
    assert board["protocol"].nunique() == 1, "they estimate the same figure and are ranked together"
    assert report("ranks.csv")["ranked"].max() == 3
    assert set(report("missing.csv")["benchmark"]) == {"clean"}, "which nobody ran"
    page = (tmp_path / "report" / "leaderboard.html").read_text()
    assert "Cost and precision" in page
    assert "400 (sampled)" in page


def test_the_table_of_budgets(entries):
    figures = leaderboard(entries)
    board, table = figures.table, budget_table(figures, entries).set_index("label")
    one, whole = table.loc["one"], table.loc["whole"]
    assert (one["least_images"], one["outcomes"], one["share"]) == (K, 75 * K, K / N)
    assert (whole["outcomes"], whole["share"], whole["sampled"]) == (75 * N, 1.0, False)
    width = (board.loc["one", "mean_corruption_error_high"] - board.loc["one", "mean_corruption_error_low"]) / 2
    assert one["half_width"] == pytest.approx(width)
    assert np.isnan(one["half_width_doubled"]), "images are under several conditions: no law says what more would give"
    assert np.isnan(whole["half_width_doubled"]), "there is no more to buy"


def test_what_twice_the_cost_buys_while_no_image_is_under_two_conditions(tmp_path, make_spec, provenance):
    store = Store(str(tmp_path / "store"))
    write_samples(store, "one", errors_of(1), make_spec, provenance, k=2)
    entries = with_protocols(read_entries(store))
    row = budget_table(leaderboard(entries), entries).iloc[0]
    assert (row["outcomes"], row["set_images"]) == (150, N)
    assert row["half_width_doubled"] == pytest.approx(row["half_width"] / 2**0.5)


def test_samples_are_compared_in_pairs(entries):
    one, two = (entry for entry in entries if entry.label != "whole")
    comparison = compare(one, [two])
    row = comparison.differences.set_index("metric").loc["mean_corruption_error"]
    values = [sum(row[name] for name in ("baseline_value", "difference")), row["candidate_value"]]
    assert values[0] == pytest.approx(values[1])
    alone = np.hypot(*(_width(entry) for entry in (one, two)))
    assert (row["difference_high"] - row["difference_low"]) / 2 < 0.95 * alone, "shared images make it narrower"
    assert comparison.conditions["regressed"].sum() + comparison.conditions["fixed"].sum() > 0
    assert set(comparison.images["image_id"]) <= {f"image_{i}" for i in range(N)}
    assert comparison.images["label"].tolist() == [
        int(str(name).removeprefix("image_")) % 10 for name in comparison.images["image_id"]
    ]


def _width(entry):
    row = leaderboard([entry]).table.iloc[0]
    return (row["mean_corruption_error_high"] - row["mean_corruption_error_low"]) / 2

"""Shape against texture in the report: one row a classifier, humans in the same tables, pairs on the same images."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.data.categories import CATEGORY_NUMBERS
from bench.data.decisions import read_decisions
from bench.errors import DataError
from bench.records import Condition, Outcomes
from bench.reports import write_report
from bench.reports.entries import read_entries
from bench.reports.missing import missing_cells
from bench.reports.protocols import with_protocols
from bench.reports.shape.plots import category_plot, consistency_plot, observed_plot
from bench.reports.shape.tables import consistency_sentences, decision_makers, decision_tables, imported_specs
from bench.reports.tables import leaderboard
from bench.results import Store
from bench.tasks import import_decisions
from bench.tasks.import_decisions import imported_spec

HOSTILE = "</script><img src=x>"
SHOWN = [("cat", "dog"), ("cat", "oven"), ("dog", "cat"), ("dog", "oven"), ("oven", "cat"), ("oven", "oven")]
SHAPES, TEXTURES = [shape for shape, _ in SHOWN], [texture for _, texture in SHOWN]


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "store"))


@pytest.fixture
def decide(store, make_spec, provenance):
    """Write one decision maker's cell; ``kind`` makes it an imported one."""

    def write(name, decisions, *, kind=None, shown=SHOWN, **changes):
        parameters = {"categories": "imagenet"} if kind is None else {"categories": "imported", "decision_maker": kind}
        spec = make_spec(
            classifier=name,
            benchmark="cue_conflict",
            condition=Condition("cue_conflict"),
            parameters=parameters,
            n_images=len(shown),
            **{"dataset": "cue_conflict", "crop": "whole", **changes},
        )
        shapes, textures = np.array(shown).T
        outcomes = Outcomes(
            image_id=np.array([f"{shape}/{shape}1-{texture}1.png" for shape, texture in shown]),
            label=np.array([CATEGORY_NUMBERS[shape] for shape in shapes]),
            prediction=np.array([CATEGORY_NUMBERS.get(decision, -1) for decision in decisions]),
            confidence=np.full(len(shown), np.nan, np.float32),
            extra={"decision": np.array(decisions), "shape": shapes, "texture": textures},
        )
        store.write_part(spec, outcomes, 0, provenance)

    return write


@pytest.fixture
def clean(store, make_spec, make_outcomes, provenance):
    def write(name, **changes):
        store.write_part(make_spec(classifier=name, **changes), make_outcomes(0, 10), 0, provenance)

    return write


def tables_of(store):
    entries = with_protocols(read_entries(store, allow_none=True))
    return decision_tables(decision_makers(store, entries, imported_specs(store)))


def test_shape_bias_stands_in_the_row_of_the_classifiers_own_dataset(store, decide, clean, tmp_path):
    clean("net")
    decide("net", ["dog", "cat", "dog", "oven", "na", "oven"])  # texture, shape, shape, texture, other; agreeing cues
    decide("subject-01", SHAPES, kind="human")
    write_report(store, tmp_path / "report")
    board = pd.read_csv(tmp_path / "report" / "leaderboard.csv")
    assert board["classifier"].tolist() == ["net"], "humans are no classifiers"
    row = board.iloc[0]
    assert (row["dataset"], row["n_images"], row["clean_accuracy"]) == ("toy", 10, 1)
    assert (row["shape_bias"], row["cue_accuracy"]) == (0.5, 0.8)
    assert row["shape_bias_low"] < 0.5 < row["shape_bias_high"]
    assert (tmp_path / "report" / "stylized_sets.csv").exists() is False


def test_the_columns_come_only_with_the_benchmark(store, clean, tmp_path):
    clean("net")
    write_report(store, tmp_path / "report")
    assert "shape_bias" not in pd.read_csv(tmp_path / "report" / "leaderboard.csv")
    assert not (tmp_path / "report" / "shape_bias.csv").exists()


def test_a_classifier_without_other_images_has_a_row_of_its_own(store, decide, clean):
    clean("net", weights_digest="0001")
    decide("net", SHAPES, weights_digest="0002")
    entries = read_entries(store)
    assert sorted(entry.spec.dataset for entry in entries) == ["cue_conflict", "toy"]


def test_rows_that_saw_different_cue_conflict_sets_are_ranked_together_on_their_main_images_alone(
    store, decide, clean, tmp_path
):
    for name, digest in (("one", "a"), ("two", "a"), ("three", "b")):
        clean(name)
        decide(name, SHAPES, dataset_digest=digest)
    write_report(store, tmp_path / "report")
    ranks = pd.read_csv(tmp_path / "report" / "ranks.csv").set_index(["metric", "label"])["ranked"]
    assert ranks["clean_accuracy"].to_dict() == {"one": 3, "two": 3, "three": 3}
    assert ranks["shape_bias"].to_dict() == {"one": 2, "two": 2, "three": 1}


def test_any_benchmark_on_images_of_its_own_is_a_column_of_the_row_with_its_own_count(
    store, clean, make_spec, make_outcomes, provenance, tmp_path
):
    clean("net")
    sketches = {"dataset": "sketches", "dataset_digest": "s", "n_images": 4, "auxiliary": True}
    store.write_part(
        make_spec(classifier="net", entry="sketch", **sketches), make_outcomes(0, 4, seed=1), 0, provenance
    )
    write_report(store, tmp_path / "report")
    [row] = pd.read_csv(tmp_path / "report" / "leaderboard.csv").to_dict("records")
    assert (row["clean_accuracy"], row["n_images"]) == (1, 10)
    assert (row["sketch_clean_accuracy"], row["sketch_images"], row["sketch_dataset"]) == (0, 4, "sketches")
    page = (tmp_path / "report" / "leaderboard.html").read_text()
    assert "sketch: Clean accuracy" in page
    assert "4 images of sketches" in page


def test_a_benchmark_of_its_own_name_on_other_images_takes_no_column_of_the_main_ones(
    store, clean, make_spec, make_outcomes, provenance
):
    clean("net")
    other = make_spec(classifier="net", dataset="sketches", dataset_digest="s", n_images=4, auxiliary=True)
    store.write_part(other, make_outcomes(0, 4, seed=1), 0, provenance)
    [entry] = with_protocols(read_entries(store))
    assert set(entry.benchmarks) == {"clean", "clean on sketches"}
    assert entry.clean().tolist() == [True] * 10
    table = leaderboard([entry]).table.iloc[0]
    assert (table["clean_accuracy"], table["clean on sketches_clean_accuracy"]) == (1, 0)


def test_every_unit_of_a_benchmark_is_one_measurement(store, clean, make_spec, make_outcomes, provenance):
    clean("net")
    for name, unit in (("rotation", "degrees"), ("low_pass", "sigma")):
        spec = make_spec(classifier="net", benchmark="parametric", condition=Condition(name, 3.0), strength_unit=unit)
        store.write_part(spec, make_outcomes(0, 10), 0, provenance)
    [entry] = read_entries(store)
    assert [condition.name for condition in entry.conditions("parametric")] == ["low_pass", "rotation"]


def test_a_store_of_imports_alone_asks_for_a_sweep(store, decide):
    decide("subject-01", SHAPES, kind="human")
    with pytest.raises(DataError, match="run a sweep first"):
        read_entries(store)


def test_people_and_networks_alone_have_a_report(store, decide, tmp_path):
    decide("subject-01", SHAPES, kind="human")
    decide("alexnet", TEXTURES, kind="network")
    written = write_report(store, tmp_path / "report", ["parquet", "json", "badge", "latex"])
    table = pd.read_csv(tmp_path / "report" / "shape_bias.csv")
    assert table["decision_maker"].tolist() == ["subject-01", "alexnet"]
    assert pd.read_csv(tmp_path / "report" / "leaderboard.csv").empty
    assert "Shape bias by category" in (tmp_path / "report" / "leaderboard.html").read_text()
    for path in written:
        if path.suffix == ".csv":
            pd.read_csv(path)  # raises where a file has no header


def test_all_people_have_a_pooled_row_before_the_single_ones(store, decide):
    decide("subject-02", ["cat", "cat", "dog", "cat", "oven", "oven"], kind="human")  # 4 shape, 0 texture
    decide("subject-01", ["dog", "cat", "dog", "oven", "na", "oven"], kind="human")  # 2 shape, 2 texture
    tables = tables_of(store)
    table = tables.shape_bias.set_index("decision_maker")
    assert table.index.tolist() == ["all people", "subject-01", "subject-02"]
    pooled = table.loc["all people"]
    assert pooled[["kind", "n", "n_conflict", "shape", "texture", "other"]].tolist() == ["people", 12, 10, 6, 2, 2]
    assert (pooled["shape_bias"], pooled["cue_accuracy"]) == (6 / 8, 8 / 10)
    assert pooled["shape_bias_low"] == pooled["shape_bias_bootstrap_low"] < 6 / 8, "images are drawn, not decisions"
    assert pooled["shape_bias_cat"] == 3 / 4
    assert np.isnan(pooled["shape_bias_cat_low"])
    assert len(tables.error_consistency) == 1, "the pool is nobody to agree with"


@pytest.mark.shared_data
def test_the_published_people_are_pooled_over_their_trials(store, shared_data, provenance):
    for decisions in read_decisions(shared_data / "decisions"):
        store.write_part(imported_spec(decisions), import_decisions._outcomes(decisions), 0, provenance)
    table = tables_of(store).shape_bias.set_index("decision_maker")
    people, pooled = table[table["kind"] == "human"], table.loc["all people"]
    for count in ("n", "n_conflict", "shape", "texture", "other"):
        assert pooled[count] == people[count].sum()
    assert pooled["shape_bias"] == pytest.approx(people["shape"].sum() / (people["shape"] + people["texture"]).sum())
    assert round(100 * pooled["shape_bias"], 2) == 95.23  # of these two; the paper's ten have 95.9 %


def test_imported_accuracies_stand_beside_the_classifiers(store, make_spec, make_outcomes, provenance, clean, tmp_path):
    clean("net")
    edges = {"benchmark": "sixteen_way", "entry": "edge", "condition": Condition("sixteen_way"), "dataset": "edge"}
    ours = make_spec(classifier="net", parameters={"categories": "imagenet"}, **edges)
    theirs = make_spec(classifier="subject-01", parameters={"decision_maker": "human"}, **edges)
    store.write_part(ours, make_outcomes(0, 10), 0, provenance)
    store.write_part(theirs, make_outcomes(0, 10, seed=1), 0, provenance)
    write_report(store, tmp_path / "report")
    table = pd.read_csv(tmp_path / "report" / "stylized_sets.csv")
    found = table[["label", "kind", "benchmark", "dataset", "accuracy"]].to_numpy().tolist()
    assert found == [["subject-01", "human", "edge", "edge", 0], ["net", "classifier", "edge", "edge", 1]]
    [row] = pd.read_csv(tmp_path / "report" / "leaderboard.csv").to_dict("records")
    assert (row["classifier"], row["edge_category_accuracy"], row["edge_images"]) == ("net", 1, 10)


def test_a_benchmark_without_figures_of_its_own_makes_no_row_of_dashes_and_no_line_of_what_nobody_asked(
    store, make_spec, make_outcomes, provenance, clean
):
    clean("net")
    spec = make_spec(
        classifier="other", benchmark="parametric", dataset="photographs", condition=Condition("parametric", 1)
    )
    store.write_part(spec, make_outcomes(0, 10), 0, provenance)
    clean("net", dataset="more", dataset_digest="more")
    entries = with_protocols(read_entries(store))
    board = leaderboard(entries)
    assert sorted(board.table["dataset"]) == ["more", "toy"], "rows without any figure of the board are left out"
    assert board.gaps == []
    assert set(board.table["notes"]) == {""}
    assert missing_cells(entries).empty


def test_the_table_counts_by_hand_humans_first(store, decide):
    decide("net", ["dog", "cat", "dog", "oven", "na", "oven"])
    decide("alexnet", TEXTURES, kind="network")
    decide("subject-01", ["cat", "cat", "dog", "cat", "oven", "oven"], kind="human")
    table = tables_of(store).shape_bias.set_index("decision_maker")
    assert table.index.tolist() == ["subject-01", "alexnet", "net"]
    assert table["kind"].tolist() == ["human", "network", "classifier"]
    counts = table[["n", "n_conflict", "shape", "texture", "other"]].to_numpy().tolist()
    assert counts == [[6, 5, 4, 0, 1], [6, 5, 0, 5, 0], [6, 5, 2, 2, 1]]
    assert table["shape_bias"].tolist() == [1, 0, 0.5]
    assert table.loc["net", "shape_bias_cat"] == 0.5
    assert np.isnan(table.loc["net", "shape_bias_oven"]), "no decision of that category follows a cue"


def test_pairs_are_compared_on_the_images_that_both_saw(store, decide):
    decide("subject-01", SHAPES, kind="human")
    decide("subject-02", ["cat", "dog", "dog", "dog", "oven", "oven"], kind="human")
    decide("net", ["cat", "dog", "cat"], shown=[SHOWN[0], SHOWN[1], SHOWN[3]])
    pairs = tables_of(store).error_consistency.set_index(["first", "second"])
    # right: 1 0 0 against 1 0 1 on the three images: o = 2/3, e = 1/3 * 2/3 + 2/3 * 1/3 = 4/9
    row = pairs.loc[("subject-02", "net")]
    assert row["n_images"] == 3
    assert row["observed"] == pytest.approx(2 / 3)
    assert row["expected"] == pytest.approx(4 / 9)
    assert row["kappa"] == pytest.approx((2 / 3 - 4 / 9) / (5 / 9))
    # always right against 5 of 6: as chance has it
    assert pairs.loc[("subject-01", "subject-02"), "kappa"] == pytest.approx(0)
    sentences = consistency_sentences(pairs.reset_index())
    assert sentences[-1] == "Between one human and another, kappa is 0.00 on average."
    assert sentences[0].startswith("Between our classifiers and humans, kappa is 0.20")


def test_pairs_without_a_common_image_have_no_kappa(store, decide):
    decide("net", ["cat"], shown=[SHOWN[0]])
    decide("subject-01", ["dog", "dog"], shown=[SHOWN[2], SHOWN[3]], kind="human")
    row = tables_of(store).error_consistency.iloc[0]
    assert row["n_images"] == 0
    assert np.isnan(row["kappa"])


def test_decision_makers_of_one_name_are_told_apart(store, decide):
    decide("alexnet", SHAPES, kind="network", weights_digest="aaaa0000")
    decide("alexnet", TEXTURES, kind="network", weights_digest="bbbb0000")
    decide("net", SHAPES)
    labels = tables_of(store).shape_bias["decision_maker"].tolist()
    assert labels == ["alexnet · aaaa0000", "alexnet · bbbb0000", "net"]


def test_one_set_of_decisions_stands_once_though_the_classifier_has_two_rows(store, decide, clean):
    clean("net", dataset="one")
    clean("net", dataset="two")
    decide("net", SHAPES)
    assert len(tables_of(store).shape_bias) == 1


def test_the_plots_show_every_decision_maker(store, decide, clean, tmp_path):
    clean(HOSTILE)
    decide(HOSTILE, ["dog", "cat", "dog", "oven", "na", "oven"])
    decide("subject-01", ["cat", "cat", "dog", "cat", "oven", "oven"], kind="human")
    tables = tables_of(store)
    chart = category_plot(tables.shape_bias).to_dict()
    rows = [row for rows in chart["datasets"].values() for row in rows]
    markers = {(row["decision_maker"], row["category"]): row["bias"] for row in rows if "category" in row}
    assert markers == {
        ("subject-01", "cat"): 1,
        ("subject-01", "dog"): 1,
        ("subject-01", "oven"): 1,
        (HOSTILE, "cat"): 0.5,
        (HOSTILE, "dog"): 0.5,
    }
    lines = {row["decision_maker"]: row["bias"] for row in rows if "category" not in row}
    assert lines == {"subject-01": 1, HOSTILE: 0.5}
    points = [row for rows in observed_plot(tables.error_consistency).to_dict()["datasets"].values() for row in rows]
    [pair] = [row for row in points if "pair" in row]
    # right: 0 1 1 0 0 1 and 1 1 1 0 1 1
    assert pair["pair"] == "human and classifier"
    assert pair["observed"] == pytest.approx(4 / 6, abs=1e-4)
    assert pair["expected"] == pytest.approx(1 / 2 * 5 / 6 + 1 / 2 * 1 / 6, abs=1e-4)
    matrix = json.dumps(consistency_plot(tables.error_consistency).to_dict())
    assert matrix.count('"first": "subject-01"') == 1
    write_report(store, tmp_path / "report")
    page = (tmp_path / "report" / "leaderboard.html").read_text()
    assert HOSTILE not in page
    assert "Images whose cues agree are left out: 1 of 6." in page


def test_auxiliary_images_do_not_take_the_place_of_what_was_run_on_the_rows_own_images(
    store, make_spec, make_outcomes, provenance
):
    condition = Condition("low_pass", 3)
    changes = {"classifier": "net", "benchmark": "parametric", "condition": condition}
    store.write_part(make_spec(**changes), make_outcomes(0, 10), 0, provenance)
    other = make_spec(**changes, parameters={"categories": "imagenet"}, dataset="edges")
    store.write_part(other, make_outcomes(0, 10, seed=1), 0, replace(provenance, started="2026-02-01T00:00:00+00:00"))
    [entry] = read_entries(store)
    assert entry.correct("parametric", condition).all()
    assert [variant.parameters["dataset"] for _, variant in entry.older] == ["edges"]


def test_stylized_sets_say_what_was_decided_among(store, make_spec, make_outcomes, provenance, clean, tmp_path):
    clean("net")
    edges = make_spec(
        classifier="net",
        benchmark="sixteen_way",
        entry="edges",
        condition=Condition("sixteen_way"),
        parameters={"categories": "imagenet"},
        dataset="edges",
    )
    low_pass = make_spec(classifier="net", benchmark="parametric", condition=Condition("low_pass", 3))
    for spec, seed in ((edges, 0), (low_pass, 1)):
        store.write_part(spec, make_outcomes(0, 10, seed=seed), 0, provenance)
    write_report(store, tmp_path / "report")
    table = pd.read_csv(tmp_path / "report" / "stylized_sets.csv")
    found = table[["benchmark", "dataset", "decision", "condition", "strength", "accuracy"]].to_numpy().tolist()
    assert sorted(found) == [
        ["clean", "toy", "classes", "clean", 0, 1],
        ["edges", "edges", "categories", "sixteen_way", 0, 1],
        ["parametric", "toy", "classes", "low_pass", 3, 0],
    ]
    assert "Accuracy against manipulation strength" in (tmp_path / "report" / "leaderboard.html").read_text()

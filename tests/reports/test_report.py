"""The report: every figure with its interval, gaps in words, names escaped, nothing fetched."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.corruptions import CORRUPTIONS
from bench.errors import DataError
from bench.records import Condition, Outcomes
from bench.reports import write_report
from bench.reports.entries import read_entries
from bench.reports.missing import missing_cells
from bench.reports.protocols import with_protocols
from bench.reports.tables import condition_accuracies, leaderboard
from bench.results import Store

N = 40
REQUIRED = [
    "classifier",
    "weights_digest",
    "parameters",
    "gmacs",
    "n_images",
    "clean_accuracy",
    "mean_corruption_error",
    "relative_mean_corruption_error",
    "mean_corruption_accuracy",
    "fgsm_robust_accuracy",
    "pgd_robust_accuracy",
    "one_pixel_robust_accuracy",
]
ATTACKS = {
    "fgsm": {"attack": "fgsm", "norm": "linf", "minimal_norm": False, "target": "", "options": {}},
    "pgd": {"attack": "pgd_linf", "norm": "linf", "minimal_norm": False, "target": "", "options": {"steps": 20}},
    "one_pixel": {"attack": "one_pixel", "norm": "pixels", "minimal_norm": False, "target": "", "options": {}},
}


def outcomes(n_correct, epsilon=None):
    labels = np.arange(N) % 7
    predictions = np.where(np.arange(N) < n_correct, labels, labels + 1)
    ids = np.array([f"image_{i}" for i in range(N)])
    extra = {}
    if epsilon is not None:
        fell = np.arange(N) >= n_correct
        extra = {
            "distance": np.full(N, epsilon),
            "success": fell,
            "queries": np.full(N, 21),
            "zero_gradient": np.zeros(N, dtype=np.float32),
            "stage": np.where(fell, "attack", ""),
        }
    return Outcomes(ids, labels, predictions, np.full(N, 0.5, dtype=np.float32), extra)


@pytest.fixture
def fill(make_spec, provenance):
    """Write a whole suite of one classifier; ``skip`` leaves conditions out."""

    def write(store, classifier, *, skip=(), n_clean=36, protocol="published", **changes):
        plan = [("clean", Condition("clean"), n_clean)]
        plan += [("corruption", Condition(name, s), 30 - 4 * s) for name in CORRUPTIONS for s in range(1, 6)]
        plan += [(a, Condition(a, e / 255), 20 - 4 * e) for a in ("fgsm", "pgd") for e in (1, 2, 4)]
        plan += [("one_pixel", Condition("one_pixel", 1), 30)]
        for benchmark, condition, n_correct in plan:
            parameters = ATTACKS.get(benchmark, {})
            if benchmark == "corruption":
                parameters = {"source": "batched", "definition": "imagenet_c", "protocol": protocol}
            spec = make_spec(
                classifier=classifier,
                n_images=N,
                benchmark=benchmark,
                condition=condition,
                parameters=parameters,
                **changes,
            )
            if condition.key not in skip:
                epsilon = condition.strength if benchmark in ATTACKS else None
                store.write_part(spec, outcomes(n_correct, epsilon), 0, provenance)

    return write


@pytest.fixture
def report(tmp_path):
    def write(store):
        write_report(store, tmp_path / "report")
        return pd.read_csv(tmp_path / "report" / "leaderboard.csv"), (tmp_path / "report")

    return write


def test_the_csv_begins_as_promised_with_intervals_beside_every_estimate(tmp_path, fill, report):
    store = Store(str(tmp_path / "store"))
    for classifier in ("one", "two", "three"):
        fill(store, classifier)
    table, folder = report(store)
    assert [name for name in table.columns if not name.endswith(("_low", "_high"))][: len(REQUIRED)] == REQUIRED
    for name in REQUIRED[5:]:
        position = list(table.columns).index(name)
        assert list(table.columns[position + 1 : position + 3]) == [f"{name}_low", f"{name}_high"]
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()
    assert len(table) == 3
    assert table["clean_accuracy"].tolist() == [36 / N] * 3
    assert table["mean_corruption_accuracy"].tolist() == pytest.approx([18 / N] * 3)
    assert table["pgd_robust_accuracy"].tolist() == pytest.approx([4 / N] * 3)
    assert table["pgd_epsilon"].tolist() == pytest.approx([4 / 255] * 3)
    assert {path.name for path in folder.iterdir()} == {
        "leaderboard.csv",
        "leaderboard.md",
        "leaderboard.html",
        "corruptions.csv",
        "epsilons.csv",
        "families.csv",
        "missing.csv",
        "queries.csv",
        "ranks.csv",
        "self_checks.csv",
    }
    assert pd.read_csv(folder / "missing.csv").empty
    assert len(pd.read_csv(folder / "corruptions.csv")) == 3 * 15
    assert len(pd.read_csv(folder / "epsilons.csv")) == 3 * 7


def test_what_is_missing_is_a_gap_in_words_never_a_zero(tmp_path, fill, report):
    store = Store(str(tmp_path / "store"))
    fill(store, "whole")
    fill(store, "gappy", skip=("snow@3", "clean@0"))
    table, folder = report(store)
    gappy = table[table["classifier"] == "gappy"].iloc[0]
    assert gappy[["clean_accuracy", "mean_corruption_error", "mean_corruption_accuracy"]].isna().all()
    assert gappy["fgsm_robust_accuracy"] == pytest.approx(4 / N)
    assert "lacks 1, such as snow severity 3" in gappy["notes"]
    missing = pd.read_csv(folder / "missing.csv")
    assert missing[["label", "benchmark", "condition", "strength", "state"]].to_numpy().tolist() == [
        ["gappy", "clean", "clean", 0, "not run"],
        ["gappy", "corruption", "snow", 3, "not run"],
    ]
    page = (folder / "leaderboard.html").read_text()
    assert "What is missing" in page
    assert "corruption, snow severity 3: not run" in page
    assert "gappy, mCE: it needs all 75 corruption conditions and lacks 1" in (folder / "leaderboard.md").read_text()
    corruptions = pd.read_csv(folder / "corruptions.csv").set_index(["label", "corruption"])
    snow = corruptions.loc[("gappy", "snow")]
    assert snow[["corruption_error", "mean_accuracy", "accuracy_severity_3"]].isna().all()
    assert snow["accuracy_severity_2"] == pytest.approx(22 / N)


def test_a_failed_cell_is_a_gap_with_its_error(tmp_path, fill, report, make_spec, provenance):
    store = Store(str(tmp_path / "store"))
    fill(store, "broken", skip=("clean@0",))
    spec = make_spec(classifier="broken", n_images=N)
    ids = [f"image_{i}" for i in range(N)]
    store.write_failure(spec, ids, 0, provenance, error="NonFiniteLogitsError: <b>NaN</b>", traceback="")
    table, folder = report(store)
    assert "NonFiniteLogitsError" in table.loc[0, "notes"]
    assert "<b>NaN</b>" not in (folder / "leaderboard.html").read_text()


def test_a_failure_that_no_column_shows_is_named_too(tmp_path, fill, report, make_spec, provenance):
    store = Store(str(tmp_path / "store"))
    fill(store, "sound")
    fill(store, "broken", skip=(Condition("pgd", 1 / 255).key,))
    condition = Condition("pgd", 1 / 255)
    spec = make_spec(classifier="broken", n_images=N, benchmark="pgd", condition=condition, parameters=ATTACKS["pgd"])
    store.write_failure(spec, [f"image_{i}" for i in range(N)], 0, provenance, error="OutOfMemory: no", traceback="")
    table, folder = report(store)
    assert table["notes"].isna().all()
    assert "pgd, epsilon 1/255: failed: OutOfMemory: no" in (folder / "leaderboard.html").read_text()


def test_missing_points_break_a_line(tmp_path, fill):
    store = Store(str(tmp_path / "store"))
    fill(store, "sound")
    fill(store, "gappy", skip=(Condition("pgd", 2 / 255).key,))
    entries = with_protocols(read_entries(store))
    rows = condition_accuracies(entries, ["pgd"]).set_index(["label", "strength"])["accuracy"]
    assert np.isnan(rows["gappy", 2 / 255])
    assert rows.notna().sum() == 5


def test_attack_success_counts_the_correctly_classified(tmp_path, fill, report):
    store = Store(str(tmp_path / "store"))
    fill(store, "one")
    _, folder = report(store)
    row = pd.read_csv(folder / "epsilons.csv").query("attack == 'pgd' and epsilon_255 == 4").iloc[0]
    # 36 of 40 correct clean, 4 of them under attack
    assert row["robust_accuracy"] == pytest.approx(4 / 40)
    assert row["attack_success"] == pytest.approx(32 / 36)
    assert row["n_attacked"] == 36


def test_rows_of_one_protocol_are_summarised_at_one_epsilon(tmp_path, fill, report):
    store = Store(str(tmp_path / "store"))
    fill(store, "whole")
    fill(store, "shorter", skip=(Condition("pgd", 4 / 255).key,))
    table, _ = report(store)
    assert table["pgd_epsilon"].tolist() == pytest.approx([4 / 255] * 2)
    assert table.set_index("classifier")["pgd_robust_accuracy"].isna().to_dict() == {"whole": False, "shorter": True}


def test_attacks_of_different_strength_are_marked(tmp_path, fill, report, make_spec, provenance):
    store = Store(str(tmp_path / "store"))
    fill(store, "one")
    fill(store, "two", skip=[Condition("pgd", e / 255).key for e in (1, 2, 4)])
    weaker = {**ATTACKS["pgd"], "options": {"steps": 7}}
    for epsilon in (1, 2, 4):
        condition = Condition("pgd", epsilon / 255)
        spec = make_spec(classifier="two", n_images=N, benchmark="pgd", condition=condition, parameters=weaker)
        store.write_part(spec, outcomes(2, condition.strength), 0, provenance)
    table, folder = report(store)
    assert table.set_index("classifier")["protocol"].to_dict() == {"one": "A", "two": "B"}
    page = (folder / "leaderboard.html").read_text()
    words = "version 1, attack pgd_linf, norm linf, steps"
    assert f"The rows differ in pgd ({words} 20; {words} 7)" in page
    assert page.count("protocol B</span>") == 1


def test_what_the_suite_calls_a_benchmark_moves_no_figure(tmp_path, fill, provenance):
    store = Store(str(tmp_path / "store"))
    fill(store, "net")
    renamed = Store(str(tmp_path / "renamed"))
    for cell in store.cells():
        spec = cell.spec
        if spec.benchmark == "corruption":
            half = "mild" if spec.condition.strength < 3 else "strong"
            spec = replace(spec, entry=half)
        elif spec.benchmark in ATTACKS:
            spec = replace(spec, benchmark="attack")
        rows = store.part(cell.spec, (0, N))
        renamed.write_table(spec, rows, 0, provenance, seconds=1)
    [before, after] = [with_protocols(read_entries(each)) for each in (store, renamed)]
    figures = leaderboard(before).table[REQUIRED[5:]]
    assert not figures.isna().to_numpy().any()
    assert leaderboard(after).table[REQUIRED[5:]].equals(figures)
    assert missing_cells(after).empty


def test_native_and_published_figures_stand_in_rows_of_their_own_and_are_never_ranked_together(tmp_path, fill, report):
    store = Store(str(tmp_path / "store"))
    fill(store, "both")
    fill(store, "both", protocol="native")
    fill(store, "another")
    table, folder = report(store)
    assert set(zip(table["classifier"], table["corruption_protocol"], strict=True)) == {
        ("both", "published"),
        ("both", "native"),
        ("another", "published"),
    }
    letters = table.groupby("corruption_protocol")["protocol"].unique()
    assert [len(found) for found in letters] == [1, 1]
    assert letters["published"][0] != letters["native"][0]
    ranks = pd.read_csv(folder / "ranks.csv")
    ranks = ranks[ranks["metric"] == "mean_corruption_error"].set_index("label")
    assert ranks["ranked"].to_dict() == {"another": 2, "both": 2, "both · native": 1}
    assert (table["clean_accuracy"] == 36 / N).all(), "what knows no such protocol stands in both rows"
    assert "do not compare their mCE with published values" in (folder / "leaderboard.html").read_text()


def test_other_definitions_than_the_published_one_are_called_out(tmp_path, report, make_spec, provenance):
    store = Store(str(tmp_path / "store"))
    parameters = {"source": "reference", "definition": "imagecorruptions"}
    spec = make_spec(n_images=N, benchmark="corruption", condition=Condition("snow", 1.0), parameters=parameters)
    store.write_part(spec, outcomes(3), 0, provenance)
    _, folder = report(store)
    assert "do not compare this mCE with published" in (folder / "leaderboard.html").read_text()


def test_hostile_names_are_text_on_the_page(tmp_path, fill, report):
    store = Store(str(tmp_path / "store"))
    name = "../../<script>alert(1)</script>|\"'</script><!--"
    fill(store, name, dataset="<img src=x onerror=alert(2)>")
    table, folder = report(store)
    assert table.loc[0, "classifier"] == name
    page = (folder / "leaderboard.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert page.count("</script>") == page.count("<script")
    assert "<script>" not in (folder / "leaderboard.md").read_text()
    assert not (tmp_path.parent / "<script>alert(1)<").exists()


def test_the_page_fetches_nothing(tmp_path, fill, report):
    store = Store(str(tmp_path / "store"))
    fill(store, "one")
    _, folder = report(store)
    page = (folder / "leaderboard.html").read_text()
    markup = re.sub(r"(<script[^>]*>).*?</script>", r"\1", page, flags=re.DOTALL)
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"'](?!data:)", markup)
    assert len(page) < 5_000_000


def test_the_page_says_how_little_a_few_images_say(tmp_path, fill, report):
    store = Store(str(tmp_path / "store"))
    fill(store, "one")
    _, folder = report(store)
    page = (folder / "leaderboard.html").read_text()
    # 36 of 40: scipy's exact interval is 76.3 % to 97.2 %
    assert "the 90% clean accuracy of one could be anything between 76% and 97%" in page


def test_rows_of_different_protocols_are_marked(tmp_path, fill, report):
    store = Store(str(tmp_path / "store"))
    fill(store, "one")
    fill(store, "one", dataset="other", dataset_digest="other")
    table, folder = report(store)
    assert len(table) == 2
    page = (folder / "leaderboard.html").read_text()
    assert "The rows differ in dataset" in page
    assert "one · other" in page


def test_the_newest_variant_of_a_benchmark_stands_and_the_others_are_named(
    tmp_path, fill, report, make_spec, provenance
):
    store = Store(str(tmp_path / "store"))
    fill(store, "one")
    later = replace(provenance, started="2027-01-01T00:00:00+00:00")
    for strength in (1, 2, 4):
        spec = make_spec(
            classifier="one",
            n_images=N,
            benchmark="pgd",
            condition=Condition("pgd", strength / 255),
            parameters=ATTACKS["pgd"],
            version="2",
        )
        store.write_part(spec, outcomes(1, strength / 255), 0, later)
    table, folder = report(store)
    assert table["pgd_robust_accuracy"].tolist() == [1 / N]
    assert "Also in the store" in (folder / "leaderboard.html").read_text()


def test_an_empty_store_is_an_error(tmp_path):
    with pytest.raises(DataError, match="is empty: run a sweep first"):
        write_report(Store(str(tmp_path / "store")), tmp_path / "report")


def test_calibration_is_computed_from_the_stored_confidences(tmp_path, fill):
    from bench.reports.calibration import calibration_conditions, calibration_rows
    from bench.reports.entries import read_entries

    store = Store(str(tmp_path / "store"))
    fill(store, "one", skip=("fog@2",))
    cells = calibration_conditions(read_entries(store))
    assert len(cells) == 1 + 75 - 1
    clean = next(row for row in calibration_rows(cells) if row["condition"] == "clean")
    # every confidence is 0.5 and 36 of 40 are right: one bin, |0.9 - 0.5|; Brier 0.25 whatever happens
    assert clean["expected_calibration_error"] == pytest.approx(0.4)
    assert clean["mean_confidence"] == pytest.approx(0.5)
    assert clean["top_label_brier_score"] == pytest.approx(0.25)

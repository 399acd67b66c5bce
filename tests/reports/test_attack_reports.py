"""What a report says of an adversarial evaluation: planted faults are flagged, tables are as worked by hand."""

import numpy as np
import pandas as pd
import pytest

from bench.models.defenses import JPEG
from bench.records import Condition, Outcomes
from bench.reports.attacks.self_checks import self_check_table
from bench.reports.attacks.tables import (
    distance_table,
    epsilon_table,
    query_table,
    robust_accuracy_curves,
    stage_table,
    transfer_table,
)
from bench.reports.entries import read_entries
from bench.reports.protocols import with_protocols
from bench.reports.write import write_report
from bench.results import Store

N = 10


def parameters(attack, *, norm="linf", minimal_norm=False, target="", **options):
    return {"attack": attack, "norm": norm, "minimal_norm": minimal_norm, "target": target, "options": options}


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "store"))


@pytest.fixture
def put(store, make_spec, provenance):
    """Store one cell of ten images of which the first ``n_correct`` are right."""

    def write(
        benchmark,
        strength,
        n_correct,
        params=None,
        *,
        condition=None,
        started=None,
        defense="",
        departure="",
        identity=None,
        **columns,
    ):
        labels = np.zeros(N, dtype=np.int64)
        fell = np.arange(N) >= n_correct
        extra = {}
        if params is not None:
            extra = {
                "distance": np.full(N, float(strength)),
                "success": fell,
                "queries": np.full(N, 5),
                "zero_gradient": np.zeros(N, dtype=np.float32),
                "stage": np.where(fell, benchmark, ""),
            }
        spec = make_spec(
            n_images=N,
            benchmark="attack" if params else benchmark,
            entry=benchmark,
            condition=condition or Condition(benchmark, strength),
            parameters=params or {},
            defense=defense,
            departure=departure,
            **(identity or {}),
        )
        ids = np.array([f"image_{i}" for i in range(N)])
        outcomes = Outcomes(ids, labels, labels + fell, np.full(N, 0.5, np.float32), {**extra, **columns})
        store.write_part(spec, outcomes, 0, provenance)

    return write


def entries(store):
    return with_protocols(read_entries(store))


def failed(store):
    checks = self_check_table(entries(store))
    return set(checks.loc[~checks["passed"].astype(bool), "check"])


def test_a_sound_run_raises_no_flag(store, put):
    put("clean", 0, 9)
    for attack, counts in {"pgd": (9, 4, 1), "noise": (9, 9, 8)}.items():
        for epsilon, n_correct in zip((0, 1 / 255, 4 / 255), counts, strict=True):
            put(attack, epsilon, n_correct, parameters({"pgd": "pgd_linf", "noise": "noise_linf"}[attack]))
    put("square", 4 / 255, 3, parameters("square"))
    checks = self_check_table(entries(store))
    assert checks["passed"].all(), checks["message"].tolist()
    assert set(checks["check"]) == {
        "epsilon_zero", "in_ball", "monotone_in_epsilon", "black_box", "zero_gradients", "noise_control"
    }  # fmt: skip


def test_an_attack_path_that_shows_other_images_is_flagged(store, put):
    put("clean", 0, 9)
    put("fgsm", 0, 7, parameters("fgsm"))
    assert failed(store) == {"epsilon_zero"}


def test_a_perturbation_outside_its_ball_is_flagged(store, put):
    put("pgd", 4 / 255, 1, parameters("pgd_linf"), distance=np.full(N, 5 / 255))
    assert failed(store) == {"in_ball"}


def test_robust_accuracy_that_rises_with_epsilon_is_flagged_but_for_one_step(store, put):
    for attack in ("pgd_linf", "fgsm"):
        put(attack, 1 / 255, 2, parameters(attack))
        put(attack, 4 / 255, 6, parameters(attack))
    checks = self_check_table(entries(store))
    assert checks.loc[~checks["passed"].astype(bool), "attack"].tolist() == ["pgd_linf"]


def test_more_steps_that_help_the_classifier_are_flagged(store, put):
    put("pgd", 4 / 255, 2, parameters("pgd_linf", steps=10))
    put("pgd", 4 / 255, 6, parameters("pgd_linf", steps=40))
    assert failed(store) == {"monotone_in_steps"}


def test_a_black_box_that_beats_the_gradient_is_flagged(store, put):
    put("pgd", 4 / 255, 6, parameters("pgd_linf"))
    put("square", 4 / 255, 2, parameters("square"))
    assert failed(store) == {"black_box"}


@pytest.mark.parametrize("attack", ["hop_skip_jump", "boundary"])
def test_a_smallest_perturbation_found_without_gradients_is_checked_at_the_radii_of_those_with(store, put, attack):
    distance = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.5, 1.5, 1.5, 2.5, np.inf])  # six images withstand 0.7
    put("pgd_l2", 0.7, 8, parameters("pgd_l2", norm="l2"))
    put("smallest", 3.0, 1, parameters(attack, norm="l2", minimal_norm=True), distance=distance)
    checks = self_check_table(entries(store)).set_index("check").loc["black_box"]
    assert not checks["passed"]
    assert checks["message"].startswith(
        "within 0.7, 60.0 % withstand the black-box attack and 80.0 % the white-box one"
    )


def test_the_smallest_perturbations_by_gradient_count_as_white_box(store, put):
    distance = np.where(np.arange(N) < 6, np.inf, 0.5)
    put("ddn", 3.0, 6, parameters("ddn", norm="l2", minimal_norm=True), distance=distance)
    put("pgd_l2", 1.0, 8, parameters("pgd_l2", norm="l2"))
    put("boundary", 3.0, 7, parameters("boundary", norm="l2", minimal_norm=True), distance=distance + 0.2)
    checks = self_check_table(entries(store))
    assert checks.loc[checks["check"] == "black_box", "passed"].tolist() == [True, True], "at 1 and at 3"


def test_no_gradient_attack_is_needed_by_its_short_name(store, put):
    """Which attacks see gradients is declared for each, not a list of names."""
    put("mine", 4 / 255, 6, parameters("LinfAdamProjectedGradientDescentAttack"))
    put("square", 4 / 255, 2, parameters("square"))
    assert failed(store) == {"black_box"}


def test_a_cascade_is_a_black_box_where_square_is_all_of_it_and_white_where_it_is_not_part(store, put):
    put("ce", 4 / 255, 6, parameters("autoattack", stages=["apgd-ce"]))
    put("only_square", 4 / 255, 2, parameters("autoattack", stages=["square"]))
    put("whole", 4 / 255, 1, parameters("autoattack"))
    checks = self_check_table(entries(store))
    assert checks.loc[~checks["passed"].astype(bool), "attack"].tolist() == ["only_square"]


DEPARTURE = "reduced: target_classes 3 of 9, queries 50 of 5000"


def test_an_autoattack_that_is_less_than_standard_says_so_everywhere(store, put, tmp_path):
    put("clean", 0, 9)
    put("autoattack", 4 / 255, 2, parameters("autoattack"))
    put("autoattack", 4 / 255, 5, parameters("autoattack", queries=50, target_classes=3), departure=DEPARTURE)
    write_report(store, tmp_path / "report")
    name = f"autoattack ({DEPARTURE})"
    board = pd.read_csv(tmp_path / "report" / "leaderboard.csv")
    assert board["autoattack_robust_accuracy"].tolist() == [0.2], "the reduced one takes no standard one's place"
    assert board[f"{name}_robust_accuracy"].tolist() == [0.5]
    for file in ("epsilons", "stages"):
        table = pd.read_csv(tmp_path / "report" / f"{file}.csv")
        assert set(table["attack"]) == {"autoattack", name}, file
    checks = pd.read_csv(tmp_path / "report" / "self_checks.csv")
    assert set(checks["attack"]) == {"autoattack", name}
    for file in ("leaderboard.md", "leaderboard.html"):
        text = (tmp_path / "report" / file).read_text()
        assert f"autoattack ({DEPARTURE.replace('_', ' ')}) robust accuracy" in text, file


def test_vanished_gradients_are_flagged(store, put):
    put("pgd", 4 / 255, 6, parameters("pgd_linf"), zero_gradient=np.ones(N, dtype=np.float32))
    assert failed(store) == {"zero_gradients"}


def test_an_attack_no_stronger_than_noise_is_flagged(store, put):
    put("pgd", 4 / 255, 8, parameters("pgd_linf"))
    put("noise", 4 / 255, 7, parameters("noise_linf"))
    assert failed(store) == {"noise_control"}


def test_a_defense_that_only_hides_its_gradient_is_flagged_beside_its_adaptive_figure(store, put, tmp_path):
    for gradient, n_correct in {"naive": 8, "adaptive": 2}.items():
        defense = JPEG(gradient=gradient)
        of_defense = {"defense": defense.describe(), "identity": {"adaptive_defense": defense.adaptive}}
        put("clean", 0, 9, **of_defense)
        put("pgd", 4 / 255, n_correct, parameters("pgd_linf"), **of_defense)
    checks = self_check_table(entries(store)).set_index("check").loc["adaptive_gradient"]
    assert not checks["passed"]
    assert "80.0 %" in checks["message"]
    assert "20.0 %" in checks["message"]
    assert "gradient=naive" in checks["label"]
    write_report(store, tmp_path / "report")
    page = (tmp_path / "report" / "leaderboard.html").read_text()
    assert "gradient masking, not robustness" in page
    assert "gradient=adaptive" in page
    assert 'class="flag"' in page


def test_smallest_perturbations_by_hand(store, put):
    distance = np.array([0.0, 0.1, 0.3, 0.6, np.inf, 2.0, 0.9, 0.95, 0.2, 0.25])
    put("clean", 0, 9)
    put("ddn", 1.0, 1, parameters("ddn", norm="l2", minimal_norm=True), distance=distance)
    table = distance_table(entries(store))
    assert table["n_attacked"].unique().tolist() == [9], "the image that was wrong without an attack is left out"
    assert table["share"].sum() == pytest.approx(7 / 9)
    assert table["beyond"].unique() == pytest.approx([2 / 9])
    curve = robust_accuracy_curves(entries(store)).set_index("strength")["accuracy"]
    assert curve[0.0] == 0.9
    assert curve[0.5] == pytest.approx(5 / N), "0.6, inf, 2.0, 0.9 and 0.95 lie beyond 0.5"
    assert curve[1.0] == pytest.approx(2 / N)


def test_query_curve_by_hand(store, put):
    stage = np.array(["clean", "square", "square", "", *["square"] * 6])
    columns = {"queries": np.array([0, 1, 10, 100, *[50] * 6]), "success": stage != "", "stage": stage}
    put("square", 4 / 255, 1, parameters("square"), **columns)
    curve = query_table(entries(store)).set_index("queries")["success"]
    assert curve[1] == pytest.approx(1 / 9)
    assert curve[curve.index < 10].iloc[-1] == pytest.approx(1 / 9)
    assert curve[(curve.index >= 10) & (curve.index < 50)].unique() == pytest.approx([2 / 9])
    assert curve[100] == pytest.approx(8 / 9), "one image withstood all 100"
    assert (curve.diff().dropna() >= 0).all()


def test_epsilons_stages_and_transfer_by_hand(store, put):
    put("clean", 0, 8)
    stage = np.array([*["apgd-ce"] * 4, *["square"] * 2, *["clean"] * 2, "", ""])
    put("autoattack", 0.5, 2, parameters("autoattack", norm="l2"), stage=stage)
    put("transfer", 4 / 255, 6, condition=Condition("lite0#abc", 4 / 255), identity={"surrogate": "lite0"})
    row = epsilon_table(entries(store)).iloc[0]
    assert (row["norm"], row["epsilon"], row["robust_accuracy"]) == ("l2", 0.5, 0.2)
    assert row["attack_success"] == pytest.approx(6 / 8)
    stages = stage_table(entries(store)).set_index("stage")["images"].to_dict()
    assert stages == {"apgd-ce": 4, "square": 2, "clean": 2, "withstood": 2}
    row = transfer_table(entries(store)).iloc[0]
    assert (row["surrogate"], row["robust_accuracy"]) == ("lite0", 0.6)
    assert row["transfer_success"] == pytest.approx(2 / 8)


def test_the_page_of_every_kind_of_attack(store, put, tmp_path):
    put("clean", 0, 9)
    put("pgd", 4 / 255, 1, parameters("pgd_linf"))
    put("one_pixel", 1, 8, parameters("one_pixel", norm="pixels"))
    put("ddn", 1.0, 1, parameters("ddn", norm="l2", minimal_norm=True), distance=np.linspace(0.1, 1, N))
    put("transfer", 4 / 255, 6, condition=Condition("lite0#abc", 4 / 255), identity={"surrogate": "lite0"})
    write_report(store, tmp_path / "report")
    page = (tmp_path / "report" / "leaderboard.html").read_text()
    for heading in ("Robust accuracy against epsilon", "Smallest perturbations (L2)", "Success against queries"):
        assert heading in page
    assert "Transfer attacks" in page
    assert "One-pixel at 1 pixel" in page
    assert "ddn robust accuracy" in page
    assert pd.read_csv(tmp_path / "report" / "leaderboard.csv")["one_pixel_epsilon"].tolist() == [1.0]

"""The audit in the report: columns on the leaderboard, splits, shortcuts with a verdict, galleries; from known rows."""

import math

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bench.benchmarks.cam_audit import CamAudit, energy_values
from bench.records import Condition, Outcomes
from bench.reports import write_report
from bench.reports.entries import read_entries
from bench.reports.galleries.files import AUDIT, gallery_path
from bench.reports.measured import measured
from bench.reports.protocols import with_protocols
from bench.results import Store

N = 10
IDS = np.array([f"image_{place}" for place in range(N)])
LABELS = np.arange(N) % 3
CORRECT = np.array([True] * 6 + [False] * 4)
ENERGY = np.array([0.9, 0.8, 0.9, 0.8, 0.9, math.nan, 0.2, 0.3, 0.2, 0.3])
HITS = np.where(np.isnan(ENERGY), np.nan, ENERGY > 0.5)
HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "store"))


@pytest.fixture
def write(store, make_spec, provenance):
    def cell(benchmark, correct, extra, *, name="net", condition=None, **changes):
        outcomes = Outcomes(IDS, LABELS, np.where(correct, LABELS, 0 * LABELS + 7), np.full(N, 0.5, np.float32), extra)
        condition = condition or Condition(benchmark)
        spec = make_spec(classifier=name, benchmark=benchmark, condition=condition, n_images=N, **changes)
        store.write_part(spec, outcomes, 0, provenance)

    return cell


@pytest.fixture
def report(store, tmp_path):
    def make():
        write_report(store, tmp_path / "report")
        return tmp_path / "report"

    return make


def audit_columns(*, regions=True):
    columns = {"entropy": np.linspace(0.8, 1, N), "centre_distance": np.linspace(0, 0.9, N)}
    if regions:
        area = np.where(np.isnan(ENERGY), np.nan, 0.5)
        columns |= {"attribution_in_box": ENERGY, "pointing_hit": HITS, "region_share": area}
        columns |= {"centre_energy": area + 0.1, "centre_hit": np.where(np.isnan(ENERGY), np.nan, 1.0)}
    return columns


def shortcut_columns(mass, clean_mass):
    return {
        "clean_correct": np.ones(N),
        "clean_confidence": np.full(N, 0.9, np.float32),
        "moved": np.array([0.0] * 2 + [1.0] * 8),
        "changed_share": np.full(N, 0.04),
        "mass": mass,
        "clean_mass": clean_mass,
    }


def test_the_audit_stands_on_the_leaderboard_and_in_its_table(write, report):
    write("clean", CORRECT, {}, condition=Condition("clean"))
    write("cam_audit", CORRECT, audit_columns())
    folder = report()
    row = pd.read_csv(folder / "leaderboard.csv").iloc[0]
    assert row["cam_attribution_in_box"] == pytest.approx(np.nanmean(ENERGY))
    assert row["cam_attribution_in_box_low"] < row["cam_attribution_in_box"] < row["cam_attribution_in_box_high"]
    assert row["pointing_game"] == pytest.approx(5 / 9)
    assert {"pointing_game_low", "pointing_game_high"} <= set(row.index)
    table = pd.read_csv(folder / "audit.csv").set_index("split")
    assert table.loc["all", "n"] == 10
    assert table.loc["all", "n_without_region"] == 1
    assert table.loc["correct", "attribution_in_box"] == pytest.approx(0.86)
    assert table.loc["wrong", "attribution_in_box"] == pytest.approx(0.25)
    assert table.loc["wrong", "pointing_game"] == 0
    assert table.loc["all", "flat_baseline"] == pytest.approx(0.5)
    assert table.loc["all", "centre_baseline"] == pytest.approx(0.6)
    classes = pd.read_csv(folder / "audit_classes.csv").set_index("class")
    assert classes["n"].tolist() == [4, 3, 3]
    assert classes.loc[0, "wrong_attribution_in_box"] == pytest.approx((0.2 + 0.3) / 2)  # images 6 and 9
    page = (folder / "leaderboard.html").read_text()
    assert "Attribution in the object" in page
    assert "Attribution in box" in page


def test_without_regions_the_figure_is_empty_and_says_why(write, report):
    write("cam_audit", CORRECT, audit_columns(regions=False))
    folder = report()
    row = pd.read_csv(folder / "leaderboard.csv").iloc[0]
    assert math.isnan(row["cam_attribution_in_box"])
    assert "cam_audit was run without object regions" in row["notes"]
    assert "attribution_in_box" not in pd.read_csv(folder / "audit.csv")


def test_who_relies_on_the_tag_is_named(write, report):
    tag = Condition("tag", 0.2)
    moved = shortcut_columns(np.linspace(0.4, 0.6, N), np.full(N, 0.02))
    stayed = shortcut_columns(np.full(N, 0.02), np.linspace(0.01, 0.04, N))
    write("shortcut", ~np.ones(N, bool), moved, name=HOSTILE, condition=tag)
    write("shortcut", ~np.ones(N, bool), stayed, name="net", condition=tag)
    folder = report()
    table = pd.read_csv(folder / "shortcuts.csv").set_index("classifier")
    assert table["relies_on_it"].to_dict() == {HOSTILE: True, "net": False}
    caught = table.loc[HOSTILE]
    assert (caught["clean_accuracy"], caught["accuracy"], caught["accuracy_change"]) == (1, 0, -1)
    assert caught["mass_change"] == pytest.approx(0.48)
    assert (caught["favoured_class"], caught["favoured_share"]) == (7, 0.8)
    page = (folder / "leaderboard.html").read_text()
    assert "is caught relying on the tag: accuracy falls by 100%" in page
    assert HOSTILE not in page


def test_images_without_an_object_in_the_crop_are_absent(write, report):
    columns = shortcut_columns(np.full(N, np.nan), np.full(N, np.nan))
    columns["changed_share"] = np.array([1.0] * 3 + [0.5] * 7)
    write("shortcut", CORRECT, columns, condition=Condition("background_blank", 1.0))
    row = pd.read_csv(report() / "shortcuts.csv").iloc[0]
    assert (row["n"], row["n_absent"]) == (7, 3)
    assert row["accuracy"] == pytest.approx(3 / 7)
    assert math.isnan(row["mass_change"])
    assert math.isnan(row.get("relies_on_it", math.nan))


def test_faithfulness_is_told_against_chance(write, report):
    half = np.array([True] * 5 + [False] * 5)
    columns = {
        "deletion_area": np.where(half, 0.2, np.nan),
        "random_deletion_area": np.where(half, 0.5, np.nan),
        "insertion_area": np.where(half, 0.7, np.nan),
        "random_insertion_area": np.where(half, 0.4, np.nan),
        "head_correlation": np.where(half, 0.3, np.nan),
        "all_correlation": np.where(half, 0.1, np.nan),
        "method_correlation": np.where(half, 0.4, np.nan),
    }
    write("faithfulness", CORRECT, columns)
    folder = report()
    row = pd.read_csv(folder / "faithfulness.csv").iloc[0]
    assert row["n"] == 5
    assert (row["deletion_gain"], row["insertion_gain"]) == (pytest.approx(0.3), pytest.approx(0.3))
    assert "whose every layer is random 0.10" in (folder / "leaderboard.html").read_text()


def test_strips_of_all_classifiers_are_shown_together(write, report, store, tmp_path):
    for name, digest in (("net", "00aa"), ("other", "00bb")):
        write("cam_audit", CORRECT, audit_columns(), name=name, weights_digest=digest)
        spec = next(cell.spec for cell in store.cells() if cell.spec.classifier == name)
        path = gallery_path(tmp_path / "report", digest, spec.dataset_digest, defense="", kind=AUDIT)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
    page = (report() / "leaderboard.html").read_text()
    assert page.count('alt="What the classifiers look at: ') == 2
    assert all(f'<details data-label="{name}" open>' in page for name in ("net", "other")), "to be compared"
    assert "What the classifiers look at" in page
    assert "Adversarial images" not in page


def test_classifiers_that_lack_different_images_are_paired_by_image(write, store):
    for name, absent in (("net", 5), ("other", 0)):
        columns = audit_columns()
        energy = np.linspace(0.1, 1, N)
        energy[absent] = math.nan
        write("cam_audit", CORRECT, columns | {"attribution_in_box": energy}, name=name, weights_digest=name)
    first, second = (energy_values(measured(entry, CamAudit.name)) for entry in with_protocols(read_entries(store)))
    assert len(first) == len(second) == N
    assert first.mean() == pytest.approx(np.nanmean(np.delete(np.linspace(0.1, 1, N), 5)))
    assert np.corrcoef(np.delete(first, [0, 5]), np.delete(second, [0, 5]))[0, 1] == pytest.approx(1)

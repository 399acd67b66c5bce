"""Comparisons: differences worked by hand, flips counted by hand, refusals in words."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from scipy.stats import binomtest

from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.errors import ConfigurationError, DataError
from bench.reports.choose import choose_entry
from bench.reports.comparison import compare
from bench.reports.comparison_page import _gains
from bench.reports.costs import cost_table, effective_robustness_table
from bench.reports.entries import read_entries
from bench.reports.protocols import with_protocols
from bench.results import Store
from bench.tasks import compare as compare_task
from tests.reports.browser import BROWSER, open_page

N = 5000


def right(n_correct, moved=0):
    """Right on the first ``n_correct`` images, but for ``moved`` that changed places with wrong ones."""
    correct = np.arange(N) < n_correct
    correct[:moved] = False
    correct[n_correct : n_correct + moved] = True
    return correct


@pytest.fixture
def store(tmp_path, write_cells):
    store = Store(str(tmp_path / "store"))
    write_cells(store, "base", {"clean": {0.0: right(4000)}, "fgsm": {4 / 255: right(1000)}}, n=N)
    write_cells(store, "copy", {"clean": {0.0: right(4000)}, "fgsm": {4 / 255: right(1000)}}, n=N, weights_digest="01")
    two_points = {"clean": {0.0: right(3900, moved=50)}, "fgsm": {4 / 255: right(1000)}}
    write_cells(store, "worse", two_points, n=N, weights_digest="02")
    return store


def test_a_copy_differs_in_nothing_and_two_points_are_told_apart(store):
    chosen = [choose_entry(store, name) for name in ("copy", "worse")]
    comparison = compare(choose_entry(store, "base"), chosen)
    clean = comparison.differences[comparison.differences["metric"] == "clean_accuracy"].set_index("candidate")
    assert clean.loc["copy", ["difference", "p_value", "verdict"]].tolist() == [0, 1, "undecided"]
    # by hand: right(3900, 50) is wrong on 0..49 and 3950..3999, and right nowhere else anew
    assert clean.loc["worse", "difference"] == pytest.approx(-0.02)
    assert clean.loc["worse", "verdict"] == "worse"
    assert clean.loc["worse", "difference_low"] < -0.02 < clean.loc["worse", "difference_high"] < 0
    exact = binomtest(0, 100, 0.5).pvalue
    assert clean.loc["worse", "p_value"] == pytest.approx(exact / 2, rel=1e-6)  # mid-p of the most extreme table
    conditions = comparison.conditions.set_index(["candidate", "benchmark"])
    assert conditions.loc[("worse", "clean"), ["regressed", "fixed"]].tolist() == [100, 0]
    assert len(comparison.images) == 100
    assert set(comparison.images["clean"]) == {"regressed"}


def test_other_images_are_refused(store, write_cells):
    write_cells(store, "elsewhere", {"clean": {0.0: right(4000)}}, n=N, dataset_digest="ffff")
    with pytest.raises(DataError, match="was run on other images"):
        compare(choose_entry(store, "base"), [choose_entry(store, "elsewhere")])


def test_a_date_chooses_the_weights_of_that_day(tmp_path, write_cells):
    store = Store(str(tmp_path / "dated"))
    write_cells(store, "net", {"clean": {0.0: right(3000)}}, n=N, date="2026-01-01T00:00:00+00:00", weights_digest="01")
    write_cells(store, "net", {"clean": {0.0: right(4000)}}, n=N, date="2026-02-01T00:00:00+00:00", weights_digest="02")
    comparison = compare(choose_entry(store, "net@2026-01-15"), [choose_entry(store, "net@2026-02-15")])
    row = comparison.differences.set_index("metric").loc["clean_accuracy"]
    assert (row["baseline_value"], row["candidate_value"]) == (0.6, 0.8)
    with pytest.raises(ConfigurationError, match="more than one row"):
        choose_entry(store, "net")


def test_effective_robustness_is_the_residual_of_a_logit_line(tmp_path, write_cells):
    store = Store(str(tmp_path / "line"))
    for place, clean in enumerate((1500, 2000, 2500, 3000, 3500)):
        plan = {"clean": {0.0: right(clean)}, "fgsm": {4 / 255: right(clean)}}
        write_cells(store, f"net{place}", plan, n=N, weights_digest=f"{place:02}")
    entries = with_protocols(read_entries(store))
    table = effective_robustness_table(entries, [entry.label for entry in entries])
    fgsm = table[table["metric"] == "fgsm_robust_accuracy"]
    assert fgsm["effective_robustness"].to_numpy() == pytest.approx(np.zeros(5), abs=1e-9)  # all on the diagonal
    assert set(fgsm["classifiers"]) == {5}


def test_effective_robustness_leaves_out_figures_that_are_no_accuracy_under_shift(tmp_path, write_cells):
    store = Store(str(tmp_path / "audited"))
    plan = {"clean": {0.0: right(4000)}, "fgsm": {4 / 255: right(1000)}, "cam_audit": {0.0: right(4000)}}
    write_cells(store, "net", plan, n=N)
    table = effective_robustness_table(with_protocols(read_entries(store)), ["net"])
    assert table["metric"].tolist() == [
        "mean_corruption_accuracy",
        "fgsm_robust_accuracy",
        "pgd_robust_accuracy",
        "one_pixel_robust_accuracy",
    ]


def test_the_front_needs_all_three_of_accuracy_robustness_and_cost(store):
    table = cost_table(with_protocols(read_entries(store)))
    assert set(table["pareto"]) == {""}  # no corruption was run


def run_compare(tmp_path, store, *overrides):
    register_schemas()
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="test"):
        places = [f"store={store.root}", f"reports={tmp_path}", "task=compare"]
        config = compose("config", overrides=[*places, *overrides])
    compare_task.check(config)
    compare_task.run(config)


def test_the_task_writes_its_tables(tmp_path, store, capsys):
    run_compare(tmp_path, store, "baseline=base", "candidate=[copy,worse]")
    folder = tmp_path / "default" / "compare"
    differences = pd.read_csv(folder / "differences.csv")
    assert set(differences["candidate"]) == {"copy", "worse"}
    assert "| worse | Clean accuracy | 80.00 | 78.00 | -2.00 [" in (folder / "compare.md").read_text()
    assert "worse" in capsys.readouterr().out


def test_mistakes_are_refused(tmp_path, store):
    with pytest.raises(ConfigurationError, match="needs both sides"):
        run_compare(tmp_path, store, "baseline=base")
    with pytest.raises(ConfigurationError, match="no classifier 'bass'"):
        run_compare(tmp_path, store, "baseline=bass", "candidate=copy")


@pytest.fixture
def page(store, tmp_path):
    register_schemas()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        places = [f"store={store.root}", f"reports={tmp_path}", "task=compare"]
        compare_task.run(compose("config", overrides=[*places, "baseline=base", "candidate=[copy,worse]"]))
    return tmp_path / "default" / "compare" / "compare.html"


def test_the_page_says_in_words_what_the_tests_say(page):
    text = page.read_text()
    assert "copy is not told apart from base in Clean accuracy, FGSM robust accuracy." in text
    assert "worse is worse than base in Clean accuracy; not told apart from base in FGSM robust accuracy." in text
    # two copies: no discordant image, so nothing is known of what could be told apart
    plots = [json.loads(plot) for plot in re.findall(r'id="plot-\d+">(.*?)</script>', text, re.DOTALL)]
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    assert titles[1:5] == [
        "copy against base",
        "Images won and lost by copy",
        "worse against base",
        "Images won and lost by worse",
    ]
    (gains,) = [rows for rows in plots[2]["datasets"].values() if "gain" in rows[0]]
    clean = next(row for row in gains if row["figure"] == "Clean accuracy")
    assert clean["gain"] == pytest.approx(-2)
    assert clean["low"] < -2 < clean["high"] < 0
    (flips,) = plots[3]["datasets"].values()
    assert {(row["label"], row["which"]): row["images"] for row in flips}[("clean", "lost")] == -100


def test_more_is_better_on_the_page_whichever_way_a_figure_counts():
    shared = {"candidate": "b", "baseline": "a", "difference": 0.5, "difference_low": 0.2, "difference_high": 0.9}
    ways = (("up", "higher"), ("down", "lower"))
    rows = pd.DataFrame(
        [{**shared, "metric": name, "better": better, "verdict": "better", "n": 10} for name, better in ways]
    )
    columns = {name: SimpleNamespace(title=name, percent=False) for name in ("up", "down")}
    gains = {row["figure"]: (row["gain"], row["low"], row["high"]) for row in _gains(rows, columns)}
    assert gains == {"up": (0.5, 0.2, 0.9), "down": (-0.5, -0.9, -0.2)}


@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
def test_the_page_draws_itself_without_a_network_or_an_error(page, tmp_path):
    elements, log = open_page(page, tmp_path / "profile", milliseconds=8000, size="1400,900")
    assert not re.findall(r"CONSOLE.*", log), log
    assert len(re.findall(r'<svg[^>]*class="marks"', elements)) == 4

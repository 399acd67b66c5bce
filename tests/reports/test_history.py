"""History: each day shows what its leaderboard showed, new weights replacing old ones."""

import json
import re
from dataclasses import replace

import hydra
import pandas as pd
import pytest

from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.errors import DataError
from bench.reports.history import history_plots, history_table
from bench.reports.page import render_history
from bench.results import Store
from bench.tasks import history as history_task

HOSTILE = "</script><img src=x>"


def test_each_day_shows_what_was_known_then(tmp_path, write_cells):
    store = Store(str(tmp_path / "store"))
    days = [f"2026-01-0{day}T12:00:00+00:00" for day in (1, 2, 3)]
    write_cells(store, "net", {"clean": {0.0: 20}}, n=40, date=days[0], weights_digest="01")
    write_cells(store, HOSTILE, {"clean": {0.0: 10}, "fgsm": {4 / 255: 4}}, n=40, date=days[1], weights_digest="02")
    write_cells(store, "net", {"clean": {0.0: 30}}, n=40, date=days[2], weights_digest="03")
    history = history_table(store)
    clean = history[history["metric"] == "clean_accuracy"]
    told = {(row["date"], row["classifier"]): row["value"] for row in clean.to_dict("records")}
    assert told == {
        ("2026-01-01", "net"): 0.5,
        ("2026-01-02", "net"): 0.5,
        ("2026-01-02", HOSTILE): 0.25,
        ("2026-01-03", "net"): 0.75,
        ("2026-01-03", HOSTILE): 0.25,
    }
    fgsm = history[history["metric"] == "fgsm_robust_accuracy"]
    assert fgsm["date"].tolist() == ["2026-01-02", "2026-01-03"]
    page = render_history("nightly", ["2026-01-01", "2026-01-03"], history_plots(history))
    assert "<img src=x>" not in page
    assert [plot.title for plot in history_plots(history)] == ["Clean accuracy", "FGSM robust accuracy"]


def test_the_task_writes_the_table_and_a_page_that_plots_it(tmp_path, write_cells):
    store = Store(str(tmp_path / "store"))
    write_cells(store, "net", {"clean": {0.0: 20}}, n=40, date="2026-01-01T12:00:00+00:00", weights_digest="01")
    write_cells(store, "net", {"clean": {0.0: 30}}, n=40, date="2026-01-03T12:00:00+00:00", weights_digest="03")
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        places = [f"store={tmp_path}/store", f"reports={tmp_path}/reports", "name=mine"]
        history_task.run(hydra.compose("config", overrides=["task=history", *places]))
    folder = tmp_path / "reports" / "mine"
    table = pd.read_csv(folder / "history.csv", dtype={"weights_digest": str})
    assert table[["date", "classifier", "weights_digest", "n_images", "metric", "value"]].values.tolist() == [
        ["2026-01-01", "net", "01", 40, "clean_accuracy", 0.5],
        ["2026-01-03", "net", "03", 40, "clean_accuracy", 0.75],
    ]
    # Clopper-Pearson of 20 of 40 and of 30 of 40, as statsmodels has them
    assert table[["low", "high"]].round(3).values.tolist() == [[0.338, 0.662], [0.588, 0.873]]
    page = (folder / "history.html").read_text()
    assert "on each of the 2 days on which something was computed, 2026-01-01 to 2026-01-03" in page
    [spec] = re.findall(r'<script type="application/json" id="plot-\d+">(.*?)</script>', page, re.DOTALL)
    [points] = json.loads(spec)["datasets"].values()
    assert [(point["date"], point["label"], point["value"]) for point in points] == [
        ("2026-01-01", "net · toy", 0.5),
        ("2026-01-03", "net · toy", 0.75),
    ]


def test_an_empty_store_is_said(tmp_path):
    with pytest.raises(DataError, match="has no classifier's outcomes"):
        history_table(Store(str(tmp_path)))


def test_imported_decisions_make_no_day(tmp_path, write_cells, make_spec, make_outcomes, provenance):
    store = Store(str(tmp_path / "store"))
    write_cells(store, "net", {"clean": {0.0: 20}}, n=40)
    human = make_spec(classifier="entry-01", benchmark="cue_conflict", parameters={"decision_maker": "human"})
    store.write_part(human, make_outcomes(0, 10), 0, replace(provenance, started=""))
    assert history_table(store)["date"].unique().tolist() == ["2026-01-01"]


def test_no_row_is_without_a_value(tmp_path, write_cells):
    store = Store(str(tmp_path / "store"))
    write_cells(store, "net", {"clean": {0.0: 20}}, n=40)
    assert not history_table(store)["value"].isna().any()
    assert isinstance(history_table(store), pd.DataFrame)

"""Exports: read back by the formats' own readers, and equal to the CSV file."""

import json
import xml.etree.ElementTree as ET

import altair as alt
import jsonschema
import pandas as pd
import pytest

from bench.errors import ConfigurationError
from bench.reports import write_report
from bench.reports.exports import EXPORTS, badge_svg
from bench.reports.plots import Plot
from bench.results import Store

HOSTILE = "50% <b>&_net_</b>"


@pytest.fixture
def report(tmp_path, write_cells):
    store = Store(str(tmp_path / "store"))
    write_cells(store, "net", {"clean": {0.0: 30}, "fgsm": {4 / 255: 10}}, n=40)
    write_cells(store, HOSTILE, {"clean": {0.0: 20}}, n=40, weights_digest="01")
    files = write_report(store, tmp_path / "report", list(EXPORTS))
    assert all(path.stat().st_size for path in files if path.suffix != ".csv")
    return tmp_path / "report", pd.read_csv(tmp_path / "report" / "leaderboard.csv").set_index("label")


def test_parquet_holds_the_table(report):
    folder, board = report
    table = pd.read_parquet(folder / "leaderboard.parquet").set_index("label")
    assert table["clean_accuracy"].tolist() == board["clean_accuracy"].tolist() == [0.75, 0.5]


def test_json_is_valid_by_the_schema_beside_it(report):
    folder, board = report
    content = json.loads((folder / "leaderboard.json").read_text())
    jsonschema.validate(content, json.loads((folder / "leaderboard.schema.json").read_text()))
    rows = {row["label"]: row for row in content["rows"]}
    assert rows["net"]["figures"]["clean_accuracy"]["low"] == pytest.approx(board.loc["net", "clean_accuracy_low"])
    assert rows[HOSTILE]["figures"]["fgsm_robust_accuracy"]["value"] is None
    assert rows["net"]["figures"]["clean_accuracy"]["rank"] == 1


def test_latex_is_booktabs_with_every_special_character_escaped(report):
    folder, _ = report
    text = (folder / "leaderboard.tex").read_text()
    assert r"\toprule" in text
    assert r"\bottomrule" in text
    assert r"50\% <b>\&\_net\_</b>" in text
    assert "75.0 [58.8, 87.3]" in text


def test_figures_are_svg_and_pdf(report):
    folder, _ = report
    svgs, pdfs = sorted(folder.glob("figures/*.svg")), sorted(folder.glob("figures/*.pdf"))
    assert len(svgs) == len(pdfs) > 0
    for path in svgs:
        ET.parse(path)
    assert all(path.read_bytes().startswith(b"%PDF") for path in pdfs)


def test_the_badge_says_the_first_rows_figure(report):
    folder, _ = report
    texts = [element.text for element in ET.parse(folder / "badge.svg").iter() if element.tag.endswith("text")]
    assert texts == ["snowwolf Clean accuracy", "75.0 %"]


def test_a_badge_escapes_its_texts():
    tree = ET.fromstring(badge_svg('<script>"&', "a<b"))
    assert [element.text for element in tree.iter() if element.tag.endswith("}text")] == ['<script>"&', "a<b"]


def test_a_plot_may_have_more_rows_than_altair_likes():
    rows = pd.DataFrame({"label": [f"net_{i}" for i in range(6000)], "value": 0.5})
    plot = Plot("many", "", alt.Chart(rows).mark_point().encode(x="value:Q"))
    assert sum(map(len, plot.vega_lite()["datasets"].values())) == 6000


def test_unknown_formats_are_refused(tmp_path, write_cells):
    store = Store(str(tmp_path / "store"))
    write_cells(store, "net", {"clean": {0.0: 30}}, n=40)
    with pytest.raises(ConfigurationError, match="did you mean 'latex'"):
        write_report(store, tmp_path / "report", ["latecs"])

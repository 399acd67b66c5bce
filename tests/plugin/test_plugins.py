"""Plug-ins outside the project: one installed by entry point, one named by path; nothing in bench/ knows them."""

import json
import re
import sys
from pathlib import Path

import pandas as pd
import pytest
from plugin_commands import HERE, run_commands

from bench.benchmarks.registry import BUILT_IN, register_benchmark
from bench.errors import ConfigurationError
from bench.plugins import load_plugins
from bench.results import Store

FILES = [HERE / f"{name}.py" for name in ("shade", "brighten", "vignette", "colours", "swatches")]
PLUGINS = f"plugins=[{','.join(map(str, FILES))}]"
SWEEP = [
    PLUGINS,
    "suite=nightly",
    "data=samples",
    "data.source=swatches",
    "data.name=swatches",
    "data.regions=null",
    "benchmarks.corruption.corruptions=[brightness,vignette]",
    "benchmarks.corruption.severities=[1,5]",
    "benchmarks.corruption.protocol=native",
    "benchmarks.corruption.definition=imagenet_c",
    "~benchmarks.fgsm",
    "+benchmarks.shade.name=shade",
    "+benchmarks.red={name: tint}",
    "+benchmarks.blue={name: tint, channel: 2, shares: [0.25, 0.5]}",
    "+benchmarks.brighten={name: attack, attack: brighten, epsilons: [1/255, 16/255], options: {}}",
    "+benchmarks.brighten.norm=null",
    "+benchmarks.brighten.restarts=1",
    "+benchmarks.brighten.target=''",
    "runtime.workers=0",
    "runtime.threads=1",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where the commands run."""
    return tmp_path_factory.mktemp("plugins")


@pytest.fixture(scope="module")
def said(place):
    """What each command printed: two sweeps of one classifier, one of another in a worker process, and the tasks."""
    board = place / "reports" / "default" / "leaderboard.csv"
    sharp = [*SWEEP, "model.name=colours:sharp", "model.alias=sharp"]
    soft = [*SWEEP, "model.name=colours:soft", "model.alias=soft", "engine=processes", "engine.workers=1"]
    commands = {
        "first": sharp,
        "second": sharp,
        "other": soft,
        "report": [PLUGINS, "task=report", "exports=[json,latex]"],
        "compare": [PLUGINS, "task=compare", "baseline=sharp", "candidate=soft"],
        "gate": [PLUGINS, "task=gate", f"baseline={board}"],
        "history": [PLUGINS, "task=history"],
        "alone": [PLUGINS, "benchmark=shade", "model.name=colours:sharp", "data=samples", "data.source=swatches"],
    }
    commands["alone"] += [
        "benchmark.shades=[0.9]",
        "runtime.workers=0",
        f"store={place}/alone",
        f"reports={place}/alone",
    ]
    return dict(zip(commands, run_commands(place, list(commands.values())), strict=True))


FIGURES = ("shade_accuracy", "red_tint_accuracy", "blue_tint_accuracy", "brighten_robust_accuracy")


@pytest.mark.slow
def test_a_sweep_runs_plug_ins_and_goes_on_from_where_it_was(said, place):
    assert "exit code 0" in said["first"], said["first"]
    assert re.search(r"(\d+) cells, \1 already in", said["second"]), said["second"]
    assert "exit code 0" in said["other"], said["other"]
    specs = [cell.spec for cell in Store(str(place / "store")).cells()]
    assert {spec.benchmark for spec in specs} >= {"shade", "tint"}
    assert {spec.dataset for spec in specs} == {"swatches"}
    assert all(cell.complete for cell in Store(str(place / "store")).cells())
    provenance = Store(str(place / "store")).cells()[0].provenance
    assert provenance.plugins["snowwolf-tint"] == "1.2"
    assert "shade.py" in provenance.plugins


@pytest.mark.slow
def test_their_figures_are_on_the_page_and_in_every_file(said, place):
    folder = place / "reports" / "default"
    assert "exit code 0" in said["report"], said["report"]
    board = pd.read_csv(folder / "leaderboard.csv")
    for figure in FIGURES:
        assert board[figure].between(0, 1).all()
        assert (board[f"{figure}_low"] <= board[figure]).all()
    assert (board["shade_shade"] == 0.5).all(), "the strength that the figure is at"
    page = (folder / "leaderboard.html").read_text()
    for words in ("Accuracy in the shade", "red tint accuracy", "The shade is even.", "Shade at shade 0.5"):
        assert words.lower() in page.lower(), words
    content = json.loads((folder / "leaderboard.json").read_text())
    assert {column["name"] for column in content["columns"]} >= set(FIGURES)
    assert "Accuracy in the shade" in (folder / "leaderboard.tex").read_text()
    assert set(pd.read_csv(folder / "ranks.csv")["metric"]) >= set(FIGURES)


@pytest.mark.slow
def test_a_benchmark_of_a_new_axis_has_a_section_without_any_edit(said, place):
    del said
    folder = place / "reports" / "default"
    table = pd.read_csv(folder / "conditions.csv")
    assert set(zip(table["benchmark"], table["axis"], table["strength"], strict=True)) == {
        *(("shade", "Shade", 0.2), ("shade", "Shade", 0.5)),
        *(("red", "tint", 50), ("blue", "tint", 25), ("blue", "tint", 50)),
    }
    assert set(table["classifier"]) == {"sharp", "soft"}
    assert (table["value_low"] <= table["value"]).all()
    board = pd.read_csv(folder / "leaderboard.csv").set_index("label")["shade_accuracy"]
    half = table[(table["benchmark"] == "shade") & (table["strength"] == 0.5)].set_index("label")["value"]
    assert half.to_dict() == board.to_dict()
    page = (folder / "leaderboard.html").read_text()
    for heading in ("Shade: accuracy against shade", "tint, red: accuracy against percent"):
        assert f"<h2>{heading}</h2>" in page


@pytest.mark.slow
def test_the_attack_and_the_corruption_are_in_the_tables_of_their_axes(said, place):
    del said
    folder = place / "reports" / "default"
    corruptions = pd.read_csv(folder / "corruptions.csv").set_index(["label", "corruption"])
    vignette = corruptions.xs("vignette", level="corruption")
    assert set(vignette["family"]) == {"plug-in"}
    assert vignette["accuracy_severity_5"].notna().all()
    assert vignette["corruption_error"].isna().all(), "AlexNet was not measured on it"
    epsilons = pd.read_csv(folder / "epsilons.csv").set_index(["attack", "label", "epsilon_255"])["robust_accuracy"]
    clean = pd.read_csv(folder / "leaderboard.csv").set_index("label")["clean_accuracy"]
    for label in clean.index:
        # nine of twelve swatches have their label's colour; the weakest of them by 15 of 255 levels over the noise
        assert clean[label] == 0.75
        assert epsilons["brighten", label, 1] == 0.75
        assert epsilons["brighten", label, 16] < 0.75
    checks = pd.read_csv(folder / "self_checks.csv")
    assert {"in_ball", "black_box"} <= set(checks.loc[checks["attack"] == "brighten", "check"])
    queries = pd.read_csv(folder / "queries.csv")
    assert "brighten" in set(queries["attack"]), "it declares that images leave at their first success"


@pytest.mark.slow
def test_they_are_compared_gated_and_dated(said, place):
    folder = place / "reports" / "default"
    assert "exit code 0" in said["compare"], said["compare"]
    differences = pd.read_csv(folder / "compare" / "differences.csv")
    assert set(differences["metric"]) >= set(FIGURES)
    effective = pd.read_csv(folder / "compare" / "effective_robustness.csv")
    assert "shade_accuracy" in set(effective["metric"])
    assert "exit code 0" in said["gate"], said["gate"]
    assert "exit code 0" in said["history"], said["history"]
    assert "exit code 0" in said["alone"], said["alone"]
    assert set(pd.read_csv(folder / "history.csv")["metric"]) >= set(FIGURES)


@pytest.mark.slow
def test_without_them_a_report_says_what_is_left_out_and_what_to_install(said, place):
    del said
    board = place / "reports" / "default" / "leaderboard.csv"
    report, gate = run_commands(
        place, [["task=report", "name=without"], ["task=gate", f"baseline={board}", "name=without"]], installed=False
    )
    assert "exit code 0" in report, report
    folder = place / "reports" / "without"
    for file in ("leaderboard.md", "leaderboard.html"):
        text = (folder / file).read_text()
        assert "cells of the benchmark shade (version 1; sharp, soft) are left out" in text
        assert "snowwolf-tint 1.2" in text
    assert "shade_accuracy" not in pd.read_csv(folder / "leaderboard.csv")
    assert "exit code 0" not in gate
    assert "figures that no benchmark installed here declares" in gate


def test_a_file_that_is_none_or_hides_a_module_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="is no Python file"):
        load_plugins([str(tmp_path / "nothing.py")])
    (tmp_path / "json.py").write_text("")
    with pytest.raises(ConfigurationError, match="has the name of the module json"):
        load_plugins([str(tmp_path / "json.py")])
    (tmp_path / "broken_plugin.py").write_text("1 / 0")
    with pytest.raises(ConfigurationError, match=r"broken_plugin\.py cannot be imported: ZeroDivisionError"):
        load_plugins([str(tmp_path / "broken_plugin.py")])
    sys.path.remove(str(tmp_path))


def test_two_benchmarks_of_one_name_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"two benchmarks are called 'clean'.*rename one"):
        register_benchmark(type("Clean", (), {"name": "clean", "version": "1", "strength_unit": ""}))


def test_the_project_knows_neither():
    bench = Path(sys.modules["bench"].__file__).parent
    text = "".join(path.read_text() for path in bench.rglob("*.py"))
    assert "snowwolf_tint" not in text
    assert "shade" not in BUILT_IN

"""The decisions of others: scored as counting by hand does, and stored beside our classifiers' own."""

import csv
import json
import re

import hydra
import pytest

from bench.cli.checks import preflight
from bench.cli.compose import compose
from bench.cli.schemas import register_schemas
from bench.cli.tasks import run_task
from bench.conf_files import CONF
from bench.data.decisions import read_decisions
from bench.errors import ConfigurationError
from bench.results import Store
from bench.tasks import import_decisions, score_decisions
from bench.tasks.import_decisions import imported_spec

register_schemas()
HEADER = "subj,session,trial,rt,object_response,category,condition,imagename\n"


@pytest.fixture
def scores(capsys):
    """What ``task=score_decisions`` prints, read as JSON."""

    def run(path):
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            score_decisions.run(hydra.compose("config", overrides=["task=score_decisions", f"path={path}"]))
        return json.loads(capsys.readouterr().out)["cue_conflict"]

    return run


def count_by_hand(path):
    """Pooled counts with nothing but the csv module."""
    counts = {"n": 0, "n_conflict": 0, "shape": 0, "texture": 0, "other": 0}
    per_category = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            texture = re.sub(r"\d", "", row["imagename"].split("_")[-1].split(".")[0].split("-")[1])
            counts["n"] += 1
            if texture == row["category"]:
                continue
            counts["n_conflict"] += 1
            kind = {row["category"]: "shape", texture: "texture"}.get(row["object_response"], "other")
            counts[kind] += 1
            per_category.setdefault(row["category"], []).append(kind)
    return counts, {
        name: kinds.count("shape") / (kinds.count("shape") + kinds.count("texture"))
        for name, kinds in per_category.items()
    }


@pytest.mark.shared_data
def test_published_decisions_are_scored_as_counted_by_hand_and_as_published(shared_data, scores):
    scores = scores(shared_data / "decisions")
    assert set(scores) == {"alexnet", "subject-01", "subject-02"}
    for name, score in scores.items():
        [file] = (shared_data / "decisions").glob(f"*_{name}_*.csv")
        counts, per_category = count_by_hand(file)
        assert {key: score[key] for key in counts} == counts
        assert score["shape_bias"] == pytest.approx(counts["shape"] / (counts["shape"] + counts["texture"]))
        assert score["cue_accuracy"] == pytest.approx((counts["shape"] + counts["texture"]) / counts["n_conflict"])
        assert score["per_category"] == pytest.approx(per_category)
        assert (score["n"], score["n_conflict"]) == (1280, 1200)
    assert round(100 * scores["alexnet"]["shape_bias"], 1) == 42.9  # Geirhos et al. 2019
    assert scores["subject-01"]["shape_bias"] > 0.9
    assert scores["subject-02"]["shape_bias"] > 0.9


def test_a_decision_maker_that_follows_no_cue_has_no_shape_bias(tmp_path, scores):
    (tmp_path / "a.csv").write_text(HEADER + "subject-09,1,1,1,na,dog,0,x_dog3-cat2.png\n")
    score = scores(tmp_path / "a.csv")["subject-09"]
    assert score["shape_bias"] is None
    assert score["per_category"] == {"dog": None}
    assert (score["other"], score["cue_accuracy"]) == (1, 0)


def test_an_import_is_stored_once(tmp_path, caplog, monkeypatch):
    rows = ["subject-01,1,1,1,cat,dog,0,x_dog3-cat2.png", "subject-01,1,2,1,na,cat,0,x_cat3-dog2.png"]
    (tmp_path / "a.csv").write_text(HEADER + "\n".join(rows) + "\n")
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(["task=import_decisions", f"path={tmp_path / 'a.csv'}", f"store={tmp_path / 'store'}"])
    monkeypatch.setattr(import_decisions, "command_line", lambda: "a command")  # Hydra runs no job here
    caplog.set_level("INFO")
    for state in ("imported", "in the store already"):
        run_task(config)
        assert f"subject-01: 2 decisions {state}" in caplog.text
    store = Store(str(tmp_path / "store"))
    [cell] = store.cells()
    assert cell.complete
    assert cell.provenance.started, "an undated cell would be a day of its own"
    assert (cell.spec.classifier, cell.spec.benchmark) == ("subject-01", "cue_conflict")
    assert cell.spec.decision_maker == "human"
    rows = store.outcomes(cell.spec)
    assert rows["image_id"].tolist() == ["cat/cat3-dog2.png", "dog/dog3-cat2.png"]
    assert rows["decision"].tolist() == ["na", "cat"]
    assert rows["correct"].tolist() == [False, False]


def test_trials_on_edges_are_scored_and_imported_as_accuracy(tmp_path, capsys):
    file = tmp_path / "edge-experiment_subject-01_session_1.csv"
    trials = ["subject-01,1,1,0.8,knife,oven,0,0001_edg_s01_0_oven_00_oven10.png"]
    trials += ["subject-01,1,2,0.9,oven,oven,0,0002_edg_s01_0_oven_00_oven3.png"]
    file.write_text(HEADER + "\n".join(trials) + "\n")
    [decisions] = read_decisions(file)
    spec, outcomes = imported_spec(decisions), import_decisions._outcomes(decisions)
    assert (spec.benchmark, spec.entry, spec.dataset) == ("sixteen_way", "edge", "edge")
    assert outcomes.image_id.tolist() == ["oven/oven10.png", "oven/oven3.png"]
    assert outcomes.correct.tolist() == [False, True]
    assert set(outcomes.extra) == {"decision"}
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        score_decisions.run(hydra.compose("config", overrides=["task=score_decisions", f"path={file}"]))
    assert json.loads(capsys.readouterr().out) == {"edge": {"subject-01": {"n": 2, "accuracy": 0.5}}}


@pytest.mark.parametrize("task", ["score_decisions", "import_decisions"])
@pytest.mark.parametrize(("overrides", "message"), [([], "needs path="), (["path=/no/such"], "no CSV file")])
def test_a_path_without_decisions_is_refused_before_any_work(task, overrides, message):
    with pytest.raises(ConfigurationError, match=message):
        preflight([f"task={task}", *overrides])

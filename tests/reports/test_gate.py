"""The gate: the same store passes; a planted regression, a missing cell and a missing classifier are named."""

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir

from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.errors import ConfigurationError, DataError
from bench.reports import write_report
from bench.results import Store
from bench.tasks import gate

N = 5000
PLAN = {"clean": {0.0: 4000}, "fgsm": {1 / 255: 2500, 4 / 255: 1000}}


@pytest.fixture
def baseline(tmp_path, write_cells):
    store = Store(str(tmp_path / "then"))
    for classifier in ("steady", "other"):
        write_cells(store, classifier, PLAN, n=N)
    write_report(store, tmp_path / "report")
    return store


def run_gate(tmp_path, store, *overrides):
    register_schemas()
    places = [f"store={store.root}", f"reports={tmp_path}", "task=gate"]
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="test"):
        config = compose("config", overrides=[*places, *overrides])
    try:
        gate.run(config)
    except SystemExit as exit_:
        return exit_.code, (tmp_path / "default" / "gate.md").read_text()
    return 0, (tmp_path / "default" / "gate.md").read_text()


@pytest.fixture(params=["store", "csv"])
def against(request, tmp_path, baseline):
    if request.param == "store":
        return f"baseline_store={baseline.root}"
    return f"baseline={tmp_path}/report/leaderboard.csv"


def test_rows_of_one_classifier_are_told_apart_and_held_against_themselves(tmp_path, write_cells):
    then, now = Store(str(tmp_path / "then")), Store(str(tmp_path / "now"))
    for store, right in ((then, 4000), (now, 3000)):
        write_cells(store, "net", {"clean": {0.0: 4000}}, n=N, dataset="one", dataset_digest="01", weights_digest="01")
        write_cells(store, "net", {"clean": {0.0: right}}, n=N, dataset="two", dataset_digest="02", weights_digest="01")
        write_cells(store, "net", {"clean": {0.0: 2000}}, n=N, dataset="two", dataset_digest="02", weights_digest="02")
    code, text = run_gate(tmp_path, now, f"baseline_store={then.root}")
    assert code == 1
    assert "failed: 1 worse, 0 missing" in text
    assert "| net · two · 01 | Clean accuracy | 80.00 | 60.00 |" in text


def test_the_same_store_passes(tmp_path, baseline, against):
    code, text = run_gate(tmp_path, baseline, against)
    assert code == 0
    assert text.startswith("### Snowwolf gate passed")
    assert "4 of 4 figures hold" in text


def test_a_planted_regression_closes_it_and_is_named(tmp_path, write_cells, against):
    today = Store(str(tmp_path / "now"))
    write_cells(today, "steady", PLAN, n=N)
    write_cells(today, "other", {**PLAN, "fgsm": {1 / 255: 2500, 4 / 255: 850}}, n=N)  # 3 points lost
    code, text = run_gate(tmp_path, today, against)
    assert code == 1
    assert "failed: 1 worse, 0 missing" in text
    assert "| other | FGSM robust accuracy | 20.00 | 17.00 |" in text
    assert "steady" not in text


def test_a_loss_within_the_tolerance_passes(tmp_path, write_cells, against):
    today = Store(str(tmp_path / "now"))
    for classifier in ("steady", "other"):
        write_cells(today, classifier, {**PLAN, "fgsm": {1 / 255: 2500, 4 / 255: 850}}, n=N)
    assert run_gate(tmp_path, today, against, "tolerance=3.5")[0] == 0


def test_a_loss_that_chance_explains_passes(tmp_path, write_cells, baseline):
    generator = np.random.default_rng(0)
    right = np.arange(N) < 1000
    swapped = generator.permutation(N)[:400]
    noisy = right.copy()
    noisy[swapped] = ~noisy[swapped]
    noisy[np.flatnonzero(noisy)[: int(noisy.sum()) - 990]] = False  # 0.2 points lost, hundreds of images moved
    today = Store(str(tmp_path / "now"))
    for classifier in ("steady", "other"):
        write_cells(today, classifier, {**PLAN, "fgsm": {1 / 255: 2500, 4 / 255: noisy}}, n=N)
    assert run_gate(tmp_path, today, f"baseline_store={baseline.root}", "tolerance=0")[0] == 0


def test_a_missing_benchmark_and_a_missing_classifier_close_it(tmp_path, write_cells, against):
    today = Store(str(tmp_path / "now"))
    write_cells(today, "steady", {"clean": PLAN["clean"]}, n=N)
    code, text = run_gate(tmp_path, today, against)
    assert code == 1
    assert "failed: 0 worse, 3 missing" in text
    assert "| steady | FGSM robust accuracy | 20.00 | fgsm was not run |" in text
    assert "| other | Clean accuracy | 80.00 | the classifier was not run on these images |" in text


def test_another_epsilon_is_not_the_same_figure(tmp_path, write_cells, against):
    today = Store(str(tmp_path / "now"))
    for classifier in ("steady", "other"):
        write_cells(today, classifier, {"clean": PLAN["clean"], "fgsm": {1 / 255: 2500}}, n=N)
    code, text = run_gate(tmp_path, today, against)
    assert code == 1
    assert "0 worse, 2 missing" in text
    assert "epsilon" in text


def test_mistakes_are_refused(tmp_path, baseline):
    with pytest.raises(ConfigurationError, match="needs one baseline"):
        run_gate(tmp_path, baseline)
    with pytest.raises(ConfigurationError, match="no baseline at"):
        run_gate(tmp_path, baseline, "baseline=nowhere.csv")
    pd.DataFrame({"a": [1]}).to_csv(tmp_path / "other.csv")
    with pytest.raises(DataError, match=r"is no leaderboard\.csv"):
        run_gate(tmp_path, baseline, f"baseline={tmp_path}/other.csv")

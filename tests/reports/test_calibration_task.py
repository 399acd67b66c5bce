"""``task=calibration`` writes the figures of its definition for each clean and corrupted cell."""

import hydra
import numpy as np
import pandas as pd
import pytest

from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.errors import DataError
from bench.records import Condition, Outcomes
from bench.results import Store
from bench.tasks import calibration

N = 45
CONFIDENCE = np.linspace(0.12, 0.98, N).astype(np.float32)[::-1]
CORRECT = {"clean": np.arange(N) % 3 > 0, "fog": np.arange(N) % 2 > 0, "noise": np.ones(N, dtype=bool)}


def compose(tmp_path):
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        places = [f"store={tmp_path}/store", f"reports={tmp_path}/reports", "name=mine"]
        return hydra.compose("config", overrides=["task=calibration", *places])


def equal_width(confidence, correct):
    """Sum over the bins ((b-1)/15, b/15] of their share times |accuracy - mean confidence|."""
    total = 0.0
    for b in range(1, 16):
        held = [i for i in range(N) if (b - 1) / 15 < float(confidence[i]) <= b / 15]
        total += abs(sum(float(correct[i]) - float(confidence[i]) for i in held)) / N
    return total


def equal_mass(confidence, correct):
    """The same over 15 bins of three images each, in the order of their confidence."""
    order = np.argsort(confidence)
    return sum(abs(sum(float(correct[i]) - float(confidence[i]) for i in order[k : k + 3])) for k in range(0, N, 3)) / N


def test_the_table_holds_the_figures_of_every_complete_cell(tmp_path, make_spec, provenance):
    store = Store(str(tmp_path / "store"))
    labels, ids = np.arange(N) % 7, np.array([f"image_{i}" for i in range(N)])
    for benchmark, condition in [
        ("clean", Condition("clean")),
        ("corruption", Condition("fog", 3.0)),
        ("noise", Condition("noise", 0.1)),  # an attack has no calibration
    ]:
        spec = make_spec(classifier="net", n_images=N, benchmark=benchmark, condition=condition)
        correct = CORRECT[condition.name]
        outcomes = Outcomes(ids, labels, np.where(correct, labels, labels + 1), CONFIDENCE)
        store.write_part(spec, outcomes, 0, provenance)
    half = make_spec(classifier="net", n_images=N, benchmark="corruption", condition=Condition("snow", 1.0))
    store.write_part(half, Outcomes(ids[:9], labels[:9], labels[:9], CONFIDENCE[:9]), 0, provenance)
    calibration.run(compose(tmp_path))
    table = pd.read_csv(tmp_path / "reports" / "mine" / "calibration.csv")
    assert table[["label", "dataset", "condition", "severity", "n_images"]].values.tolist() == [
        ["net", "toy", "clean", 0, N],
        ["net", "toy", "fog", 3, N],
    ]
    for row in table.to_dict("records"):
        correct = CORRECT[row["condition"]]
        assert row["accuracy"] == pytest.approx(correct.mean())
        assert row["mean_confidence"] == pytest.approx(CONFIDENCE.mean())
        assert row["expected_calibration_error"] == pytest.approx(equal_width(CONFIDENCE, correct))
        assert row["adaptive_calibration_error"] == pytest.approx(equal_mass(CONFIDENCE, correct))
        assert row["top_label_brier_score"] == pytest.approx(np.mean((CONFIDENCE - correct) ** 2))
        for name in ("accuracy", "mean_confidence", "top_label_brier_score"):
            assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]


def test_a_store_without_such_a_cell_is_refused(tmp_path, make_spec, provenance):
    spec = make_spec(n_images=1, benchmark="parametric", condition=Condition("uniform_noise", 0.1))
    one = np.zeros(1, dtype=np.int64)
    Store(str(tmp_path / "store")).write_part(
        spec, Outcomes(np.array(["a"]), one, one, np.ones(1, np.float32)), 0, provenance
    )
    with pytest.raises(DataError, match="no complete clean or corruption cell"):
        calibration.run(compose(tmp_path))
    assert not (tmp_path / "reports" / "mine" / "calibration.csv").exists()

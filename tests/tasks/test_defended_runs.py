"""``defense=NAME`` from the command line to the store: its identity, and the gradient its attacks were given."""

import os
import subprocess
import sys

import numpy as np
import pytest

from bench.conf_files import CONF
from bench.results import Store


@pytest.mark.slow
def test_a_defended_classifier_is_attacked_by_each_gradient_and_stored_under_its_own_identity(tmp_path):
    command = [
        sys.executable, str(CONF.parent / "run.py"), "-m",
        "defense=bit_depth", "defense.bits=4", "defense.gradient=naive,adaptive",
        "benchmark=fgsm", "benchmark.epsilons=[0,2/255]", "data.limit=4",
        f"store={tmp_path / 'store'}", f"reports={tmp_path}", f"hydra.sweep.dir={tmp_path}/out",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=CONF.parent)
    assert done.returncode == 0, done.stderr
    store = Store(str(tmp_path / "store"))
    found = {(cell.spec.defense, cell.spec.condition.strength): store.outcomes(cell.spec) for cell in store.cells()}
    naive, adaptive = (f"bit_depth(bits=4, gradient={gradient})" for gradient in ("naive", "adaptive"))
    assert found.keys() == {(defense, epsilon) for defense in (naive, adaptive) for epsilon in (0, 2 / 255)}
    for column in ("prediction", "confidence"):
        assert np.array_equal(found[naive, 0][column], found[adaptive, 0][column])
    attacked = found[naive, 0]["correct"].to_numpy()
    assert attacked.any()
    assert (found[naive, 2 / 255]["zero_gradient"][attacked] == 1).all()
    assert (found[adaptive, 2 / 255]["zero_gradient"][attacked] < 0.1).all()
    assert found[adaptive, 2 / 255]["correct"].sum() < found[naive, 2 / 255]["correct"].sum()

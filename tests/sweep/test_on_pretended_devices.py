"""Whole sweeps on pretended accelerators leave the rows that a sweep on the CPU leaves."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from bench.results import Store

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "tests" / "sweep" / "enter_pretended_device.py"
SETTINGS = [
    "suite=quickstart",
    "model.name=test_resnet",
    "model.alias=little",
    "data=samples",
    "budget=4000",
    "benchmarks.one_pixel.options.population=20",
    "benchmarks.one_pixel.options.generations=5",
    f"plugins=[{PLUGIN}]",
    "runtime.workers=0",
    "runtime.threads=1",
    "reports=null",
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """timm's little network with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = timm.create_model("test_resnet")
    path = tmp_path_factory.mktemp("weights") / "little.pt"
    torch.save(network.state_dict(), path)
    return path


def sweep(store, checkpoint, *settings):
    command = [sys.executable, str(ROOT / "run.py"), *SETTINGS, f"model.checkpoint={checkpoint}", f"store={store}"]
    command += settings
    done = subprocess.run(command, capture_output=True, text=True, cwd=store.parent, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return {(cell.spec.entry, cell.spec.condition.key): cell.spec for cell in Store(str(store)).cells()}


def assert_same_rows(left, right, left_specs, right_specs):
    assert left_specs.keys() == right_specs.keys()
    assert len(left_specs) == 92
    for key, spec in left_specs.items():
        assert spec.cell_id == right_specs[key].cell_id
        ours = Store(str(left)).outcomes(spec, sampled=True).sort_values("image_id")
        theirs = Store(str(right)).outcomes(right_specs[key], sampled=True).sort_values("image_id")
        assert list(ours.columns) == list(theirs.columns)
        for column in ours.columns:
            values, others = ours[column].to_numpy(), theirs[column].to_numpy()
            same = np.array_equal(values, others, equal_nan=values.dtype.kind == "f")
            assert same, (key, column)


@pytest.mark.slow
def test_four_devices_leave_the_cpus_rows(tmp_path, checkpoint):
    here = sweep(tmp_path / "cpu", checkpoint, "runtime.device=cpu")
    four = sweep(tmp_path / "four", checkpoint, "runtime.device=pretended", "engine=processes", "engine.threads=1")
    assert_same_rows(tmp_path / "cpu", tmp_path / "four", here, four)

"""The main job on a real model and real images: killed at any moment, it goes on and ends in the same store."""

import os
import subprocess
import sys

import pytest
import timm
import torch
from sweeps import assert_equal_stores, frames, killed_after

from bench.conf_files import CONF
from bench.results import Store

RUN = [sys.executable, str(CONF.parent / "run.py")]
JOB = [
    "benchmark=corruption",
    "benchmark.corruptions=[contrast,gaussian_noise]",
    "benchmark.severities=[3]",
    "data.limit=12",
    "runtime.batch_size=2",
]


def command(place, *overrides):
    return [*RUN, *JOB, f"store={place / 'store'}", f"reports={place}", f"hydra.run.dir={place}/out", *overrides]


def run(place, *overrides):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command(place, *overrides), capture_output=True, text=True, check=False, env=environment, cwd=CONF.parent
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    place = tmp_path_factory.mktemp("uninterrupted")
    run(place)
    return frames(place)


@pytest.mark.proof
def test_sigkill_in_the_middle_of_a_cell_loses_only_open_chunks(tmp_path, uninterrupted):
    killed_after(3, command(tmp_path, "runtime.chunk=2"))
    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("0*.parquet")}
    assert len(parts) == 3
    run(tmp_path, "runtime.chunk=2")
    assert_equal_stores(frames(tmp_path), uninterrupted)
    assert all(path.stat().st_mtime_ns == before for path, before in parts.items()), "stored parts were left alone"
    assert "2 already in" in run(tmp_path, "runtime.chunk=3"), "a third run computes nothing"


@pytest.mark.slow
def test_chunks_and_workers_leave_no_trace(tmp_path, uninterrupted):
    run(tmp_path, "runtime.chunk=5", "runtime.workers=2")
    whole = {key: frame.drop(columns="confidence") for key, frame in frames(tmp_path).items()}
    assert_equal_stores(whole, {key: frame.drop(columns="confidence") for key, frame in uninterrupted.items()})


@pytest.mark.slow
def test_a_failed_cell_is_a_record_a_summary_and_exit_code_1(tmp_path):
    network = timm.create_model("resnet18", num_classes=1000)
    network.fc.bias.data.fill_(float("nan"))
    torch.save(network.state_dict(), tmp_path / "nan.pth")
    done = subprocess.run(
        [
            *RUN,
            "-m",
            "benchmark=clean",
            "data.limit=2",
            "model.name=resnet18",
            f"model.checkpoint={tmp_path}/nan.pth,null",
            "model.weights=random",
            f"store={tmp_path}/store",
            f"reports={tmp_path}",
            f"hydra.sweep.dir={tmp_path}/out",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=CONF.parent,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        "snowwolf: missing: 1 of 1 cells of resnet18+nan (clean clean@0: NonFiniteLogitsError: 2 of 2"
    )
    failed, whole = sorted(Store(str(tmp_path / "store")).cells(), key=lambda cell: cell.complete)
    assert "judge" in failed.failures[0].traceback
    assert whole.complete, "the other classifier of the sweep was not held up"
    page = (tmp_path / "default" / "leaderboard.html").read_text()
    assert "NonFiniteLogitsError" in page

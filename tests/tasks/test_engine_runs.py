"""The main job on real engines: the rows of one process, whoever is killed."""

import os
import signal
import subprocess
import sys
import time

import hydra
import pytest
from stores import assert_equal_stores, frames

from bench.tasks.cli import CONF
from bench.tasks.config import register_schemas

JOB = [
    "suite=quickstart",
    "~benchmarks.pgd",
    "~benchmarks.noise",
    "~benchmarks.one_pixel",
    "~benchmarks.cam_audit",
    "~benchmarks.cue_conflict",
    "benchmarks.corruption.corruptions=[contrast,gaussian_noise]",
    "benchmarks.corruption.severities=[3]",
    "benchmarks.fgsm.epsilons=[0.01]",
    "runtime.batch_size=5",
    "runtime.chunk=5",
    "runtime.workers=0",
    "runtime.threads=1",
]
TWO = ["engine.workers=2", "engine.threads=1"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(place, *overrides):
    own = [f"store={place}/store", f"reports={place}", f"hydra.run.dir={place}/out"]
    return [sys.executable, str(CONF.parent / "run.py"), *JOB, *own, *overrides]


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    place = tmp_path_factory.mktemp("local")
    done = subprocess.run(command(place), capture_output=True, text=True, env=ENVIRONMENT, cwd=CONF.parent)
    assert done.returncode == 0, done.stderr
    assert len(frames(place)) == 4
    return frames(place)


def children(pid):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(line) for line in listed.split()]


def alive(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


@pytest.mark.slow
def test_processes_killed_with_their_sweep_and_resumed_end_in_the_rows_of_one_process(tmp_path, one_process):
    sweep = subprocess.Popen(
        command(tmp_path, "engine=processes", *TWO),
        env=ENVIRONMENT,
        cwd=CONF.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not list((tmp_path / "store").rglob("0*.parquet")):
        assert sweep.poll() is None
        time.sleep(0.01)
    workers = children(sweep.pid)
    assert len(workers) >= 2
    os.kill(sweep.pid, signal.SIGKILL)
    sweep.wait()
    until = time.monotonic() + 30
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < until, "workers end when their sweep is gone"
        time.sleep(0.1)
    done = subprocess.run(
        command(tmp_path, "engine=processes", *TWO), capture_output=True, text=True, env=ENVIRONMENT, cwd=CONF.parent
    )
    assert done.returncode == 0, done.stderr
    assert_equal_stores(frames(tmp_path), one_process)


@pytest.mark.slow
def test_submitits_local_executor_ends_in_the_rows_of_one_process(tmp_path, one_process):
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'snowwolf[slurm]'")
    done = subprocess.run(
        command(tmp_path, "hydra/launcher=slurm_local", f"hydra.sweep.dir={tmp_path}/sweep", "-m"),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        cwd=CONF.parent,
    )
    assert done.returncode == 0, done.stderr
    assert_equal_stores(frames(tmp_path), one_process)


@pytest.mark.parametrize("launcher", ["slurm", "slurm_local"])
def test_launcher_presets_compose(launcher):
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'snowwolf[slurm]'")
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("config", overrides=[f"hydra/launcher={launcher}"], return_hydra_config=True)
    assert "submitit_launcher" in config.hydra.launcher._target_


@pytest.mark.slow
def test_ray_ends_in_the_rows_of_one_process(tmp_path, one_process):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'snowwolf[ray]'")
    done = subprocess.run(
        command(tmp_path, "engine=ray", *TWO), capture_output=True, text=True, env=ENVIRONMENT, cwd=CONF.parent
    )
    assert done.returncode == 0, done.stderr
    assert_equal_stores(frames(tmp_path), one_process)

"""The main job on real engines: the rows of one process, whoever is killed."""

import subprocess
import time
from importlib.util import find_spec

import hydra
import pytest
from sweeps import ENVIRONMENT, REPOSITORY, assert_equal_stores, command, frames, killed_after

from bench.cli.schemas import register_schemas
from bench.conf_files import CONF

# as marks, not in the tests: a skipped test must not pay for its fixtures
NEEDS_SUBMITIT = pytest.mark.skipif(
    find_spec("submitit") is None, reason="submitit is not installed: pip install 'snowwolf[slurm]'"
)
NEEDS_RAY = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'snowwolf[ray]'")
TWO = ["engine.workers=2", "engine.threads=1"]


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    place = tmp_path_factory.mktemp("local")
    done = subprocess.run(command(place), capture_output=True, text=True, env=ENVIRONMENT, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert len(frames(place)) == 4
    return frames(place)


def alive(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


@pytest.mark.proof
def test_processes_killed_with_their_sweep_and_resumed_end_in_the_rows_of_one_process(tmp_path, one_process):
    workers = killed_after(1, command(tmp_path, "engine=processes", *TWO))
    assert len(workers) == 2
    until = time.monotonic() + 600  # so that a fault ends the test; workers need a moment
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < until, "workers end when their sweep is gone"
        time.sleep(0.1)
    done = subprocess.run(
        command(tmp_path, "engine=processes", *TWO), capture_output=True, text=True, env=ENVIRONMENT, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    assert_equal_stores(frames(tmp_path), one_process)


@NEEDS_SUBMITIT
@pytest.mark.slow
def test_submitits_local_executor_ends_in_the_rows_of_one_process(tmp_path, one_process):
    done = subprocess.run(
        command(tmp_path, "hydra/launcher=slurm_local", "-m"),
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stderr
    assert_equal_stores(frames(tmp_path), one_process)


@NEEDS_SUBMITIT
@pytest.mark.parametrize("launcher", ["slurm", "slurm_local"])
def test_launcher_presets_compose(launcher):
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("config", overrides=[f"hydra/launcher={launcher}"], return_hydra_config=True)
    assert "submitit_launcher" in config.hydra.launcher._target_


@NEEDS_RAY
@pytest.mark.slow
def test_ray_ends_in_the_rows_of_one_process(tmp_path, one_process):
    done = subprocess.run(
        command(tmp_path, "engine=ray", *TWO), capture_output=True, text=True, env=ENVIRONMENT, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    assert_equal_stores(frames(tmp_path), one_process)

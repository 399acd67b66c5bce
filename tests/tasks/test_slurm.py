"""The main job on a real Slurm of one node, started here: its rows are those of one process, whoever is preempted."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from sweeps import ENVIRONMENT, LONG, REPOSITORY, assert_equal_stores, command, frames

SCRIPT = Path(__file__).with_name("slurm.sh")
PROGRAMS = ["munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sbatch", "sacct"]
ABSENT = [program for program in PROGRAMS if shutil.which(program) is None]
SWEEP = ["hydra/launcher=slurm", "hydra.launcher.partition=test", "hydra.launcher.cpus_per_task=1"]
SWEEP += ["hydra.launcher.mem_gb=3", "-m"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(ABSENT), reason=f"no Slurm on this machine: {', '.join(ABSENT)} not found"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a Slurm of its own"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'snowwolf[slurm]'")
    home = tmp_path_factory.mktemp("slurm")
    started = subprocess.run([SCRIPT, "start", home], stderr=subprocess.PIPE, text=True, timeout=180, check=False)
    assert started.returncode == 0, started.stderr
    yield {**ENVIRONMENT, "SLURM_CONF": str(home / "slurm.conf")}
    subprocess.run([SCRIPT, "stop", home], timeout=120, check=True)


def one_process(place, *overrides):
    subprocess.run(command(place, *overrides), env=ENVIRONMENT, cwd=REPOSITORY, check=True, capture_output=True)
    return frames(place)


@pytest.fixture(scope="module")
def long_in_one_process(tmp_path_factory):
    return one_process(tmp_path_factory.mktemp("local"), *LONG)


def told(cluster, *words):
    return subprocess.run(words, env=cluster, capture_output=True, text=True, timeout=60, check=True).stdout.split()


def accounts(cluster, *options):
    """``JobID|State|AllocTRES`` of each run; the last is completed a moment after its sweep has what it waited for."""
    until = time.monotonic() + 30
    while True:
        form = ["--allocations", "--noheader", "--parsable2", "--format=JobID,State,AllocTRES"]
        runs = told(cluster, "sacct", *form, *options)
        if "|COMPLETED|" in runs[-1]:
            return runs
        assert time.monotonic() < until, runs
        time.sleep(0.2)


def test_an_array_has_a_device_a_classifier_and_ends_in_the_rows_of_one_process(tmp_path, cluster):
    done = subprocess.run(
        command(tmp_path, "model=lite0,lite1", *SWEEP), capture_output=True, text=True, env=cluster, cwd=REPOSITORY
    )
    assert done.returncode == 0, done.stderr
    assert_equal_stores(frames(tmp_path), one_process(tmp_path / "local", "model=lite0,lite1", "-m"))
    jobs = accounts(cluster)
    assert [job.split("|")[0].partition("_")[2] for job in jobs] == ["0", "1"]
    assert all("gres/gpu=1" in job for job in jobs)
    assert (tmp_path / "default" / "leaderboard.csv").is_file()


def preempted(cluster, job):
    told(cluster, "sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")


def warned(cluster, job):
    """What Slurm sends ``signal_delay_s`` before a job's time is over."""
    told(cluster, "scancel", "--signal=USR2", job)


@pytest.mark.parametrize("disturb", [preempted, warned])
def test_a_job_that_must_go_is_requeued_and_loses_nothing(tmp_path, cluster, long_in_one_process, disturb):
    sweep = subprocess.Popen(
        command(tmp_path, *LONG, *SWEEP),
        env=cluster,
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 120
    while not list((tmp_path / "store").rglob("0*.parquet")):
        assert sweep.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    (job,) = told(cluster, "squeue", "--noheader", "--array", "--states=running", "--format=%i")
    disturb(cluster, job)
    assert sweep.wait(timeout=300) == 0
    assert len(accounts(cluster, "--duplicates", "--jobs", job)) == 2
    assert_equal_stores(frames(tmp_path), long_in_one_process)

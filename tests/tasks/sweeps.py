"""A small sweep as users start it, and the rows of its store to compare with another's."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd

from bench.conf_files import CONF
from bench.results import Store
from bench.results.housekeeping import verify

REPOSITORY = CONF.parent
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
# Overrides of the job that make it take more than the six seconds that Slurm gives a job to go.
LONG = ["benchmarks.corruption.severities=[1,2,3,4,5]"]
LONG += ["benchmarks.corruption.corruptions=[contrast,gaussian_noise,shot_noise,brightness,jpeg_compression,pixelate]"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(place: Path, *overrides: str) -> list[str]:
    """What runs the job into ``place``, to be started in ``REPOSITORY`` with ``ENVIRONMENT``."""
    own = [f"store={place}/store", f"reports={place}", f"hydra.run.dir={place}/out", f"hydra.sweep.dir={place}/sweep"]
    return [sys.executable, str(REPOSITORY / "run.py"), *JOB, *own, *overrides]


DIES = """
import multiprocessing, os, signal, sys
from bench.results import Store
from bench.cli.main import main

write, left = Store.write_part, int(sys.argv.pop(1))

def write_and_die(*args):
    global left
    write(*args)
    left -= 1
    if not left:
        print("workers:", *[worker.pid for worker in multiprocessing.active_children()], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

Store.write_part = write_and_die
sys.exit(main())
"""


def killed_after(n_parts: int, words: list[str]) -> list[int]:
    """Run a command of ``command`` until it has stored ``n_parts`` parts and is killed; its workers' process ids."""
    python, _, *overrides = words
    dying = [python, "-c", DIES, str(n_parts), *overrides]
    done = subprocess.run(dying, env=ENVIRONMENT, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    return [int(pid) for pid in done.stdout.splitlines()[-1].removeprefix("workers:").split()]


def frames(place: Path) -> dict[str, pd.DataFrame]:
    """Cell id -> outcomes of ``place/store``, in which no byte is damaged."""
    store = Store(str(place / "store"))
    assert verify(store).damaged == ()
    return {cell.spec.cell_id: store.outcomes(cell.spec) for cell in store.cells()}


def assert_equal_stores(left: dict[str, pd.DataFrame], right: dict[str, pd.DataFrame]) -> None:
    """The same cells with exactly the same rows."""
    assert left.keys() == right.keys()
    for cell_id in left:
        pd.testing.assert_frame_equal(left[cell_id], right[cell_id], check_exact=True)

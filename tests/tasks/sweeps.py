"""A small sweep as users start it, and the rows of its store to compare with another's."""

import os
import sys
from pathlib import Path

import pandas as pd

from bench.results import Store
from bench.results.housekeeping import verify
from bench.tasks.cli import CONF

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

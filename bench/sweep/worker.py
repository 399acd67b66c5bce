"""What runs inside a worker: the same in a process of this machine and in an actor of Ray."""

import platform
import traceback as traceback_module
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.configs import RuntimeConfig
from bench.errors import DataError
from bench.sweep.engine import run_events
from bench.sweep.messages import BatchDone, Broken, LeaseDone, Message, UnitKey, UnitResult, key_of
from bench.sweep.plan import Cell, WorkUnit
from bench.sweep.runner import Networks


@dataclass(frozen=True)
class Job:
    """Classifiers and their suite, as a worker has built them for itself."""

    networks: Networks
    """On the worker's device."""
    cells: Mapping[str, Cell]
    """The suite's cells by their id."""
    runtime: RuntimeConfig
    """The worker's own device and threads."""
    seed: int
    """The sweep's seed."""
    device: str
    """The worker's device in words."""


@dataclass(frozen=True)
class Placement:
    """Where one worker is to run."""

    device: str
    """A torch device, or ``auto``."""
    threads: int | None
    """Its torch threads; torch's default for None."""


OpenJob = Callable[[Placement], Job]
"""Builds the job inside a worker: a function of a module, with plain settings bound to it."""


def serve(job: Job, lease: Sequence[UnitKey]) -> Iterator[Message]:
    """Run ``lease``, and send what happens.

    Raises:
        DataError: a unit of a cell that this worker does not have: its weights or images are not those of the sweep.
    """
    units = [_unit(job, key) for key in lease]
    for event in run_events(job.networks, units, job.runtime, seed=job.seed):
        key = key_of(event.unit)
        if isinstance(event, BatchDone):
            yield BatchDone(key, event.n)
        else:
            where = job.device, platform.node()
            yield UnitResult(key, event.outcomes, event.seconds, event.error, event.traceback, *where)
    yield LeaseDone()


def broken(error: BaseException) -> Broken:
    """The message that ends a worker."""
    where = traceback_module.extract_tb(error.__traceback__)[-1]
    message = " ".join(str(error).split())
    return Broken(f"{type(error).__name__}: {message} ({where.name}, line {where.lineno})"[:500])


def cell_is_not_here(cell_id: str) -> DataError:
    """What to say on a machine whose images, weights or code differ from the sweep's."""
    return DataError(
        f"{platform.node()} has no cell {cell_id}: its images, weights or code are not those the sweep was planned"
        " with; put the same there and run the same command again"
    )


def _unit(job: Job, key: UnitKey) -> WorkUnit:
    if key.cell_id not in job.cells:
        raise cell_is_not_here(key.cell_id)
    return WorkUnit(job.cells[key.cell_id], key.start, key.stop)

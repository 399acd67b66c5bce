"""What engines and workers report while work units run."""

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from bench.records import Outcomes
from bench.sweep.plan import WorkUnit


class UnitKey(NamedTuple):
    """A work unit as it travels between processes: no image and no weight goes along."""

    cell_id: str
    """The cell, as the store names it."""
    start: int
    """First image."""
    stop: int
    """One past the last image."""


def key_of(unit: WorkUnit) -> UnitKey:
    """The name of ``unit`` in every process."""
    return UnitKey(unit.cell.spec.cell_id, unit.start, unit.stop)


Unit = TypeVar("Unit", WorkUnit, UnitKey)
"""A work unit inside a process; its key between processes."""


@dataclass(frozen=True)
class BatchDone(Generic[Unit]):
    """Some images of a work unit have been classified: shows progress, and that the worker is not hanging."""

    unit: Unit
    """The unit."""
    n: int
    """Images in the batch."""


@dataclass(frozen=True)
class UnitResult(Generic[Unit]):
    """The outcomes of one work unit, or the error that ended it."""

    unit: Unit
    """The unit."""
    outcomes: Outcomes | None
    """One row per image; None where it failed."""
    seconds: float
    """Wall time spent on it, where it ran."""
    error: str = ""
    """The exception in one line."""
    traceback: str = ""
    """Where it came from."""
    device: str = ""
    """Where it was computed, in words; empty for this process's device."""
    host: str = ""
    """The machine it was computed on; empty for this one."""


@dataclass(frozen=True)
class Ready:
    """The worker has built its job and takes leases."""


@dataclass(frozen=True)
class LeaseDone:
    """The worker has finished its lease and takes another."""


@dataclass(frozen=True)
class Broken:
    """The worker cannot go on, or its process has ended."""

    error: str
    """Why, in one line."""


Message = Ready | BatchDone[UnitKey] | UnitResult[UnitKey] | LeaseDone | Broken
"""What a worker sends."""

"""Many workers, one queue: leases go out, outcomes come in, and the units of a lost worker go to others."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from bench.errors import DataError
from bench.sweep.messages import BatchDone, LeaseDone, Message, Ready, UnitKey, UnitResult, key_of
from bench.sweep.plan import WorkUnit
from bench.sweep.queue import UnitQueue, cost_of

logger = logging.getLogger(__name__)
LONGEST_WAIT = 5.0


class Pool(Protocol):
    """Workers by number, wherever they run."""

    size: int
    """How many there are to be."""

    def start(self, worker: int) -> None:
        """Start ``worker``, or start it again after it ended; it sends ``Ready`` when it can take leases."""

    def send(self, worker: int, lease: Sequence[UnitKey]) -> None:
        """Give ``lease`` to a worker that is ready."""

    def wait(self, seconds: float) -> list[tuple[int, Message]]:
        """Messages of the workers; waits at most ``seconds`` for one. A worker that ended is a ``Broken``."""

    def kill(self, worker: int) -> None:
        """End ``worker`` at once."""

    def close(self) -> None:
        """End all of them."""


def run_pool(
    units: Sequence[WorkUnit],
    pool: Pool,
    *,
    timeout: float,
    start_timeout: float,
    retries: int,
    on_batch: Callable[[WorkUnit, int], None] | None = None,
) -> Iterator[UnitResult[WorkUnit]]:
    """Run ``units`` on the workers of ``pool``, yielding each result once, as soon as it is complete.

    After a failure the other units of that cell are not tried, as with ``run_local``; a unit that takes its worker
    down more than ``retries`` times is a failure of its cell.

    Args:
        units: what to run.
        pool: the workers, not yet started; closed at the end.
        timeout: seconds after which a worker counts as hanging that has units and has finished no batch.
        start_timeout: seconds that a worker has to become ready: to load weights and images, or to get its place in a
            cluster. None of them count towards ``timeout``.
        retries: how often a unit is tried again whose worker ended or hung.
        on_batch: called with the unit and the number of images done, after each batch.

    Raises:
        DataError: units are left and no worker can be started.
    """
    dispatcher = _Dispatcher(units, pool, timeout, start_timeout, retries, on_batch)
    try:
        yield from dispatcher.run()
    finally:
        pool.close()


class _Dispatcher:
    def __init__(
        self,
        units: Sequence[WorkUnit],
        pool: Pool,
        timeout: float,
        start_timeout: float,
        retries: int,
        on_batch: Callable[[WorkUnit, int], None] | None,
    ) -> None:
        self.units = {key_of(unit): unit for unit in units}
        self.queue = UnitQueue(
            [(key_of(unit), cost_of(unit)) for unit in units], workers=min(pool.size, len(units)), retries=retries
        )
        self.pool, self.timeout, self.start_timeout, self.on_batch = pool, timeout, start_timeout, on_batch
        self.waited = 0.0  # seconds spent waiting for the workers: the clock of the two below
        self.started: dict[int, float] = {}  # by worker that is not ready yet: when it was started
        self.last_sign: dict[int, float] = {}  # by worker that has units: when it got them, or last finished a batch
        self.idle: set[int] = set()
        self.last_error = ""

    def run(self) -> Iterator[UnitResult[WorkUnit]]:
        for worker in range(min(self.pool.size, len(self.units))):
            self._start(worker)
        while len(self.queue):
            if not self.started and not self.last_sign and not self.idle:
                raise DataError(f"no worker is left for {len(self.queue)} work units; the last one: {self.last_error}")
            for worker in sorted(self.idle):
                self._lease(worker)
            for worker, message in self._wait():
                if worker in self.started or worker in self.last_sign or worker in self.idle:
                    yield from self._take(worker, message)
            for worker, reason in self._overdue():
                yield from self._lose(worker, reason)

    def _wait(self) -> list[tuple[int, Message]]:
        """Messages of the workers; only time spent here counts as theirs, not what the caller takes to store."""
        began = time.monotonic()
        messages = self.pool.wait(min(LONGEST_WAIT, self.timeout / 4))
        self.waited += time.monotonic() - began
        return messages

    def _overdue(self) -> list[tuple[int, str]]:
        """Workers that count as hanging, and why: starting and working have a limit each."""
        now = self.waited
        unready = f"not ready {self.start_timeout:.0f} s after its start (engine.start_timeout)"
        hanging = f"no batch finished in {self.timeout:.0f} s (engine.timeout)"
        return [
            *((worker, unready) for worker, at in self.started.items() if now - at > self.start_timeout),
            *((worker, hanging) for worker, at in self.last_sign.items() if now - at > self.timeout),
        ]

    def _start(self, worker: int) -> None:
        self.started[worker] = self.waited
        self.pool.start(worker)

    def _lease(self, worker: int) -> None:
        lease = self.queue.lease(worker)
        if lease:
            self.idle.discard(worker)
            self.last_sign[worker] = self.waited
            self.pool.send(worker, lease)

    def _take(self, worker: int, message: Message) -> Iterator[UnitResult[WorkUnit]]:
        if worker in self.last_sign:
            self.last_sign[worker] = self.waited
        if isinstance(message, BatchDone):
            if self.on_batch is not None:
                self.on_batch(self.units[message.unit], message.n)
        elif isinstance(message, UnitResult):
            yield from self._finish(worker, message)
        elif isinstance(message, Ready | LeaseDone):
            self.started.pop(worker, None)
            self.last_sign.pop(worker, None)
            self.queue.end_lease(worker)
            self.idle.add(worker)
        else:
            yield from self._lose(worker, message.error)

    def _finish(self, worker: int, done: UnitResult[UnitKey]) -> Iterator[UnitResult[WorkUnit]]:
        """A unit counts once: its second result is dropped, where it went to another worker meanwhile."""
        if not self.queue.finish(worker, done.unit):
            return
        if done.outcomes is None:
            self._drop(done.unit.cell_id)
        yield UnitResult(
            self.units[done.unit],
            done.outcomes,
            done.seconds,
            done.error,
            done.traceback,
            done.device,
            done.host,
        )

    def _drop(self, cell_id: str) -> None:
        self.queue.drop_cell(cell_id)

    def _lose(self, worker: int, reason: str) -> Iterator[UnitResult[WorkUnit]]:
        self.pool.kill(worker)
        was_starting = self.started.pop(worker, None) is not None
        self.last_sign.pop(worker, None)
        self.idle.discard(worker)
        self.last_error = reason
        given_up = self.queue.lose(worker)
        if was_starting:
            logger.warning("worker %d could not start, the others go on: %s", worker, reason)
            return
        logger.warning("worker %d is gone, its units go to others: %s", worker, reason)
        if given_up is not None:
            self._drop(given_up.cell_id)
            error = f"WorkerLost: {reason}"
            yield UnitResult(self.units[given_up], None, 0.0, error, f"{error}\n(the worker left no traceback)")
        if self.queue.has_open:
            self._start(worker)

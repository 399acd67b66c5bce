"""Distribute work units over a pool of workers: send leases, collect outcomes, reassign the units of lost workers."""

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
"""Seconds that one wait for messages may last, so that time limits are checked at least this often."""


class Pool(Protocol):
    """``size`` workers, numbered from 0, in local processes or on a cluster."""

    size: int
    """Number of workers."""

    def start(self, worker: int) -> None:
        """Start ``worker``, or restart it after it ended; it sends ``Ready`` when it can take leases."""

    def send(self, worker: int, lease: Sequence[UnitKey]) -> None:
        """Send ``lease`` to a worker that has no lease and has sent ``Ready`` or ``LeaseDone``."""

    def wait(self, seconds: float) -> list[tuple[int, Message]]:
        """The messages that have arrived, each with its worker; empty after ``seconds`` without one.

        When a worker ends by itself, a ``Broken`` message is returned for it.
        """

    def kill(self, worker: int) -> None:
        """End ``worker`` at once."""

    def close(self) -> None:
        """End all workers."""


def run_pool(
    units: Sequence[WorkUnit],
    pool: Pool,
    *,
    timeout: float,
    start_timeout: float,
    retries: int,
    on_batch: Callable[[WorkUnit, int], None] | None = None,
) -> Iterator[UnitResult[WorkUnit]]:
    """Run ``units`` on the workers of ``pool`` and yield one result per unit, as soon as it is complete.

    When a unit fails, the remaining units of its cell are skipped, as in ``run_local``. A unit whose worker ends or
    hangs is run again; after more than ``retries`` such losses it counts as failed.

    Args:
        units: the units to run.
        pool: the workers, not yet started; closed at the end.
        timeout: seconds without a finished batch after which a worker with a lease counts as hanging.
        start_timeout: seconds that a worker may take to become ready: to load weights and images, or to get a place in
            a cluster. This time does not count towards ``timeout``.
        retries: how often a unit is run again after its worker ended or hung.
        on_batch: called after each batch with the unit and the number of images in the batch.

    Raises:
        DataError: units are left and no worker is left to run them.
    """
    dispatcher = _Dispatcher(units, pool, timeout, start_timeout, retries, on_batch)
    try:
        yield from dispatcher.run()
    finally:
        pool.close()


class _Dispatcher:
    """The state of one ``run_pool`` call.

    A worker that can be used is in exactly one of ``starting_since``, ``active_at`` and ``idle``. A worker that is lost
    and not restarted is in none of them.
    """

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
        self.n_workers = min(pool.size, len(units))
        self.queue = UnitQueue(
            [(key_of(unit), cost_of(unit)) for unit in units], workers=self.n_workers, retries=retries
        )
        self.pool, self.timeout, self.start_timeout, self.on_batch = pool, timeout, start_timeout, on_batch
        self.clock = 0.0  # seconds spent in pool.wait so far; see _wait
        self.starting_since: dict[int, float] = {}  # worker that is not ready yet -> clock at its start
        self.active_at: dict[int, float] = {}  # worker with a lease -> clock at the lease or its last message
        self.idle: set[int] = set()  # workers that are ready and have no lease
        self.last_error = ""

    def run(self) -> Iterator[UnitResult[WorkUnit]]:
        for worker in range(self.n_workers):
            self._start(worker)
        while len(self.queue):
            if not self.starting_since and not self.active_at and not self.idle:
                raise DataError(f"no worker is left for {len(self.queue)} work units; the last one: {self.last_error}")
            for worker in sorted(self.idle):
                self._send_lease(worker)
            for worker, message in self._wait():
                # a worker lost earlier in this batch of messages may have more of them in it: they are ignored
                if worker in self.starting_since or worker in self.active_at or worker in self.idle:
                    yield from self._handle(worker, message)
            for worker, reason in self._overdue():
                yield from self._lose(worker, reason)

    def _wait(self) -> list[tuple[int, Message]]:
        """The messages that have arrived; advances the clock by the time spent here.

        Time between two calls is not counted: the caller spends it on storing results, which must not make a worker
        look slow.
        """
        began = time.monotonic()
        messages = self.pool.wait(min(LONGEST_WAIT, self.timeout / 4))
        self.clock += time.monotonic() - began
        return messages

    def _overdue(self) -> list[tuple[int, str]]:
        """The workers that exceed the time limit for starting or for a batch, each with the reason."""
        unready = f"not ready {self.start_timeout:.0f} s after its start (engine.start_timeout)"
        hanging = f"no batch finished in {self.timeout:.0f} s (engine.timeout)"
        return [
            *((worker, unready) for worker, at in self.starting_since.items() if self.clock - at > self.start_timeout),
            *((worker, hanging) for worker, at in self.active_at.items() if self.clock - at > self.timeout),
        ]

    def _start(self, worker: int) -> None:
        self.starting_since[worker] = self.clock
        self.pool.start(worker)

    def _send_lease(self, worker: int) -> None:
        """Send the next units to an idle worker, if any are open."""
        lease = self.queue.lease(worker)
        if lease:
            self.idle.discard(worker)
            self.active_at[worker] = self.clock
            self.pool.send(worker, lease)

    def _handle(self, worker: int, message: Message) -> Iterator[UnitResult[WorkUnit]]:
        """Process one message; yields the result that it completes, if any."""
        if worker in self.active_at:
            self.active_at[worker] = self.clock
        if isinstance(message, BatchDone):
            if self.on_batch is not None:
                self.on_batch(self.units[message.unit], message.n)
        elif isinstance(message, UnitResult):
            yield from self._finish(worker, message)
        elif isinstance(message, Ready | LeaseDone):
            self.starting_since.pop(worker, None)
            self.active_at.pop(worker, None)
            self.queue.end_lease(worker)
            self.idle.add(worker)
        else:
            yield from self._lose(worker, message.error)

    def _finish(self, worker: int, result: UnitResult[UnitKey]) -> Iterator[UnitResult[WorkUnit]]:
        """Yield ``result`` if its unit is still in the worker's lease.

        It is not if the cell has failed or the unit was reassigned; each unit must give one result only.
        """
        if not self.queue.finish(worker, result.unit):
            return
        if result.outcomes is None:
            self.queue.drop_cell(result.unit.cell_id)
        yield UnitResult(
            unit=self.units[result.unit],
            outcomes=result.outcomes,
            seconds=result.seconds,
            error=result.error,
            traceback=result.traceback,
            device=result.device,
            host=result.host,
        )

    def _lose(self, worker: int, reason: str) -> Iterator[UnitResult[WorkUnit]]:
        """End a broken or hanging worker, return its units to the queue and restart it while units are open.

        Yields a failure if the unit that it was running has no retries left. A worker that could not start is not
        restarted, since it would most likely fail again.
        """
        self.pool.kill(worker)
        was_starting = self.starting_since.pop(worker, None) is not None
        self.active_at.pop(worker, None)
        self.idle.discard(worker)
        self.last_error = reason
        given_up = self.queue.lose(worker)
        if was_starting:
            logger.warning("worker %d could not start, the others go on: %s", worker, reason)
            return
        logger.warning("worker %d was lost, its units are reassigned: %s", worker, reason)
        if given_up is not None:
            self.queue.drop_cell(given_up.cell_id)
            error = f"WorkerLost: {reason}"
            yield UnitResult(
                unit=self.units[given_up],
                outcomes=None,
                seconds=0.0,
                error=error,
                traceback=f"{error}\n(the worker left no traceback)",
            )
        if self.queue.has_open:
            self._start(worker)

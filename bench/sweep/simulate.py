"""How long the real queue takes on workers that are only simulated: for planning, and for tests of the planner."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.sweep.messages import UnitKey
from bench.sweep.queue import UnitQueue


@dataclass(frozen=True)
class Makespan:
    """A simulated sweep."""

    seconds: float
    """From the start to the last unit's end."""
    bound: float
    """What no schedule can be faster than: all work shared evenly, or the longest unit."""
    leases: int
    """How often a worker asked for more."""

    @property
    def ratio(self) -> float:
        """``seconds`` over ``bound``; 1 is perfect."""
        return self.seconds / self.bound


def simulate(
    costs: Sequence[tuple[UnitKey, float]],
    *,
    workers: int,
    lease_seconds: float = 0.0,
    actual: Callable[[UnitKey, float], float] = lambda _, cost: cost,
) -> Makespan:
    """Hand out units as ``run_pool`` does, on workers that take exactly the seconds given.

    Args:
        costs: what the queue believes each unit to cost, in seconds.
        workers: devices.
        lease_seconds: what each lease costs beside its units: a DataLoader filled anew.
        actual: what a unit really takes, from its key and believed cost.
    """
    queue = UnitQueue(costs, workers=workers, retries=0)
    believed = dict(costs)
    taken = {key: actual(key, cost) for key, cost in believed.items()}
    idle = [(0.0, worker) for worker in range(workers)]  # when each is free, a heap
    end, leases = 0.0, 0
    while len(queue):
        now, worker = heapq.heappop(idle)
        lease = queue.lease(worker)
        if not lease:
            continue
        leases += 1
        done = now + lease_seconds + sum(taken[key] for key in lease)
        for key in lease:  # no worker is lost here: every lease is finished
            queue.finish(worker, key)
        end = max(end, done)
        heapq.heappush(idle, (done, worker))
    return Makespan(end, max(sum(taken.values()) / workers, max(taken.values())), leases)

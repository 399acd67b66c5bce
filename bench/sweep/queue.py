"""The queue of work units: which are open, which are leased to which worker, and which are given up."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence

from bench.sweep.messages import UnitKey
from bench.sweep.plan import WorkUnit

LEASES_A_WORKER = 4
"""Leases that each worker would take if all had the size of the next one."""
LONGEST_LEASE = 8
"""Work units in a lease, at most."""


class UnitQueue:
    """Open units, sorted by cost, largest first; leases get smaller towards the end of the sweep.

    Longest first bounds the makespan at 4/3 of the best (Graham 1969); a lease of several units keeps a worker's
    DataLoader full across them; and leases of a share of what is left (guided self-scheduling; Polychronopoulos and
    Kuck 1987) let all workers finish at about the same time.

    Args:
        costs: the cost of each work unit; only the ratios matter.
        workers: number of workers that share the units.
        retries: how often a unit is run again after the worker that ran it was lost.
    """

    def __init__(self, costs: Sequence[tuple[UnitKey, float]], *, workers: int, retries: int) -> None:
        self._cost = dict(costs)
        if len(self._cost) != len(costs):
            raise ValueError("a work unit is in the plan twice")
        self._open = deque(sorted(self._cost, key=lambda key: -self._cost[key]))
        self._left = sum(self._cost.values())  # cost of the open units
        self._leased: dict[int, list[UnitKey]] = {}
        self._deaths: Counter[UnitKey] = Counter()
        self._workers, self._retries = workers, retries

    def __len__(self) -> int:
        return len(self._open) + sum(len(lease) for lease in self._leased.values())

    @property
    def has_open(self) -> bool:
        """Whether any unit can be leased."""
        return bool(self._open)

    def lease(self, worker: int) -> list[UnitKey]:
        """The next units for ``worker``; empty when none are open."""
        share = self._left / (LEASES_A_WORKER * self._workers)
        lease: list[UnitKey] = []
        taken = 0.0
        while self._open and len(lease) < LONGEST_LEASE:
            cost = self._cost[self._open[0]]
            if lease and taken + cost > share:
                break
            lease.append(self._open.popleft())
            taken += cost
        self._left -= taken
        self._leased[worker] = list(lease)
        return lease

    def finish(self, worker: int, key: UnitKey) -> bool:
        """Remove a finished unit from the worker's lease; False if it is not there (reassigned, or its cell failed)."""
        lease = self._leased.get(worker, [])
        if key not in lease:
            return False
        lease.remove(key)
        return True

    def end_lease(self, worker: int) -> None:
        """End the lease of ``worker``; its unfinished units are open again."""
        self._reopen(self._leased.pop(worker, []))

    def lose(self, worker: int) -> UnitKey | None:
        """End the lease of a worker that was lost; its units are open again.

        Returns:
            The unit that it was running, if that has now lost more than ``retries`` workers and is given up; else None.
        """
        lease = self._leased.pop(worker, [])
        if lease:
            suspect = lease[0]  # units run in the order of the lease, and finished ones have left it
            self._deaths[suspect] += 1
            if self._deaths[suspect] > self._retries:
                self._reopen(lease[1:])
                return suspect
        self._reopen(lease)
        return None

    def drop_cell(self, cell_id: str) -> None:
        """Remove all units of a failed cell from the queue and from the leases."""
        for key in [key for key in self._open if key.cell_id == cell_id]:
            self._open.remove(key)
            self._left -= self._cost[key]
        for lease in self._leased.values():
            lease[:] = [key for key in lease if key.cell_id != cell_id]

    def _reopen(self, keys: Iterable[UnitKey]) -> None:
        for key in reversed(list(keys)):
            self._open.appendleft(key)
            self._left += self._cost[key]


def cost_of(unit: WorkUnit) -> float:
    """Approximate number of forward passes that ``unit`` needs."""
    return float(len(unit) * unit.cell.benchmark.passes)

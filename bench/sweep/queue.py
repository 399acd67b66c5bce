"""Which units are open, leased to a worker, or given up: the one place where an engine decides who does what."""

from collections import Counter, deque
from collections.abc import Iterable, Sequence

from bench.sweep.messages import UnitKey
from bench.sweep.plan import WorkUnit

LEASES_A_WORKER = 4
LONGEST_LEASE = 8


class UnitQueue:
    """Open units, the costly ones first, handed out in leases that shrink towards the end.

    Longest first bounds the makespan at 4/3 of the best (Graham 1969); a lease of several units keeps a worker's
    DataLoader full across them; and leases of a share of what is left (guided self-scheduling; Polychronopoulos and
    Kuck 1987) let all workers end together.

    Args:
        costs: what each unit costs, in any unit of work.
        workers: how many share them.
        retries: how often a unit whose worker died under it is tried again.
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
        """Whether a lease would hold any unit."""
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
        """``worker`` is done with ``key``; False where it had been given to others meanwhile."""
        lease = self._leased.get(worker, [])
        if key not in lease:
            return False
        lease.remove(key)
        return True

    def end_lease(self, worker: int) -> None:
        """``worker`` has finished its lease: what it did not do is open again."""
        self._reopen(self._leased.pop(worker, []))

    def lose(self, worker: int) -> UnitKey | None:
        """``worker`` has ended: its units go to others.

        Returns:
            The unit it was at, where that one has failed too often and is given up.
        """
        lease = self._leased.pop(worker, [])
        if lease:
            suspect = lease[0]
            self._deaths[suspect] += 1
            if self._deaths[suspect] > self._retries:
                self._reopen(lease[1:])
                return suspect
        self._reopen(lease)
        return None

    def drop_cell(self, cell_id: str) -> None:
        """No further unit of a failed cell is tried."""
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
    """Forward passes that ``unit`` costs, roughly."""
    return float(len(unit) * unit.cell.benchmark.passes)

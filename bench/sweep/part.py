"""One classifier's part of a run: what it still needs, and what has become of it."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.configs import BudgetConfig
from bench.models import Classifier
from bench.results import Store
from bench.results.aliases import copy_from_aliases
from bench.sweep.messages import UnitResult
from bench.sweep.plan import Cell, WorkUnit, plan_units
from bench.sweep.rounds import Rounds
from bench.sweep.sampling import Sizes, first_sizes

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SuiteRun:
    """What a run of a suite did."""

    cells: Sequence[Cell]
    """Every cell of the suite."""
    n_stored: int
    """Cells that needed no work."""
    n_missing: int
    """Cells that are not whole in the store at the end."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Failed cells and their errors in one line."""
    error: str = ""
    """Why the run ended before its time; empty where it did not."""


class Part:
    """One classifier's part of a run: what it still needs, and what has become of it."""

    def __init__(
        self,
        classifier: Classifier,
        cells: list[Cell],
        store: Store,
        chunk: int,
        budget: BudgetConfig | None,
        sizes: Sizes | None,
    ) -> None:
        self.classifier, self.name, self.cells = classifier, classifier.name, cells
        self.store, self.chunk = store, chunk
        self.sizes = sizes if budget is None or budget.full else first_sizes(cells, budget)
        narrow = budget is not None and budget.until_narrow
        self.rounds = Rounds(cells, store, budget) if budget is not None and narrow else None
        self.units: list[WorkUnit] = []
        self.done = Done()
        self.n_open = 0

    def plan(self) -> None:
        """Plan what the store lacks."""
        for name in sorted(copy_from_aliases(self.store, [cell.spec for cell in self.cells])):
            logger.info("%s: results copied from %s, which has the same weights", self.name, name)
        self.units = plan_units(self.cells, self.store, chunk=self.chunk, sizes=self.sizes)
        self.done.expect(self.units)
        self.n_open = self.done.n_missing

    def plan_round(self) -> bool:
        """Plan the next round of a budget's half-widths, after the units were computed; whether there is one."""
        if self.rounds is None or self.sizes is None or self.done.failed:
            self.units = []
            return False
        self.sizes = self.rounds.next_sizes(self.sizes)
        self.units = plan_units(self.cells, self.store, chunk=self.chunk, sizes=self.sizes)
        self.done.expect(self.units)
        if not self.units:
            self.rounds = None  # while other classifiers go on, nothing is measured again
        return bool(self.units)

    def summary(self, error: str) -> SuiteRun:
        """What was done; ``error`` says why the run ended before its time, if it did."""
        return SuiteRun(
            cells=self.cells,
            n_stored=len(self.cells) - self.n_open,
            n_missing=self.done.n_missing,
            failed=self.done.failed,
            error=error,
        )


class Done:
    """What has become of the work units so far."""

    def __init__(self) -> None:
        self.failed: dict[str, str] = {}
        self._left: Counter[str] = Counter()

    def expect(self, units: Sequence[WorkUnit]) -> None:
        """These units are to be computed too."""
        self._left.update(unit.cell.spec.cell_id for unit in units)

    @property
    def n_cells(self) -> int:
        """Cells that had units to compute."""
        return len(self._left)

    @property
    def n_missing(self) -> int:
        """Cells that lack a unit."""
        return sum(left > 0 for left in self._left.values())

    def take(self, result: UnitResult[WorkUnit]) -> None:
        """A unit is in the store, outcomes or failure."""
        if result.outcomes is None:
            self.failed[label(result.unit.cell)] = result.error
        else:
            self._left[result.unit.cell.spec.cell_id] -= 1


def label(cell: Cell) -> str:
    """The cell in words, for messages about one classifier."""
    return f"{cell.spec.title} {cell.spec.condition.key}"

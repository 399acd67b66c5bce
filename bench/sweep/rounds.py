"""Rounds of a run that goes on until intervals are narrow enough."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.configs import BudgetConfig
from bench.records import Estimate
from bench.results import Store
from bench.sweep.measured import headline, measured_entry
from bench.sweep.plan import Cell
from bench.sweep.sampling import Round, Sizes, by_entry, largest_sizes, next_size

logger = logging.getLogger(__name__)


@dataclass
class Rounds:
    """The rounds of one classifier: which entries go on, and with how many images."""

    cells: Sequence[Cell]
    """Of one classifier."""
    store: Store
    """With the outcomes of the rounds so far."""
    budget: BudgetConfig
    """With half-widths."""
    done: dict[str, list[Round]] = field(default_factory=dict)
    """The rounds so far, by entry."""

    def next_sizes(self, sizes: Sizes) -> Sizes:
        """Sizes of the samples of the next round; says in the log where each entry stands.

        Args:
            sizes: of the round that was just run; the same where no entry goes on.

        Raises:
            DataError: outcomes cannot be read.
        """
        following, largest = dict(sizes), largest_sizes(self.cells, self.budget)
        for entry, cells in by_entry(self.cells).items():
            wanted = self.budget.wanted(entry)
            if wanted is None or sizes[entry] >= cells[0].spec.n_images or self._stopped(entry):
                continue
            title, estimate = headline(measured_entry(cells, self.cells, self.store))
            rounds = self.done.setdefault(entry, [])
            stored = min(
                len(self.store.sampled_correct(cell.spec)[0]) for cell in cells
            )  # an earlier run may have more
            rounds.append(Round(max(sizes[entry], stored), (estimate.high - estimate.low) / 2))
            following[entry] = min(largest[entry], self._size(entry, cells, rounds, wanted))
            logger.info("%s", _line(entry, title, estimate, rounds[-1], following[entry]))
        return following

    def _stopped(self, entry: str) -> bool:
        """Whether the entry got no more images in the last round."""
        rounds = self.done.get(entry, [])
        return len(rounds) > 1 and rounds[-1].size == rounds[-2].size

    def _size(self, entry: str, cells: Sequence[Cell], rounds: Sequence[Round], wanted: float) -> int:
        last, n_images = rounds[-1], cells[0].spec.n_images
        if last.half_width <= wanted:
            return last.size
        size = next_size(rounds, wanted, n_conditions=len(cells), n_images=n_images)
        if size is None:
            logger.warning(
                "%s: the %d images of %s are too few for ± %g points, however many of them each condition is shown",
                entry,
                n_images,
                cells[0].spec.dataset,
                wanted,
            )
        return last.size if size is None else size


def _line(entry: str, title: str, estimate: Estimate, last: Round, following: int) -> str:
    known = f"{entry}: {title} {estimate.value:.2f} ± {last.half_width:.2f} with {last.size} images per condition"
    return f"{known}; {following - last.size} more of each are to come" if following > last.size else known

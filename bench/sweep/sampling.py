"""How many images each condition is shown under a budget, and how many more a wanted interval needs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.configs import BudgetConfig
from bench.errors import ConfigurationError, nearest_names
from bench.sweep.plan import FIRST, Cell

LEAST = 5
"""Images per condition below which intervals were not measured to hold (docs/budgets.md)."""
MARGIN = 1.1
"""Factor on the number of images that a round predicts, since its spread is itself an estimate."""
ROUNDING = 1e-6
"""What rounding of floats may add to a whole number."""
LEAST_GROWTH = 1.25
"""Factor that a further round grows a sample by, at least."""

Sizes = Mapping[str, int]
"""Images per condition by entry of the suite."""


def first_sizes(cells: Sequence[Cell], budget: BudgetConfig) -> Sizes:
    """What is shown first: all of the budget's forward passes, or a first round where a half-width is wanted.

    Args:
        cells: of one classifier.
        budget: not a full one.

    Raises:
        ConfigurationError: fewer forward passes than ``LEAST`` images per condition cost, or the half-width of an entry
            that the suite does not have.
    """
    entries = by_entry(cells)
    for name in budget.half_widths.keys() - entries.keys():
        raise ConfigurationError(
            f"budget.half_widths.{name}: the suite has no such entry: {nearest_names(name, entries)}"
        )
    most = largest_sizes(cells, budget)
    return {name: most[name] if budget.wanted(name) is None else min(FIRST, most[name]) for name in entries}


def largest_sizes(cells: Sequence[Cell], budget: BudgetConfig) -> Sizes:
    """The most images that a budget's forward passes allow; without such a limit, all."""
    return _whole(by_entry(cells)) if budget.forwards is None else allocate(cells, budget.forwards)


def allocate(cells: Sequence[Cell], forwards: int) -> Sizes:
    """Images per condition of each entry, such that the suite costs about ``forwards`` forward passes.

    Every entry rests on a number of images that is proportional to one over the square root of what an image costs
    (Neyman 1934: the least total variance at a given cost), spread evenly over its conditions. An entry gets no more
    images than there are, nor fewer than ``LEAST`` per condition; the others share what is left.

    Args:
        cells: of one classifier.
        forwards: passes that may be spent; a backward pass counts as two.

    Raises:
        ConfigurationError: they are too few for ``LEAST`` images per condition.
    """
    entries = by_entry(cells)
    fewest = {name: min(LEAST, group[0].spec.n_images) for name, group in entries.items()}
    most = _whole(entries)
    needed = sum(fewest[name] * _cost(group) for name, group in entries.items())
    if forwards < needed:
        raise ConfigurationError(
            f"budget.forwards={forwards}: {LEAST} images for each of the suite's {len(cells)} conditions cost"
            f" {needed:,} forward passes already; give at least as many, or leave out the dearest entry, "
            f"{max(entries, key=lambda name: _cost(entries[name]))}"
        )
    low, high = 0.0, float(max(len(group) * group[0].spec.n_images for group in entries.values())) ** 2
    for _ in range(200):  # bisection: the cost grows with the scale
        scale = (low + high) / 2
        sizes = {
            name: max(fewest[name], min(most[name], int(scale / math.sqrt(_passes(group)) / len(group))))
            for name, group in entries.items()
        }
        if sum(sizes[name] * _cost(group) for name, group in entries.items()) <= forwards:
            low, best = scale, sizes
        else:
            high = scale
    return best


@dataclass(frozen=True)
class Round:
    """One entry after a round: how large its samples were, and how narrow that made its interval."""

    size: int
    """Images per condition."""
    half_width: float
    """Half the length of the interval, in points."""


def next_size(rounds: Sequence[Round], wanted: float, *, n_conditions: int, n_images: int) -> int | None:
    """Images per condition that make an interval narrow enough, as far as the rounds so far tell.

    The squared half-width is ``a + b / k``: what the set of images leaves, and what falls with their number ``k`` per
    condition. While no image is in two conditions ``a`` is 0; after that it is fitted to the last two rounds. So the
    first step beyond that point is a short one.

    Args:
        rounds: of one entry, the last one wider than wanted.
        wanted: half-width in points.
        n_conditions: of the entry.
        n_images: in the set.

    Returns:
        The size, larger than that of the last round unless that is the whole set; None where even the whole set would
        not be enough.
    """
    last = rounds[-1]
    fixed, falling, most = 0.0, last.half_width**2 * last.size, 2 * n_images / n_conditions
    if len(rounds) > 1 and last.size * n_conditions > n_images:
        first, most = rounds[-2], float(n_images)
        slope = (first.half_width**2 - last.half_width**2) / (1 / first.size - 1 / last.size)
        falling = min(max(slope, 0.0), falling)
        fixed = last.half_width**2 - falling / last.size
        if fixed + falling / n_images > wanted**2:
            return None
    wished = min(most, MARGIN * falling / (wanted**2 - fixed))
    return min(n_images, math.ceil(max(wished, LEAST_GROWTH * last.size) - ROUNDING))


def by_entry(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """The cells of each entry of the suite."""
    entries: dict[str, list[Cell]] = {}
    for cell in cells:
        entries.setdefault(cell.spec.entry, []).append(cell)
    return entries


def _whole(entries: Mapping[str, Sequence[Cell]]) -> dict[str, int]:
    return {name: group[0].spec.n_images for name, group in entries.items()}


def _passes(group: Sequence[Cell]) -> int:
    return max(1, group[0].benchmark.passes)


def _cost(group: Sequence[Cell]) -> int:
    """Forward passes of one image under every condition of an entry."""
    return len(group) * _passes(group)

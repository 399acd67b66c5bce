"""Samples of several classifiers that grow until every pair of them is told apart, or known to be alike."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bench.metrics.estimates import CONFIDENCE
from bench.metrics.sequences import sequence_interval
from bench.results import Store
from bench.sweep.measured import headline_values, measured_entry
from bench.sweep.part import SuiteRun
from bench.sweep.plan import FIRST, Cell
from bench.sweep.sampling import Sizes, by_entry

logger = logging.getLogger(__name__)
GROWTH = 2
"""Factor that the samples of an undecided pair grow by from round to round."""


@dataclass(frozen=True)
class Verdict:
    """What is known of one figure of two classifiers."""

    entry: str
    """Entry of the suite."""
    title: str
    """The figure."""
    pair: tuple[str, str]
    """The classifiers."""
    difference: float
    """Second minus first, in points."""
    low: float
    """Lower end of the interval, which holds at all looks and for all pairs together."""
    high: float
    """Upper end."""
    indifference: float
    """Points below which two classifiers count as alike."""

    @property
    def decided(self) -> bool:
        """Whether they are told apart, or differ by less than ``indifference``."""
        return self.low > 0 or self.high < 0 or max(-self.low, self.high) < self.indifference

    def __str__(self) -> str:
        first, second = self.pair
        known = f"{self.entry}: {self.title} of {second} less that of {first}: {self.difference:+.2f}"
        return f"{known} [{self.low:+.2f}, {self.high:+.2f}], {'decided' if self.decided else 'undecided'}"


def run_until_ranked(
    names: Sequence[str],
    entries: Sequence[str],
    run: Callable[[Mapping[str, Sizes]], dict[str, SuiteRun]],
    store: Store,
    *,
    indifference: float,
) -> dict[str, SuiteRun]:
    """Run all classifiers round by round, until every pair is decided or was shown all images.

    Args:
        names: of at least two classifiers.
        entries: of the suite.
        run: computes what the store lacks of samples of these sizes, by classifier.
        store: where the outcomes go.
        indifference: points below which two classifiers count as alike.

    Returns:
        What the last round of each classifier did; no rounds follow one in which a cell failed.
    """
    sizes = {name: dict.fromkeys(entries, FIRST) for name in names}
    while True:
        runs = run(sizes)
        if any(done.n_missing or done.error for done in runs.values()):
            return runs
        cells = {name: done.cells for name, done in runs.items()}
        found = verdicts(cells, store, indifference=indifference)
        for verdict in found:
            logger.info("%s", verdict)
        following = grown(sizes, found, cells)
        if following == sizes:
            return runs
        sizes = following


def verdicts(
    cells: Mapping[str, Sequence[Cell]], store: Store, *, indifference: float, error: float = 1 - CONFIDENCE
) -> list[Verdict]:
    """Every pair of classifiers in the first figure of every entry.

    The intervals hold at all looks, and for all pairs of an entry together (Bonferroni).

    Args:
        cells: of each classifier, by its name.
        store: with outcomes of all of them.
        indifference: points below which two classifiers count as alike.
        error: probability of a wrong verdict on any pair of an entry.

    Raises:
        DataError: outcomes cannot be read.
    """
    found = []
    pairs = list(combinations(cells, 2))
    for entry, own in by_entry(next(iter(cells.values()))).items():
        figures = {name: _figure(entry, group, store) for name, group in cells.items()}
        for one, two in pairs:
            (title, first, n), (other_title, second, m) = figures[one], figures[two]
            if title != other_title or len(first) != len(second):
                continue  # of other images, or another figure: they cannot be compared
            least = min(n, m)
            start = min(least, FIRST * len(own))
            interval = sequence_interval(second - first, least, start, error=error / len(pairs))
            found.append(Verdict(entry, title, (one, two), interval.value, interval.low, interval.high, indifference))
    return found


def grown(
    sizes: Mapping[str, Mapping[str, int]], found: Sequence[Verdict], cells: Mapping[str, Sequence[Cell]]
) -> dict[str, dict[str, int]]:
    """Images per condition of each classifier and entry in the next round; the same where all pairs are decided.

    Args:
        sizes: by classifier and entry, so far.
        found: the verdicts on them.
        cells: of each classifier.
    """
    following = {name: dict(own) for name, own in sizes.items()}
    for verdict in found:
        if not verdict.decided:
            for name in verdict.pair:
                whole = by_entry(cells[name])[verdict.entry][0].spec.n_images
                following[name][verdict.entry] = max(
                    sizes[name][verdict.entry], min(whole, GROWTH * sizes[name][verdict.entry])
                )
    return following


def _figure(entry: str, cells: Sequence[Cell], store: Store) -> tuple[str, NDArray[np.float64], int]:
    """Title of an entry's first known figure, its column in points, and the outcomes that it rests on."""
    own = by_entry(cells)[entry]
    title, values = headline_values(measured_entry(own, cells, store))
    return title, values, sum(len(store.sampled_correct(cell.spec)[0]) for cell in own)

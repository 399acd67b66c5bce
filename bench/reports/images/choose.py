"""Which images of a set get pictures: those that tell classifiers apart first."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.records import Condition
from bench.reports.entries import LeaderboardEntry
from bench.reports.variants import Variant

Shown = tuple[str, Condition]
"""Key of a benchmark, and one of its conditions."""


def variant_of(entries: Sequence[LeaderboardEntry], benchmark: str) -> Variant:
    """A benchmark as the first of some entries has it that ran it."""
    return next(entry.benchmarks[benchmark] for entry in entries if benchmark in entry.benchmarks)


def choose_images(entries: Sequence[LeaderboardEntry], conditions: Sequence[Shown], n: int, most: int) -> list[int]:
    """Positions of at most ``most`` images of a set, in the order of the set.

    An image comes before another where the classifiers disagree on it under more of the conditions (``4 p (1 - p)`` of
    the share ``p`` that is right), then where more of the conditions change whether it is right.

    Args:
        entries: of one set of images.
        conditions: of their benchmarks.
        n: images in the set.
        most: images.
    """
    disagreement, right, asked = np.zeros(n), np.zeros(n), np.zeros(n)
    for benchmark, condition in conditions:
        hits, shown = _counts(entries, benchmark, condition, n)
        share = hits / np.maximum(shown, 1)
        disagreement += np.where(shown > 1, 4 * share * (1 - share), 0)
        right += hits
        asked += shown
    share = right / np.maximum(asked, 1)
    order = np.lexsort((np.arange(n), -4 * share * (1 - share), -disagreement / len(conditions)))
    return sorted(int(position) for position in order[:most] if asked[position])


def _counts(
    entries: Sequence[LeaderboardEntry], benchmark: str, condition: Condition, n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``(N,)`` by how many classifiers each image is classified correctly, and how many were shown it."""
    hits, shown = np.zeros(n), np.zeros(n)
    for entry in entries:
        if entry.has(benchmark, condition):
            own = entry.hits(benchmark, condition)
            hits[own.positions] += own.right
            shown[own.positions] += 1
    return hits, shown

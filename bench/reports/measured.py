"""What the metrics of a benchmark are computed from, for one leaderboard entry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.records import Condition, RunSpec
from bench.reports.entries import LeaderboardEntry
from bench.reports.reference import REFERENCE, REFERENCE_CONDITION


@dataclass(frozen=True)
class MeasuredBenchmark:
    """One benchmark of an entry, as its metrics read it (``bench.benchmarks.Measured``)."""

    entry: LeaderboardEntry
    """The entry with the outcomes."""
    name: str
    """The benchmark's key (``key_of``) in ``entry.benchmarks``."""

    @property
    def spec(self) -> RunSpec:
        """The identity of its first cell."""
        return self.entry.benchmarks[self.name].spec

    @property
    def conditions(self) -> Sequence[Condition]:
        """The complete conditions, sorted by name and strength."""
        return [item for item in self.entry.conditions(self.name) if self.entry.complete(self.name, item)]

    @property
    def expected(self) -> Sequence[Condition]:
        """The conditions that the entry's protocol calls for, sorted by name and strength."""
        return sorted(self.entry.expected[self.name])

    def correct(self, condition: Condition) -> NDArray[np.bool_]:
        """As ``LeaderboardEntry.correct``."""
        return self.entry.correct(self.name, condition)

    def outcomes(self, condition: Condition) -> pd.DataFrame:
        """As ``LeaderboardEntry.outcomes``."""
        return self.entry.outcomes(self.name, condition)

    def describe(self, condition: Condition) -> str:
        """The condition in words."""
        return self.entry.benchmarks[self.name].describe(condition)

    def clean(self) -> NDArray[np.bool_]:
        """``(N,)`` whether each of the same images is classified correctly without any change.

        Raises:
            DataError: the unchanged images were not run.
        """
        if not self.spec.auxiliary:
            return self.entry.clean()
        for name, variant in self.entry.benchmarks.items():
            if variant.declared is REFERENCE and variant.spec.dataset_digest == self.spec.dataset_digest:
                return self.entry.correct(name, REFERENCE_CONDITION)
        raise DataError(
            f"the images of {self.spec.dataset} were not run as they are: add an entry of {REFERENCE.name} to them"
        )


def measured(entry: LeaderboardEntry, benchmark: str) -> MeasuredBenchmark:
    """What the metrics of a benchmark are computed from.

    Args:
        entry: with the outcomes.
        benchmark: its key (``key_of``).

    Raises:
        DataError: the benchmark was not run.
    """
    if benchmark not in entry.benchmarks:
        raise DataError(f"{benchmark} was not run")
    return MeasuredBenchmark(entry, benchmark)

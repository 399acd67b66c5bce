"""What the metrics of a benchmark are computed from, for one leaderboard entry."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks import Metric
from bench.errors import DataError
from bench.metrics.estimates import proportion
from bench.metrics.sampling import completed
from bench.records import Condition, Estimate, RunSpec
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
        """The conditions that are complete, or sampled as a budget asked for; sorted by name and strength."""
        return [item for item in self.entry.conditions(self.name) if self.entry.has(self.name, item)]

    @property
    def expected(self) -> Sequence[Condition]:
        """The conditions that the entry's protocol calls for, sorted by name and strength."""
        return sorted(self.entry.expected[self.name])

    def correct(self, condition: Condition) -> NDArray[Any]:
        """As ``LeaderboardEntry.correct``."""
        return self.entry.correct(self.name, condition)

    def outcomes(self, condition: Condition) -> pd.DataFrame:
        """As ``LeaderboardEntry.outcomes``."""
        return self.entry.outcomes(self.name, condition)

    def outcomes_of(self, benchmark: str, condition: Condition) -> pd.DataFrame:
        """As ``LeaderboardEntry.outcomes``, of another benchmark of the same entry.

        Raises:
            DataError: it was not run, the cell is incomplete or failed, or decisions are made among other classes.
        """
        other = self.entry.benchmarks.get(benchmark)
        if other is not None and _classes(other.spec) != _classes(self.spec):
            raise DataError(
                f"{self.name} decides among {self.spec.n_classes} classes of {self.spec.label_space}, and {benchmark}"
                f" among {other.spec.n_classes} of {other.spec.label_space}"
            )
        return self.entry.outcomes(benchmark, condition)

    def column(self, condition: Condition, name: str) -> NDArray[Any]:
        """``(N,)`` one column of the outcomes, in dataset order; of a sample, as of ``metrics.sampling.completed``.

        Raises:
            DataError: the cell is missing, incomplete or failed.
        """
        rows = self.outcomes(condition)
        values: NDArray[Any] = rows[name].to_numpy()
        n_images = self.entry.benchmarks[self.name].cells[condition].spec.n_images
        return values if len(values) == n_images else completed(values, rows["position"].to_numpy(), n_images)

    def values(self, metric: Metric) -> NDArray[Any]:
        """``(N,)`` what each image contributes to a metric; of a sample, as of ``metrics.sampling.completed``.

        Raises:
            DataError: something is missing, or the metric mixes the samples of several conditions.
        """
        if not self.entry.is_sampled(self.name):
            return metric.values(self)
        try:
            values = metric.values(self)
        except DataError:
            raise
        except (ValueError, IndexError) as error:  # of columns of unlike lengths
            raise DataError("it is not known of samples of the images: it needs the full set (budget=full)") from error
        if len(values) == self.spec.n_images:
            return values
        conditions = self.conditions
        positions = self.entry.hits(self.name, conditions[0]).positions
        if len(conditions) > 1 or len(positions) != len(values):
            raise DataError("it is not known of samples of the images: it needs the full set (budget=full)")
        return completed(values, positions, self.spec.n_images)

    def estimate(self, metric: Metric) -> Estimate | None:
        """The metric with its own interval, where it has one that is better than that of ``values``; else None.

        That is so where the metric declares it, and for the share of right answers under one condition of a sample.

        Raises:
            DataError: as of ``values``.
        """
        if metric.exact is not None:
            return metric.exact(self)
        if not self.entry.is_sampled(self.name):
            return None
        try:
            values = metric.values(_OneSample(self.entry, self.name, self))
        except DataError:
            return None
        return proportion(values) if values.dtype == np.bool_ else None

    def n_images(self) -> int:
        """Images with an outcome under at least one of its conditions."""
        if not self.entry.is_sampled(self.name):
            return self.spec.n_images
        seen = np.zeros(self.spec.n_images, dtype=bool)
        for condition in self.conditions:
            seen[self.entry.hits(self.name, condition).positions] = True
        return int(seen.sum())

    def describe(self, condition: Condition) -> str:
        """The condition in words."""
        return self.entry.benchmarks[self.name].describe(condition)

    def clean(self) -> NDArray[Any]:
        """``(N,)`` whether each of the same images is classified correctly without any change, as of ``correct``.

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


@dataclass(frozen=True)
class _OneSample(MeasuredBenchmark):
    """A benchmark of which a metric may read one condition alone: the images of its sample, and no others."""

    view: MeasuredBenchmark
    """The benchmark."""
    asked: set[Condition] = field(default_factory=set)
    """Conditions that were read."""

    @property
    def conditions(self) -> Sequence[Condition]:
        """Those of the view."""
        return self.view.conditions

    @property
    def expected(self) -> Sequence[Condition]:
        """Those of the view."""
        return self.view.expected

    def correct(self, condition: Condition) -> NDArray[Any]:
        """``(k,)`` whether each image of the sample is classified correctly.

        Raises:
            DataError: another condition was read before.
        """
        self.asked.add(condition)
        if len(self.asked) > 1:
            raise DataError("it depends on several conditions")
        return self.entry.hits(self.name, condition).right

    def clean(self) -> NDArray[Any]:
        """Raises DataError: the sample of the clean images is another."""
        raise DataError("it depends on several conditions")


def _classes(spec: RunSpec) -> tuple[str, int]:
    return spec.label_space, spec.n_classes


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

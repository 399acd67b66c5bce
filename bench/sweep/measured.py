"""The figures of a classifier as a sweep knows them: for sampling until an interval is narrow enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.benchmarks import Benchmark, Metric
from bench.benchmarks.clean import Clean
from bench.errors import DataError
from bench.metrics.sampling import completed, sampled_estimate
from bench.records import Condition, Estimate, RunSpec
from bench.results import Store
from bench.sweep.plan import Cell


@dataclass(frozen=True)
class MeasuredEntry:
    """One entry of a suite as its metrics read it (``bench.benchmarks.Measured``)."""

    cells: Mapping[Condition, Cell]
    """Its cells."""
    clean_cell: Cell | None
    """The cell of the same images as they are."""
    store: Store
    """Where their outcomes are."""

    @property
    def benchmark(self) -> Benchmark:
        """The benchmark."""
        return next(iter(self.cells.values())).benchmark

    @property
    def name(self) -> str:
        """What the suite calls it."""
        return self.spec.entry

    @property
    def spec(self) -> RunSpec:
        """The identity of its first cell."""
        return next(iter(self.cells.values())).spec

    @property
    def conditions(self) -> Sequence[Condition]:
        """Its conditions, sorted by name and strength."""
        return sorted(self.cells)

    @property
    def expected(self) -> Sequence[Condition]:
        """Its conditions, sorted by name and strength."""
        return sorted(self.cells)

    def correct(self, condition: Condition) -> NDArray[Any]:
        """``(N,)`` whether each image is right; floats of ``bench.metrics.sampling.completed``."""
        return self._correct(self.cells[condition])

    def outcomes(self, condition: Condition) -> pd.DataFrame:
        """The rows of the images that have outcomes."""
        return self.store.outcomes(self.cells[condition].spec, sampled=True)

    def outcomes_of(self, benchmark: str, condition: Condition) -> pd.DataFrame:
        """Raises DataError: figures of several entries are computed by reports alone."""
        del condition
        raise DataError(f"{self.name} is compared with {benchmark} in the report")

    def column(self, condition: Condition, name: str) -> NDArray[Any]:
        """``(N,)`` one column of the outcomes, as of ``correct``."""
        rows = self.outcomes(condition)
        return completed(rows[name].to_numpy(), rows["position"].to_numpy(), self.spec.n_images)

    def describe(self, condition: Condition) -> str:
        """The condition in words."""
        return self.benchmark.describe(condition, self.benchmark.unit(condition))

    def clean(self) -> NDArray[Any]:
        """``(N,)`` whether each image is right as it is, as of ``correct``.

        Raises:
            DataError: the suite does not show the images as they are.
        """
        if self.clean_cell is None:
            raise DataError("the images were not run as they are")
        return self._correct(self.clean_cell)

    def _correct(self, cell: Cell) -> NDArray[Any]:
        right, positions = self.store.sampled_correct(cell.spec)
        return completed(right, positions, cell.spec.n_images)


def measured_entry(own: Sequence[Cell], cells: Sequence[Cell], store: Store) -> MeasuredEntry:
    """An entry with the clean cell of the same images.

    Args:
        own: the entry's cells.
        cells: all of the suite.
        store: with their outcomes.
    """
    digest = own[0].spec.dataset_digest
    clean = [cell for cell in cells if cell.spec.benchmark == Clean.name and cell.spec.dataset_digest == digest]
    return MeasuredEntry({cell.spec.condition: cell for cell in own}, clean[0] if clean else None, store)


def headline(measured: MeasuredEntry) -> tuple[str, Estimate]:
    """Title and value of an entry's first figure that is known, as of ``headline_values``.

    Raises:
        DataError: a condition has no outcomes.
    """
    n = max(len(measured.store.sampled_correct(cell.spec)[0]) for cell in measured.cells.values())
    title, values = headline_values(measured)
    return title, sampled_estimate(values, n)


def headline_values(measured: MeasuredEntry) -> tuple[str, NDArray[np.float64]]:
    """Title of an entry's first figure that is known, and ``(N,)`` what each image contributes, in points.

    Points are percent, or those of the mCE. An entry whose figures are all unknown has its mean accuracy over the
    conditions.

    Raises:
        DataError: a condition has no outcomes.
    """
    for metric in measured.benchmark.metrics:
        values = _values(measured, metric)
        if values is not None:
            return metric.title, values * (100.0 if metric.percent else 1.0)
    accuracies = np.mean([measured.correct(condition) for condition in measured.conditions], axis=0)
    return "mean accuracy", 100 * accuracies


def _values(measured: MeasuredEntry, metric: Metric) -> NDArray[Any] | None:
    """``(N,)`` what each image contributes to a metric; None where it is not known of these samples."""
    try:
        values = metric.values(measured)
    except (DataError, ValueError, IndexError):  # of another data set, or of columns of unlike lengths
        return None
    if len(values) == measured.spec.n_images:
        return values
    rows = measured.outcomes(measured.conditions[0])
    if len(measured.cells) > 1 or len(rows) != len(values):
        return None
    return completed(values, rows["position"].to_numpy(), measured.spec.n_images)

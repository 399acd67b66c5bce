"""What a benchmark declares of its figures, and what a figure is computed from."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.records import Condition, Estimate, RunSpec

HIGHER, LOWER = "higher", "lower"


class Measured(Protocol):
    """Read-only view of what was measured of one classifier with one benchmark."""

    @property
    def name(self) -> str:
        """What reports call the benchmark: its name, or the suite's entry where a suite may hold several of it."""

    @property
    def spec(self) -> RunSpec:
        """The identity of one of its cells: parameters, label space, image size."""

    @property
    def conditions(self) -> Collection[Condition]:
        """The conditions whose images have outcomes: all images, or the sample that a budget asked for."""

    @property
    def expected(self) -> Collection[Condition]:
        """The conditions that the protocol calls for: those that any classifier of the protocol was run under."""

    def correct(self, condition: Condition) -> NDArray[Any]:
        """``(N,)`` whether each image is classified correctly, in the order of the dataset.

        Booleans; where a budget chose a sample, floats whose mean is that of the sample, and which may be added,
        weighted and subtracted like booleans (``bench.metrics.sampling``).

        Raises:
            DataError: the cell is missing, incomplete or failed.
        """

    def outcomes(self, condition: Condition) -> pd.DataFrame:
        """Every column of the outcomes, one row per image that has one, in the order of the dataset.

        Raises:
            DataError: the cell is missing, incomplete or failed.
        """

    def column(self, condition: Condition, name: str) -> NDArray[Any]:
        """``(N,)`` one column of numbers of the outcomes, in the order of the dataset; of a sample, as ``correct``.

        Raises:
            DataError: the cell is missing, incomplete or failed.
        """

    def outcomes_of(self, benchmark: str, condition: Condition) -> pd.DataFrame:
        """As ``outcomes``, of another benchmark that the same classifier was taken through.

        Raises:
            DataError: it was not run, or the cell is incomplete or failed.
        """

    def describe(self, condition: Condition) -> str:
        """The condition in words."""

    def clean(self) -> NDArray[Any]:
        """``(N,)`` whether each image is classified correctly as it is, as of ``correct``.

        Raises:
            DataError: the clean images were not run.
        """


@dataclass(frozen=True)
class Metric:
    """One figure of a benchmark: a column of the leaderboard."""

    name: str
    """Column of the CSV file. Where a suite may hold several entries of the benchmark, the entry stands before it:
    ``pgd_robust_accuracy``."""
    title: str
    """Heading on the page; the entry stands before it too."""
    better: str
    """``higher`` or ``lower``."""
    values: Callable[[Measured], NDArray[Any]]
    """``(N,)`` what each image contributes. The figure is their mean, and classifiers are compared image by image.
    Booleans where an image is right or wrong. Raises DataError, saying what is missing, where it cannot be computed."""
    exact: Callable[[Measured], Estimate] | None = None
    """The figure itself, where its interval is better than the one that the values give: that of a ratio, say."""
    percent: bool = True
    """Whether the value is a share of 1, shown in percent."""
    always: bool = False
    """Whether its column is on every leaderboard, or only where some classifier ran the benchmark."""
    at_largest_strength: bool = False
    """Whether it is the figure at the largest strength alone, which a column of its own then states."""
    under_shift: bool = False
    """Whether it is an accuracy on changed images, which effective robustness compares with the clean accuracy."""
    on_front: bool = False
    """Whether the Pareto front of a comparison is drawn over it."""
    note: str = ""
    """Sentences below the leaderboard on how to read it."""
    order: int | None = None
    """Place among the figures that the rows of a leaderboard are ordered by; None where they are not."""
    applies: Callable[[RunSpec], bool] | None = None
    """Whether the figure exists for a cell at all: without such a cell, no leaderboard has its column. None: always."""
    published_as: str | Callable[[RunSpec], str] = ""
    """Its name in the tables of published figures (``bench.references``), or what says it of a cell; empty where none
    is published."""

    def published_name(self, spec: RunSpec) -> str:
        """Its name in the tables of published figures, for a cell of the benchmark; empty where none is published."""
        return self.published_as if isinstance(self.published_as, str) else self.published_as(spec)


def largest_strength(measured: Measured) -> Condition:
    """The condition of the largest strength that the protocol calls for: the same for all of its rows.

    Raises:
        DataError: there is none above 0.
    """
    above_zero = [condition for condition in measured.expected if condition.strength > 0]
    if not above_zero:
        unit = measured.spec.strength_unit or "strength"
        raise DataError(f"{measured.name} was not run at {'an' if unit[0] in 'aeiou' else 'a'} {unit} above 0")
    return max(above_zero, key=lambda condition: condition.strength)


def correct_at_largest_strength(measured: Measured) -> NDArray[Any]:
    """``(N,)`` whether each image is right under the largest strength; one that is wrong without it counts as wrong.

    Raises:
        DataError: as ``largest_strength``, or the cell is missing, incomplete or failed.
    """
    return measured.correct(largest_strength(measured))

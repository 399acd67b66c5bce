"""Intervals that hold however often one looks at the data while it comes in: confidence sequences.

An interval for a fixed number of images covers with 95 % if one looks once. Whoever looks after every round and stops
as soon as two classifiers seem to differ finds a difference between equal ones far more often than in 5 % of all runs.
A confidence sequence covers at all looks together (Howard, Ramdas, McAuliffe & Sekhon 2021). This one is asymptotic
(Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, "Time-uniform central limit theory and asymptotic confidence
sequences", theorem 2.2): it needs no bound on the values, only enough of them for a normal approximation.
"""

import math

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError
from bench.metrics.estimates import CONFIDENCE
from bench.metrics.sampling import standard_error
from bench.records import Estimate


def sequence_factor(n: int, first: int, *, error: float = 1 - CONFIDENCE) -> float:
    """Standard errors that an interval of a confidence sequence reaches to either side.

    ``sqrt(2 (n r + 1) / (n r) log(sqrt(n r + 1) / error))`` with ``r`` chosen so that the sequence is about narrowest
    at the first look (eq. 2.4 of the paper and its appendix B.2).

    Args:
        n: outcomes at this look.
        first: outcomes at the first look.
        error: probability that any interval of the sequence misses the truth.

    Raises:
        ValueError: fewer outcomes than at the first look, or an error that is no probability.
    """
    if not 0 < first <= n or not 0 < error < 1:
        raise ValueError(f"no interval of a sequence for {n} outcomes, {first} at the first look, error {error}")
    tuned = -2 * math.log(error) + math.log(-2 * math.log(error) + 1)
    scaled = n * tuned / first
    return math.sqrt(2 * (scaled + 1) / scaled * math.log(math.sqrt(scaled + 1) / error))


def sequence_interval(column: NDArray[np.float64], n: int, first: int, *, error: float = 1 - CONFIDENCE) -> Estimate:
    """The mean of a column with an interval that holds at all looks together.

    Args:
        column: ``(N,)`` of ``bench.metrics.sampling.completed``, or the difference of two such columns.
        n: outcomes that it was made from.
        first: outcomes at the first look.
        error: probability that any interval of the sequence misses the truth; smaller where several sequences are
            looked at together.

    Raises:
        DataError: no images.
    """
    if len(column) == 0:
        raise DataError("an empty set has no mean")
    value = float(column.mean())
    reach = sequence_factor(n, first, error=error) * standard_error(column)
    return Estimate(value, value - reach, value + reach, n)

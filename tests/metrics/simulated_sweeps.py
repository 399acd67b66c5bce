"""Simulated sweeps of the 75 corruption conditions, whose true mCE is known."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.data.order import window
from bench.metrics.corruption import ALEXNET_ERROR
from bench.metrics.sampling import completed

CONDITIONS = [(name, severity) for name in CORRUPTIONS for severity in SEVERITIES]
WEIGHTS = np.array([100 / ALEXNET_ERROR[name] / len(CONDITIONS) for name, _ in CONDITIONS])


def window_places(cell: int, k: int, n: int) -> NDArray[np.int64]:
    """The places of the order that condition ``cell`` is shown."""
    return np.concatenate([np.arange(*part) for part in window(cell, len(CONDITIONS), k, n)])


class Population:
    """Images of normally distributed difficulty, which all classifiers share."""

    spread = 2.5
    shifts = np.linspace(-2.5, 2.5, len(CONDITIONS))
    clean_shift = -4.0

    def truth(self, advantage: float) -> float:
        """The mCE of a classifier, by Gauss-Hermite quadrature."""
        return float(WEIGHTS @ self._rates(self.shifts - advantage))

    def relative_truth(self, advantage: float) -> float:
        """The same mean of errors less the clean error, with the same weights."""
        clean = self._rates(np.array([self.clean_shift - advantage]))[0]
        return self.truth(advantage) - float(WEIGHTS.sum() * clean)

    def robust_truth(self, advantage: float) -> float:
        """The robust accuracy in percent: one condition, harder than all others."""
        return 100 * (1 - float(self._rates(np.array([3.0 - advantage]))[0]))

    def _rates(self, shifts: NDArray[np.float64]) -> NDArray[np.float64]:
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        chances = expit(self.spread * nodes[:, None] + shifts)
        rates: NDArray[np.float64] = weights / weights.sum() @ chances
        return rates


class Sweep:
    """The outcomes of some classifiers on one set, drawn as they are asked for; samples of a sweep are nested."""

    def __init__(
        self, generator: np.random.Generator, n: int, largest: int, advantages: tuple[float, ...] = (0.0,)
    ) -> None:
        self.population, self.n, self.advantages = Population(), n, advantages
        self.difficulty = self.population.spread * generator.normal(size=n)
        # shared by classifiers: what is hard on an image is hard for all
        self.draws = generator.random((len(CONDITIONS), largest))
        self.clean_draws = generator.random(n)

    def columns(self, k: int) -> list[NDArray[np.float64]]:
        """The column of the mCE of each classifier from ``k`` images of each condition."""
        total = [np.zeros(self.n) for _ in self.advantages]
        for cell, (shift, weight) in enumerate(zip(self.population.shifts, WEIGHTS, strict=True)):
            places = self._grown(cell, k)
            for column, advantage in zip(total, self.advantages, strict=True):
                wrong = self.draws[cell, :k] < expit(self.difficulty[places] + shift - advantage)
                column += weight * completed(wrong, places, self.n)
        return total

    def clean_error(self, k: int) -> list[NDArray[np.float64]]:
        """The column of the error on ``k`` unchanged images, of each classifier."""
        places = np.arange(k)
        shift = self.population.clean_shift
        return [
            completed(self.clean_draws[:k] < expit(self.difficulty[places] + shift - advantage), places, self.n)
            for advantage in self.advantages
        ]

    def _grown(self, cell: int, k: int) -> NDArray[np.int64]:
        """The places of a condition in the order in which its sample grows."""
        start = cell * self.n // len(CONDITIONS)
        return (start + np.arange(k)) % self.n

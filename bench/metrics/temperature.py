"""Temperature scaling (Guo et al. 2017) from a few stored numbers of each image.

Divided by a temperature ``T``, the logits of an image give the class ``k`` the log-probability
``z_k / T - logsumexp(z / T)``. So the logits of the label and of the prediction and the log-sum-exp at some
temperatures are enough: between these, a cubic spline in ``log T`` joins them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize_scalar

from bench.errors import DataError

TEMPERATURES: tuple[float, ...] = tuple(2.0 ** (step / 4) for step in range(-8, 9))
"""Temperatures whose log-sum-exp is stored: 1/4 to 4 in steps of the fourth root of 2."""


@dataclass(frozen=True)
class StoredLogits:
    """What is stored of the logits of ``N`` images."""

    label: NDArray[np.float64]
    """``(N,)`` logit of the label."""
    top: NDArray[np.float64]
    """``(N,)`` largest logit."""
    logsumexp: NDArray[np.float64]
    """``(N, len(TEMPERATURES))`` of the logits divided by each temperature."""

    def __post_init__(self) -> None:
        if self.logsumexp.shape != (len(self.label), len(TEMPERATURES)) or len(self.top) != len(self.label):
            raise DataError("the stored logits are not those of the same images, or of other temperatures")
        if not len(self.label):
            raise DataError("an empty set has no temperature")

    def rows(self, rows: NDArray[np.bool_]) -> "StoredLogits":
        """Those of the images where ``rows``, ``(N,)``, is true."""
        return StoredLogits(self.label[rows], self.top[rows], self.logsumexp[rows])

    def confidence(self, temperature: float) -> NDArray[np.float64]:
        """``(N,)`` softmax probability of the prediction at a temperature between the first and last stored one."""
        return np.exp(np.minimum(0, self.top / temperature - self._at(temperature)))

    def log_loss(self, temperature: float) -> NDArray[np.float64]:
        """``(N,)`` minus the log-probability of the label, in nats, at a temperature as of ``confidence``."""
        return self._at(temperature) - self.label / temperature

    def _at(self, temperature: float) -> NDArray[np.float64]:
        """``(N,)`` the log-sum-exp; the spline is that of what exceeds the largest logit, in ``[0, log K]``."""
        nodes = np.array(TEMPERATURES)
        spline = CubicSpline(np.log(nodes), self.logsumexp - self.top[:, None] / nodes, axis=1)
        return np.asarray(spline(np.log(temperature)) + self.top / temperature, dtype=np.float64)


def fit_temperature(logits: StoredLogits) -> float:
    """The temperature of the smallest mean log-loss, between the first and the last of ``TEMPERATURES``.

    A value at an end of the range says that the best one may lie outside.
    """
    nodes = np.log(TEMPERATURES)
    excess = logits.logsumexp.mean(axis=0) - logits.top.mean() / np.array(TEMPERATURES)
    spline = CubicSpline(nodes, excess)  # the spline of the mean is the mean of the splines
    gap = float(logits.top.mean() - logits.label.mean())
    found = minimize_scalar(
        lambda log_t: float(spline(log_t)) + gap * np.exp(-log_t), bounds=(nodes[0], nodes[-1]), method="bounded"
    )
    return float(np.exp(found.x))

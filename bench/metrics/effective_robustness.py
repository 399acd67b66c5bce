"""Effective robustness (Taori et al. 2020): accuracy under shift beyond what the clean accuracy predicts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from bench.errors import DataError

FEWEST = 5
"""Classifiers below which a line says nothing: any two lie on one."""


@dataclass(frozen=True)
class LogitFit:
    """A line through classifiers: logit(accuracy under shift) against logit(clean accuracy)."""

    slope: float
    """Of the line."""
    intercept: float
    """Of the line."""
    n: int
    """Classifiers it rests on."""
    r_squared: float
    """Share of the variance on the logit scale that the line explains."""

    def predict(self, clean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Accuracy under shift, in [0,1], predicted from clean accuracies in (0,1)."""
        return np.asarray(expit(self.intercept + self.slope * logit(clean)))


def fit_logits(clean: NDArray[np.float64], shifted: NDArray[np.float64]) -> LogitFit:
    """Least squares on the logit scale, as in Taori et al.

    Args:
        clean: ``(A,)`` accuracies in [0,1]; classifiers at exactly 0 or 1 on either axis have no logit: left out.
        shifted: ``(A,)`` accuracies under the shift.

    Raises:
        DataError: too few classifiers remain, or all have one clean accuracy.
    """
    usable = (clean > 0) & (clean < 1) & (shifted > 0) & (shifted < 1)
    n = int(usable.sum())
    if n < FEWEST:
        raise DataError(
            f"effective robustness needs {FEWEST} classifiers with both accuracies between 0 and 1, not {n}"
        )
    x, y = logit(clean[usable]), logit(shifted[usable])
    if np.ptp(x) == 0:
        raise DataError("effective robustness needs classifiers of different clean accuracy")
    slope = float(np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2))
    intercept = float(y.mean() - slope * x.mean())
    residual, total = np.sum((y - intercept - slope * x) ** 2), np.sum((y - y.mean()) ** 2)
    return LogitFit(slope, intercept, n, float(1 - residual / total) if total else 1.0)


def effective_robustness(fit: LogitFit, clean: float, shifted: float) -> float:
    """Accuracy under shift minus the fit's: NaN at a clean accuracy of exactly 0 or 1, which has no logit."""
    if not 0 < clean < 1:
        return float("nan")
    return shifted - float(fit.predict(np.array(clean)))

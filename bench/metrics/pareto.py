"""The Pareto front: what no other is at least as good as on every figure and better on one."""

import numpy as np
from numpy.typing import NDArray


def pareto_front(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points no other dominates: as good in every coordinate and better in one.

    Args:
        points: ``(A, K)``, larger is better in every coordinate (negate costs), no NaN.

    Returns:
        ``(A,)``; equal points stay together.
    """
    as_good = np.all(points[None, :, :] >= points[:, None, :], axis=2)
    better = np.any(points[None, :, :] > points[:, None, :], axis=2)
    front: NDArray[np.bool_] = ~np.any(as_good & better, axis=1)
    return front

"""L-BFGS on many images at once, each with its own curvature: no image's path depends on its batch."""

from collections import deque

import torch
from torch import Tensor

HISTORY = 10
"""Pairs of steps and gradient changes kept; memory grows with it."""
LEAST_CURVATURE = 1e-10
"""A pair of less curvature (step . gradient change) is left out, as in ``torch.optim.LBFGS``."""


class BatchedLBFGS:
    """Directions of limited-memory BFGS (Nocedal & Wright 2006, algorithm 7.4), independently for each row.

    With unit steps and one row these are the iterates of ``torch.optim.LBFGS`` without line search.
    """

    def __init__(self) -> None:
        self._pairs: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=HISTORY)
        self._last: tuple[Tensor, Tensor] | None = None

    def step(self, point: Tensor, gradient: Tensor) -> Tensor:
        """The change to make.

        Args:
            point: ``(B,D)`` where we are, after whatever was done to the last step (clipping).
            gradient: ``(B,D)`` there.

        Returns:
            ``(B,D)``.
        """
        if self._last is None:
            change = -gradient * (1 / gradient.abs().sum(dim=1, keepdim=True)).clamp(max=1)
        else:
            self._remember(point - self._last[0], gradient - self._last[1])
            change = -self._inverse_hessian_times(gradient)
        self._last = (point.clone(), gradient.clone())
        return change

    def _remember(self, moved: Tensor, bent: Tensor) -> None:
        curvature = _dot(moved, bent)
        usable = curvature > LEAST_CURVATURE
        inverse = torch.where(usable, 1 / curvature.where(usable, torch.ones_like(curvature)), 0)
        self._pairs.append((moved, bent, inverse))

    def _inverse_hessian_times(self, gradient: Tensor) -> Tensor:
        product, weights = gradient.clone(), []
        scale = torch.ones_like(gradient[:, :1])
        for moved, bent, inverse in reversed(self._pairs):
            weight = inverse * _dot(moved, product)
            product = product - weight * bent
            weights.append(weight)
        for _, bent, inverse in self._pairs:  # the scale of the newest usable pair
            newest = 1 / (inverse * _dot(bent, bent)).clamp_min(LEAST_CURVATURE)
            scale = torch.where(inverse > 0, newest, scale)
        product = product * scale
        for (moved, bent, inverse), weight in zip(self._pairs, reversed(weights), strict=True):
            product = product + moved * (weight - inverse * _dot(bent, product))
        return product


def _dot(left: Tensor, right: Tensor) -> Tensor:
    return (left * right).sum(dim=1, keepdim=True)

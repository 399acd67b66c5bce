"""What an attack did to each image, and the checks no result may skip."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class AttackError(RuntimeError):
    """An attack or classifier broke its contract; the images count as not evaluated, never as robust."""


@dataclass(frozen=True)
class AttackResult:
    """What happened to each of ``B`` attacked images; columns of equal length."""

    adversarials: Tensor
    """``(B,3,H,W)`` in [0,1]: the adversarial image where one was found, else the attack's best try within epsilon."""
    prediction: NDArray[np.int64]
    """``(B,)`` class predicted on ``adversarials``."""
    confidence: NDArray[np.float32]
    """``(B,)`` softmax probability of the prediction, in [0,1]."""
    distance: NDArray[np.float64]
    """``(B,)`` size of the perturbation in ``norm``; for minimal-norm attacks the smallest found, inf where none."""
    success: NDArray[np.bool_]
    """``(B,)`` whether the image is adversarial: misclassified, or for a targeted attack predicted as its target."""
    queries: NDArray[np.int64]
    """``(B,)`` times the attack showed a version of this image to the classifier; the clean prediction is not counted.
    A forward pass that also yields a gradient counts once."""
    zero_gradient: NDArray[np.float32]
    """``(B,)`` share of exact zeros in the first input gradient, in [0,1]; NaN where the attack recorded none."""
    stage: NDArray[np.str_]
    """``(B,)`` what broke the image: ``clean`` (misclassified before any attack), the attack or its stage, or empty."""
    clean_prediction: NDArray[np.int64]
    """``(B,)`` class predicted on the untouched image."""
    norm: str
    """Norm that ``distance`` and epsilon are measured in: ``linf``, ``l2``, ``l1``, ``l0`` (changed channel values) or
    ``pixels`` (changed positions)."""
    epsilon: float
    """Bound of the perturbation, in [0,1] pixel units of ``norm``."""

    def __len__(self) -> int:
        return len(self.prediction)


@dataclass(frozen=True)
class Candidates:
    """What a search returns for the ``n`` images that it attacked, before it is verified."""

    images: Tensor
    """``(n,3,H,W)`` the best version found of each image, adversarial or not."""
    logits: Tensor
    """``(n,K)`` the classifier's logits on ``images``."""
    queries: Tensor
    """``(n,)`` int64 queries spent."""
    zero_gradient: Tensor | None = None
    """``(n,)`` share of zeros in the first gradient, where the search computes one."""
    stage: NDArray[np.str_] | None = None
    """``(n,)`` name of the stage that each image comes from, for attacks that are cascades."""


class Settled(NamedTuple):
    """The answers of the images that left a search together."""

    rows: Tensor
    """``(m,)`` int64 rows of the inputs."""
    images: Tensor
    """``(m,3,H,W)`` answers."""
    logits: Tensor
    """``(m,K)`` the classifier's logits on them."""


def in_order(parts: Sequence[Settled]) -> Settled:
    """All answers in the order of the inputs, whenever each image left."""
    rows = torch.cat([part.rows for part in parts])
    order = rows.argsort()
    images, logits = torch.cat([part.images for part in parts]), torch.cat([part.logits for part in parts])
    return Settled(rows=rows[order], images=images[order], logits=logits[order])


def join(parts: Sequence[Candidates]) -> Candidates:
    """The candidates of several searches, in order; they record neither gradients nor stages."""
    return Candidates(
        images=torch.cat([part.images for part in parts]),
        logits=torch.cat([part.logits for part in parts]),
        queries=torch.cat([part.queries for part in parts]),
    )


def distances(norm: str, clean: Tensor, perturbed: Tensor) -> Tensor:
    """Size of each perturbation, accumulated in double precision.

    Args:
        norm: ``linf``, ``l2``, ``l1``, ``l0`` or ``pixels``.
        clean: ``(n,3,H,W)`` images.
        perturbed: ``(n,3,H,W)`` images.

    Returns:
        ``(n,)`` float64.
    """
    delta = perturbed.double() - clean.double()
    if norm == "pixels":
        return (delta != 0).any(dim=1).flatten(1).sum(dim=1).double()
    order = {"linf": torch.inf, "l2": 2, "l1": 1, "l0": 0}[norm]
    sizes: Tensor = torch.linalg.vector_norm(delta.flatten(1), ord=order, dim=1)
    return sizes


def rounding_allowance(norm: str, epsilon: float, n_values: int) -> float:
    """How far float32 rounding alone may carry a perturbation of ``n_values`` values past ``epsilon``."""
    step = float(np.finfo(np.float32).eps)  # spacing of float32 just above 1
    worst = {"linf": step, "l2": step * math.sqrt(n_values), "l1": step * n_values, "l0": 0.0, "pixels": 0.0}[norm]
    return worst + (1e-5 * epsilon if norm in ("l2", "l1") else 0.0)  # the norm itself is a float32 sum in foolbox


def verify(norm: str, epsilon: float, clean: Tensor, perturbed: Tensor) -> Tensor:
    """Check that images lie within the epsilon ball and in [0,1], up to float rounding.

    Returns:
        ``(n,)`` float64 distances.

    Raises:
        AttackError: an image is not finite, leaves [0,1], or leaves the ball.
    """
    if not torch.isfinite(perturbed).all():
        raise AttackError("the attack returned images that are not finite")
    low, high = float(perturbed.min()), float(perturbed.max())
    if low < -1e-6 or high > 1 + 1e-6:
        raise AttackError(f"the attack left the pixel range [0,1]: values from {low:.6g} to {high:.6g}")
    sizes = distances(norm, clean, perturbed)
    worst = float(sizes.max())
    if worst > epsilon + rounding_allowance(norm, epsilon, clean[0].numel()):
        raise AttackError(f"the attack left its {norm} ball: distance {worst:.8g} where epsilon is {epsilon:.8g}")
    return sizes

"""Transfer attack: a surrogate's adversarial images, shown to a target (Papernot et al. 2016, arXiv:1605.07277)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.attacks.guard import GuardedClassifier
from bench.attacks.inputs import evaluate
from bench.attacks.result import AttackResult, verify
from bench.errors import ConfigurationError


@dataclass(frozen=True)
class TransferResult:
    """What a target classifier makes of a surrogate's ``B`` adversarial images."""

    clean_prediction: NDArray[np.int64]
    """``(B,)`` the target's class for the clean image."""
    prediction: NDArray[np.int64]
    """``(B,)`` the target's class for the surrogate's adversarial image."""
    confidence: NDArray[np.float32]
    """``(B,)`` the target's softmax probability of that class."""
    surrogate_fooled: NDArray[np.bool_]
    """``(B,)`` whether the surrogate was fooled: correct on the clean image, wrong on the attacked one."""


def evaluate_transfer(target: nn.Module, images: Tensor, labels: Tensor, attacked: AttackResult) -> TransferResult:
    """Show a surrogate's adversarial images to another classifier of the same input size and classes.

    The surrogate's best tries count too where it withstood its own attack: the target may still fall to them.

    Args:
        target: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``, in eval mode.
        images: ``(B,3,H,W)`` the clean images the surrogate was attacked on.
        labels: ``(B,)`` true classes.
        attacked: what ``run_attack`` returned for the surrogate, untargeted.

    Raises:
        ConfigurationError: the images are not those of ``attacked``, or the target is in training mode.
        AttackError: an image is outside the attack's ball, or the target returned NaN or infinity.
    """
    if target.training:
        raise ConfigurationError("the target is in training mode; call .eval() before evaluating it")
    if images.shape != attacked.adversarials.shape or len(labels) != len(images):
        raise ConfigurationError(
            f"images {tuple(images.shape)} and labels {tuple(labels.shape)} do not match the attack's "
            f"{tuple(attacked.adversarials.shape)}: give those the surrogate was attacked on"
        )
    verify(attacked.norm, attacked.epsilon, images, attacked.adversarials)
    model = GuardedClassifier(target)
    truth = labels.cpu().numpy()
    clean = evaluate(model, images).argmax(dim=1).cpu().numpy()
    confidence, prediction = evaluate(model, attacked.adversarials).softmax(dim=1).max(dim=1)
    model.check()
    return TransferResult(
        clean_prediction=clean,
        prediction=prediction.cpu().numpy(),
        confidence=confidence.float().cpu().numpy(),
        surrogate_fooled=(attacked.clean_prediction == truth) & (attacked.prediction != truth),
    )

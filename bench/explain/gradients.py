"""Maps from the gradient of a class score (the logit, before softmax) with respect to the image."""

from collections.abc import Sequence
from typing import Literal

import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from bench.explain.cam import grad_cam
from bench.explain.features import class_scores
from bench.explain.rectifiers import Rule, rectified_gradients

Channels = Literal["max", "sum"]
"""How absolute values over the three channels become one: ``max`` (Simonyan et al. 2014) or ``sum``."""


def input_gradients(classifier: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """The gradient ``(B,3,H,W)`` of each image's class score with respect to its pixels in [0,1], signed.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        images: ``(B,3,H,W)`` in [0,1].
        targets: ``(B,)`` classes.
    """
    images = images.detach().requires_grad_()
    scores = class_scores(classifier, images, targets)
    (gradients,) = torch.autograd.grad(scores.sum(), images)
    return gradients


def saliency(classifier: nn.Module, images: Tensor, targets: Tensor, *, channels: Channels = "max") -> Tensor:
    """The absolute gradient of the class score (Simonyan et al. 2014), ``(B,H,W)``.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        images: ``(B,3,H,W)`` in [0,1].
        targets: ``(B,)`` classes.
        channels: ``max`` or ``sum`` over the channels.
    """
    return _over_channels(input_gradients(classifier, images, targets), channels)


def smoothgrad(
    classifier: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    samples: int = 50,
    noise: float = 0.15,
    seeds: Sequence[int] | None = None,
    channels: Channels = "max",
) -> Tensor:
    """The mean gradient over noisy copies of the image (Smilkov et al. 2017), in absolute value, ``(B,H,W)``.

    Noisy copies are not clipped to [0,1], as in the paper.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        images: ``(B,3,H,W)`` in [0,1].
        targets: ``(B,)`` classes.
        samples: noisy copies of each image; the paper finds little gain beyond 50.
        noise: standard deviation as a share of the image's largest minus smallest value; the paper uses 0.1 to 0.2.
        seeds: one per image, so that no map depends on its batch; left out, every image gets the noise of seed 0.
        channels: ``max`` or ``sum`` over the channels.
    """
    # Drawn on the CPU: the same noise on every device.
    generators = [torch.Generator().manual_seed(seed) for seed in seeds or [0] * len(images)]
    sigma = noise * (images.amax(dim=(1, 2, 3), keepdim=True) - images.amin(dim=(1, 2, 3), keepdim=True))
    total = torch.zeros_like(images)
    for _ in range(samples):
        draws = torch.stack([torch.randn(images.shape[1:], generator=generator) for generator in generators])
        total += input_gradients(classifier, images + sigma * draws.to(images), targets)
    return _over_channels(total / samples, channels)


def integrated_gradients(
    classifier: nn.Module, images: Tensor, targets: Tensor, *, steps: int = 50, baseline: float = 0.0
) -> Tensor:
    """Integrated gradients (Sundararajan et al. 2017), summed over channels, signed, ``(B,H,W)``.

    Complete: a map's sum is the class score of the image minus that of the baseline, to within the quadrature.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        images: ``(B,3,H,W)`` in [0,1].
        targets: ``(B,)`` classes.
        steps: points of the Gauss-Legendre quadrature.
        baseline: grey level in [0,1] of the image the path starts from; the paper's is black.
    """
    # One point of the path at a time, over the whole batch: memory does not grow with the steps.
    attributions: Tensor = IntegratedGradients(classifier, multiply_by_inputs=True).attribute(
        images, baselines=baseline, target=targets, n_steps=steps, internal_batch_size=len(images)
    )
    return attributions.detach().sum(dim=1).to(images.dtype)


def guided_backprop(classifier: nn.Module, images: Tensor, targets: Tensor, *, channels: Channels = "max") -> Tensor:
    """Guided backpropagation (Springenberg et al. 2015) in absolute value, ``(B,H,W)``.

    The signed ``(B,3,H,W)`` gradients are those of ``rectified_gradients``, which also says what raises.
    """
    return _rectified(classifier, images, targets, "guided", channels)


def deconvnet(classifier: nn.Module, images: Tensor, targets: Tensor, *, channels: Channels = "max") -> Tensor:
    """The deconvolutional network of Zeiler and Fergus (2014) in absolute value, ``(B,H,W)``.

    The signed ``(B,3,H,W)`` gradients are those of ``rectified_gradients``, which also says what raises.
    """
    return _rectified(classifier, images, targets, "deconvnet", channels)


def guided_grad_cam(classifier: nn.Module, images: Tensor, targets: Tensor, *, channels: Channels = "max") -> Tensor:
    """Enlarged Grad-CAM times guided backprop, elementwise (Selvaraju et al. 2017), in absolute value, ``(B,H,W)``."""
    maps = grad_cam(classifier, images, targets)
    return maps * guided_backprop(classifier, images, targets, channels=channels)


def _rectified(classifier: nn.Module, images: Tensor, targets: Tensor, rule: Rule, channels: Channels) -> Tensor:
    return _over_channels(rectified_gradients(classifier, images, targets, rule), channels)


def _over_channels(gradients: Tensor, channels: Channels) -> Tensor:
    absolute = gradients.abs()
    return absolute.amax(dim=1) if channels == "max" else absolute.sum(dim=1)

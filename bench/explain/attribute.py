"""One call for every attribution method."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import ConfigurationError, nearest_names
from bench.explain.cam import grad_cam, grad_cam_plus_plus
from bench.explain.gradients import (
    deconvnet,
    guided_backprop,
    guided_grad_cam,
    integrated_gradients,
    saliency,
    smoothgrad,
)
from bench.explain.occlusion import occlusion


@dataclass(frozen=True)
class Method:
    """An attribution method."""

    function: Callable[..., Tensor]
    """``(classifier, images, targets, *, settings) -> (B,H,W)``."""
    title: str
    """As shown to people."""
    signed: bool = False
    """Whether maps have negative values, which speak against the class."""

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of the method's own settings."""
        parameters = inspect.signature(self.function).parameters.values()
        return tuple(parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY)


METHODS: dict[str, Method] = {
    "grad_cam": Method(grad_cam, "Grad-CAM"),
    "grad_cam_plus_plus": Method(grad_cam_plus_plus, "Grad-CAM++"),
    "saliency": Method(saliency, "Saliency"),
    "smoothgrad": Method(smoothgrad, "SmoothGrad"),
    "integrated_gradients": Method(integrated_gradients, "Integrated gradients", signed=True),
    "occlusion": Method(occlusion, "Occlusion", signed=True),
    "guided_backprop": Method(guided_backprop, "Guided backprop"),
    "deconvnet": Method(deconvnet, "Deconvnet"),
    "guided_grad_cam": Method(guided_grad_cam, "Guided Grad-CAM"),
}
"""Every attribution method by name."""


def check_method(method: str, settings: tuple[str, ...] = ()) -> None:
    """Refuse a method or setting that does not exist.

    Raises:
        ConfigurationError: naming the nearest ones.
    """
    if method not in METHODS:
        raise ConfigurationError(f"unknown attribution method {method!r}: {nearest_names(method, METHODS)}")
    for setting in settings:
        valid = METHODS[method].settings
        if setting not in valid:
            hint = nearest_names(setting, valid) if valid else "it has none"
            raise ConfigurationError(f"{method} has no setting {setting!r}: {hint}")


def attribute(classifier: nn.Module, images: Tensor, targets: Tensor, method: str, **settings: Any) -> Tensor:
    """Attribution maps of a batch: which pixels of each image are evidence for its target class.

    The classifier is to be in eval mode with frozen parameters, as a ``Classifier`` is; it is left as it was. May be
    called under ``torch.inference_mode`` or ``no_grad``.

    Args:
        classifier: ``(B,3,H,W)`` float in [0,1] -> logits ``(B,K)``, normalisation inside.
        images: ``(B,3,H,W)`` float in [0,1].
        targets: ``(B,)`` int64, the class each map is about.
        method: a name in ``METHODS``.
        **settings: the method's own.

    Returns:
        ``(B,H,W)`` maps on the images' device, without a graph; larger is more important, negative (where
        ``METHODS[method].signed``) is evidence against the class. Not scaled to [0,1].

    Raises:
        ConfigurationError: unknown method or setting, or one that this classifier has no honest map for.
    """
    check_method(method, tuple(settings))
    with torch.inference_mode(mode=False), torch.enable_grad():
        # A copy: tensors of inference mode can be in no graph.
        return METHODS[method].function(classifier, images.detach().clone(), targets.clone(), **settings).detach()

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
from bench.models import has_gradient


@dataclass(frozen=True)
class Method:
    """An attribution method."""

    function: Callable[..., Tensor]
    """``(classifier, images, targets, *, settings) -> (B,H,W)``."""
    title: str
    """As shown to people."""
    signed: bool = False
    """Whether maps have negative values, which speak against the class."""
    needs_gradient: bool = True
    """Whether it follows the gradient of a class score."""

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
    "occlusion": Method(occlusion, "Occlusion", signed=True, needs_gradient=False),
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


def check_without_gradient(method: str, classifier: str) -> None:
    """Refuse a classifier without a gradient, where the method follows one.

    Args:
        method: a name in ``METHODS``.
        classifier: its name, for the message.

    Raises:
        ConfigurationError: naming the methods that work.
    """
    if METHODS[method].needs_gradient:
        others = ", ".join(name for name, item in METHODS.items() if not item.needs_gradient)
        raise ConfigurationError(
            f"{method} follows the gradient, and {classifier} has none: it runs forward passes alone; {others} works"
        )


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
    if not has_gradient(classifier):
        check_without_gradient(method, str(getattr(classifier, "name", "the classifier")))
    with torch.inference_mode(mode=False), torch.enable_grad():
        # A copy: tensors of inference mode can be in no graph.
        return METHODS[method].function(classifier, images.detach().clone(), targets.clone(), **settings).detach()

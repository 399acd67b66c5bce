"""Occlusion: how far the class score falls when a window of the image is covered."""

from captum.attr import Occlusion
from torch import Tensor, nn


def occlusion(
    classifier: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    window: int | None = None,
    stride: int | None = None,
    baseline: float = 0.5,
) -> Tensor:
    """The fall of the class score when a grey square covers a pixel (Zeiler and Fergus 2014), ``(B,H,W)``, signed.

    A pixel's value is the mean fall over the windows that cover it. The last window of a row or column ends at the
    image's edge and may be smaller.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        images: ``(B,3,H,W)`` in [0,1].
        targets: ``(B,)`` classes.
        window: side of the square in pixels; a seventh of the shorter side when left out (32 of 224).
        stride: pixels from one window to the next, at most ``window``; half the window when left out.
        baseline: grey level in [0,1] of the square.
    """
    window = window or max(1, min(images.shape[2:]) // 7)
    stride = stride or max(1, window // 2)
    attributions: Tensor = Occlusion(classifier).attribute(
        images,
        sliding_window_shapes=(3, window, window),
        strides=(3, stride, stride),
        baselines=baseline,
        target=targets,
    )
    return attributions.detach()[:, 0]  # the window covers all channels alike

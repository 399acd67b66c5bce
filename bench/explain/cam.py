"""Class activation maps: which positions of the last feature map speak for a class."""

import torch.nn.functional as F
from torch import Tensor, nn

from bench.explain.features import spatial_features


def grad_cam(classifier: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017): ``ReLU(sum_k alpha_k A_k)``, ``alpha_k`` the mean gradient of channel k.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        images: ``(B,3,H,W)`` in [0,1].
        targets: ``(B,)`` class of each map.

    Returns:
        ``(B,H,W)`` maps, 0 or more, bilinearly enlarged to the image; on the scale of the logits, not of [0,1].

    Raises:
        ConfigurationError: the classifier has no spatial feature map.
    """
    activations, gradients = spatial_features(classifier, images, targets)
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return _enlarge((weights * activations).sum(dim=1).relu(), images)


def grad_cam_plus_plus(classifier: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """Grad-CAM++ (Chattopadhay et al. 2018), equations 7 and 19.

    The paper scores a class by ``exp(logit)``; its factor ``exp(logit)`` is the same at every position and left out.
    Arguments, result and errors are those of ``grad_cam``.
    """
    activations, gradients = spatial_features(classifier, images, targets)
    squares, cubes = gradients**2, gradients**3
    denominator = 2 * squares + activations.sum(dim=(2, 3), keepdim=True) * cubes
    # Equation 19 is 0/0 where the gradient is 0, and such a position has no weight.
    alphas = (squares / denominator).where(denominator != 0, denominator.new_zeros(()))
    weights = (alphas * gradients.relu()).sum(dim=(2, 3), keepdim=True)
    return _enlarge((weights * activations).sum(dim=1).relu(), images)


def _enlarge(maps: Tensor, images: Tensor) -> Tensor:
    return F.interpolate(maps[:, None], size=images.shape[2:], mode="bilinear", align_corners=False).squeeze(1)

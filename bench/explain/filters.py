"""What can be read off the weights: the first layer's filters, and the templates of the last."""

import torch
from torch import Tensor, nn

from bench.errors import ConfigurationError
from bench.models import Classifier


def first_layer_filters(classifier: Classifier) -> Tensor:
    """The first convolution over the image's colours, ``(N,3,h,w)``: what each of its units correlates the image with.

    Raises:
        ConfigurationError: the network has no such convolution.
    """
    for module in classifier.network.modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == 3 and module.groups == 1:
            return module.weight.detach()
    raise ConfigurationError(f"{type(classifier.network).__name__} has no convolution over the image's three channels")


def class_templates(classifier: Classifier, classes: list[int], n_classes: int) -> Tensor:
    """The last linear layer's weights of some classes: images where it reads pixels, else one row a class.

    Returns:
        ``(K,3,H,W)`` where the layer's input has as many values as the image, else ``(K,1,1,F)``.

    Raises:
        ConfigurationError: no linear layer has one row a class.
    """
    height, width = classifier.input_size
    linear = [module for module in classifier.network.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    for module in reversed(linear):
        weight = module.weight.detach()
        if weight.ndim == 4 and weight.shape[2:] != (1, 1):
            continue
        rows = weight.flatten(1)
        if len(rows) == n_classes:
            chosen = rows[torch.tensor(classes)]
            if rows.shape[1] == 3 * height * width:
                return chosen.view(len(classes), 3, height, width)
            return chosen.view(len(classes), 1, 1, -1)
    raise ConfigurationError(f"{type(classifier.network).__name__} has no last linear layer with a row a class")

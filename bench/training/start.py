"""The network that training starts from, fitted to the classes of the images."""

import logging

import numpy as np
import torch
from numpy.typing import NDArray

from bench.configs import DataConfig, ModelConfig, Recipe
from bench.data import load_dataset
from bench.data.label_spaces import unnamed_classes
from bench.errors import ConfigurationError
from bench.models import Classifier, load_classifier
from bench.seeding import derive_seed

logger = logging.getLogger(__name__)


def classifier_to_train(model: ModelConfig, data: DataConfig, recipe: Recipe, *, seed: int) -> Classifier:
    """The classifier that training starts from, with the head that the recipe asks for.

    Args:
        model: which classifier.
        data: the images, whose labels it must have logits for.
        recipe: states whether the head is new.
        seed: of a new head's weights.

    Raises:
        ConfigurationError: no such classifier, no head that can be replaced, or a label without a logit.
    """
    classifier = load_classifier(model)
    if recipe.new_head is not None:
        with_new_head(classifier, recipe.new_head, seed=seed)
    remark = check_classes(classifier, load_dataset(data, classifier.label_space).labels)
    if remark:
        logger.warning("%s; for a smaller head, set model.num_classes or recipe.new_head", remark)
    return classifier


def with_new_head(classifier: Classifier, n_classes: int, *, seed: int) -> Classifier:
    """Replace, in place, the classification layer of a timm network by an untrained one of ``n_classes`` logits.

    Raises:
        ConfigurationError: the network has no classification layer that can be replaced.
    """
    reset = getattr(classifier.network, "reset_classifier", None)
    if reset is None:
        raise ConfigurationError(f"{classifier.name} has no head that recipe.new_head could replace")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "new_head"))
        reset(n_classes)
    classifier.label_space = unnamed_classes(n_classes)
    classifier.weights_digest = classifier.digest()
    return classifier


def check_classes(classifier: Classifier, labels: NDArray[np.int64]) -> str:
    """Compare the logits of ``classifier`` with the classes of the images.

    Returns:
        A remark in words where classes have no images; empty otherwise.

    Raises:
        ConfigurationError: a label without a logit.
    """
    with torch.no_grad():
        n_logits = classifier(torch.zeros(1, 3, *classifier.input_size)).shape[1]
    n_classes, highest = len(np.unique(labels)), int(labels.max())
    if highest >= n_logits:
        raise ConfigurationError(
            f"the images have label {highest}, but {classifier.name} has {n_logits} logits: add"
            f" model.num_classes={highest + 1} for a network from scratch, or recipe.new_head={highest + 1} to keep the"
            " weights below the head"
        )
    if n_classes < n_logits:
        return f"the images show {n_classes} of the {n_logits} classes of {classifier.name}"
    return ""

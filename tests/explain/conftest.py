"""Classifiers to explain: any network with its normalisation inside, and its crop."""

import pytest
import timm
import torch
from torch import nn

from bench.data.crop import CropRecipe
from bench.data.label_spaces import unnamed_classes
from bench.models import Classifier


@pytest.fixture(scope="session")
def make_classifier():
    """A classifier of a timm architecture with random weights, or of any network."""

    def make(network: str | nn.Module, side: int = 32, mean=(0.5,) * 3, std=(0.5,) * 3, **options) -> Classifier:
        name = network if isinstance(network, str) else type(network).__name__
        if isinstance(network, str):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                network = timm.create_model(network, **options)
        crop = CropRecipe(side, side, 1.0, "center", "bilinear")
        space = unnamed_classes(getattr(network, "num_classes", 10))
        return Classifier(name, network, mean=mean, std=std, crop=crop, label_space=space)

    return make


@pytest.fixture
def identity_classifier(make_classifier):
    """As ``make_classifier``, without normalisation: what is worked by hand stays readable."""
    return lambda network, side=2: make_classifier(network, side, mean=(0.0,) * 3, std=(1.0,) * 3)


@pytest.fixture(scope="session")
def images():
    """Images in [0,1], the same for the same request."""

    def make(count: int, side: int = 32, seed: int = 0) -> torch.Tensor:
        return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))

    return make

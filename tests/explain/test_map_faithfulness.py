import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from bench.errors import ConfigurationError
from bench.explain import attribute, deletion, insertion

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
SIDE = 12


@pytest.fixture
def classifier(make_classifier):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 10 * 10, 4)]
    return make_classifier(nn.Sequential(*layers), SIDE, mean=MEAN, std=STD)


def the_authors_way(network, image, target, explanation, step, substrate, mode):
    """Petsiuk et al.'s procedure on one normalised image, pixel lots set in place one after the other."""
    start, finish = (image, substrate(image)) if mode == "deletion" else (substrate(image), image)
    start = start.clone()
    order = explanation.flatten().argsort(descending=True)
    scores = []
    for begin in range(0, SIDE * SIDE + 1, step):
        scores.append(float(network(start[None]).softmax(1)[0, target]))
        for pixel in order[begin : begin + step].tolist():
            start[:, pixel // SIDE, pixel % SIDE] = finish[:, pixel // SIDE, pixel % SIDE]
    scores = np.array(scores)
    return scores, (scores.sum() - scores[0] / 2 - scores[-1] / 2) / (len(scores) - 1)


def blurred(image):
    spot = np.zeros((11, 11))
    spot[5, 5] = 1
    kernel = torch.zeros(3, 3, 11, 11)
    for channel in range(3):
        kernel[channel, channel] = torch.from_numpy(gaussian_filter(spot, 5))
    return nn.functional.conv2d(image[None], kernel, padding=5)[0]


@pytest.mark.parametrize("mode", ["deletion", "insertion"])
def test_curves_are_the_authors(classifier, images, mode):
    pictures, targets = images(3, SIDE), torch.tensor([0, 3, 1])
    maps = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    ours = {"deletion": deletion, "insertion": insertion}[mode]
    curves = ours(classifier, pictures, targets, maps, steps=18, baseline=classifier.mean)
    assert curves.fractions.tolist() == pytest.approx([lot / 18 for lot in range(19)])
    normalised = (pictures - classifier.mean) / classifier.std
    substrate = torch.zeros_like if mode == "deletion" else blurred
    for i in range(3):
        scores, area = the_authors_way(classifier.network, normalised[i], targets[i], maps[i], 8, substrate, mode)
        np.testing.assert_allclose(curves.probabilities[i].numpy(), scores, rtol=1e-4)
        assert float(curves.area[i]) == pytest.approx(area, rel=1e-4)


class LeftHalf(nn.Module):
    """Class 1 is the mean brightness of the left half, times 10; class 0 scores 2.5."""

    def forward(self, images):
        left = images[..., : images.shape[-1] // 2].mean(dim=(1, 2, 3))
        return torch.stack([torch.full_like(left, 2.5), 10 * left], dim=1)


def test_the_right_map_beats_its_reverse(identity_classifier):
    classifier = identity_classifier(LeftHalf(), 8)
    images, targets = torch.full((1, 3, 8, 8), 0.5), torch.tensor([1])
    right = attribute(classifier, images, targets, "saliency")
    falling = deletion(classifier, images, targets, right, steps=4, baseline=0.0)
    # The left half is gone after two of four lots: its mean is 0.5, 0.25, 0, 0, 0.
    expected = torch.sigmoid(10 * torch.tensor([[0.5, 0.25, 0, 0, 0]]) - 2.5)
    torch.testing.assert_close(falling.probabilities, expected)
    torch.testing.assert_close(falling.area, ((expected[:, 1:] + expected[:, :-1]) / 2).mean(1))
    assert falling.area < deletion(classifier, images, targets, -right, steps=4, baseline=0.0).area


def test_ends_are_the_image_and_the_blank_whatever_the_map(classifier, images):
    pictures, targets = images(2, SIDE), torch.tensor([0, 1])
    maps = torch.zeros(2, SIDE, SIDE)
    curves = deletion(classifier, pictures, targets, maps, steps=5, baseline=0.5)
    chosen = lambda shown: classifier(shown).softmax(1)[torch.arange(2), targets]  # noqa: E731
    torch.testing.assert_close(curves.probabilities[:, 0], chosen(pictures))
    torch.testing.assert_close(curves.probabilities[:, -1], chosen(torch.full_like(pictures, 0.5)))


def test_what_does_not_fit_is_refused(classifier, images):
    pictures, targets = images(2, SIDE), torch.tensor([0, 1])
    with pytest.raises(ConfigurationError, match="do not fit"):
        deletion(classifier, pictures, targets, torch.zeros(2, 6, 6), baseline=0.0)
    with pytest.raises(ConfigurationError, match="144 pixels"):
        insertion(classifier, pictures, targets, torch.zeros(2, SIDE, SIDE), steps=145, baseline=0.0)

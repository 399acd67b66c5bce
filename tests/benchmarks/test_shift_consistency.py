"""Pairs of shifted crops: cut where they are said to be, alike for a network that does not see shifts."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import center_crop, pil_to_tensor, resize

import bench
from bench.benchmarks import Batch
from bench.benchmarks.shift_consistency import ShiftConsistency, cut
from bench.data import CropRecipe
from bench.records import Condition

RECIPE = CropRecipe(224, 224, 0.875, "center", "bilinear")


class Records(torch.nn.Module):
    """Remembers what it was shown."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def forward(self, images):
        self.shown.append(images)
        return images.mean((2, 3)) * 50


def batch_of(images, size):
    ids = np.array([f"image_{i}" for i in range(len(images))])
    return Batch(images, torch.zeros(len(images), dtype=torch.int64), ids, input_size=size)


def test_the_published_canvas_is_256_pixels_of_the_resized_image():
    recipe = ShiftConsistency().recipe(RECIPE)
    assert (recipe.height, recipe.width) == (256, 256)
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    expected = pil_to_tensor(center_crop(resize(image, 256), [256, 256])).numpy()
    assert np.array_equal(recipe(image), expected)


def test_windows_by_hand():
    images = torch.arange(2 * 3 * 5 * 6).view(2, 3, 5, 6).to(torch.uint8)
    windows = cut(images, torch.tensor([[0, 2], [1, 0]]), (4, 3))
    assert torch.equal(windows[0], images[0, :, 0:4, 2:5])
    assert torch.equal(windows[1], images[1, :, 1:5, 0:3])


def test_both_crops_lie_in_the_image_at_every_offset_that_is_allowed():
    place = torch.arange(40)
    images = torch.stack([(place[:, None] * 6).expand(40, 40), (place * 6).expand(40, 40), torch.zeros(40, 40)])
    images = images.to(torch.uint8).expand(400, 3, 40, 40)
    network = Records()
    ShiftConsistency().run(network, batch_of(images, (35, 35)), Condition("shift", 1.0), seed=3)
    offsets = torch.cat([(shown[:, :2, 0, 0] * 255 / 6).round() for shown in network.shown], 1)
    assert offsets.unique().tolist() == [0, 1, 2, 3, 4]  # uniform in [0, 5)
    assert np.abs(np.corrcoef(offsets.T.numpy())[np.triu_indices(4, 1)]).max() < 0.2
    assert all(shown.shape == (400, 3, 35, 35) for shown in network.shown)


class SeesThePixelAt(torch.nn.Module):
    """Right where the centre is bright: a shift changes its answer on fine patterns."""

    def forward(self, images):
        centre = images[:, 0, 16, 16]
        return torch.stack([centre, 0.5 + 0 * centre, 0 * centre], 1) * 20


@pytest.mark.parametrize(("network", "low", "high"), [(Records, 1, 1), (SeesThePixelAt, 0.35, 0.65)])
def test_a_network_of_means_agrees_with_itself_and_one_of_pixels_by_chance(network, low, high):
    images = torch.zeros(60, 3, 32, 32, dtype=torch.uint8)
    place = torch.arange(32)
    images[:, 0] = 255 * ((place[:, None] + place) % 2).to(torch.uint8)
    results = bench.evaluate(network().eval(), (images, torch.arange(60) % 3), ["shift_consistency"], input_size=32)
    assert low <= results.leaderboard().iloc[0]["shift_consistency"] <= high

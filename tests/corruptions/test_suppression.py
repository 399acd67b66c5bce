"""Shape, texture and colour taken away: exact on patches and channels, and filters against their definitions."""

import numpy as np
import pytest
import torch
from pretended import pretended_device

from bench.corruptions.suppression import SIGMA_SPACE, SUPPRESSIONS, suppress
from bench.errors import ConfigurationError, DataError
from bench.records import Condition


def shown(images, name, strength, seeds=range(100)):
    return suppress(images, Condition(name, strength), list(seeds)[: len(images)])


def tiles(image, grid):
    """The patches of ``(3,H,W)`` as a list, row by row."""
    tall, wide = image.shape[1] // grid, image.shape[2] // grid
    return [
        image[:, row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
        for row in range(grid)
        for column in range(grid)
    ]


@pytest.mark.parametrize("grid", [2, 5, 16])
def test_patches_change_places_and_nothing_else(grid, photographs):
    before, after = photographs[:3], shown(photographs[:3], "patch_shuffle", grid)
    for own, shuffled in zip(before, after, strict=True):
        old, new = ({tile.numpy().tobytes(): 0 for tile in tiles(image, grid)} for image in (own, shuffled))
        assert old.keys() == new.keys()
        assert not torch.equal(own, shuffled)
        side = 224 // grid * grid
        assert torch.equal(own[:, side:], shuffled[:, side:])
        assert torch.equal(own[:, :, side:], shuffled[:, :, side:])


def test_every_patch_is_turned_where_it_is(photographs):
    after = shown(photographs[:3], "patch_rotation", 4)
    turns = []
    for own, turned in zip(photographs[:3], after, strict=True):
        for old, new in zip(tiles(own, 4), tiles(turned, 4), strict=True):
            turns += [quarter for quarter in range(4) if torch.equal(old.rot90(quarter, (1, 2)), new)]
    assert set(turns) == {1, 2, 3}
    with pytest.raises(DataError, match="square"):
        shown(photographs[:1, :, :, :100], "patch_rotation", 4)
    with pytest.raises(DataError, match="cannot be cut"):
        shown(photographs[:1, :, :4, :4], "patch_shuffle", 8)


def test_colours_by_hand(photographs):
    pixel = torch.tensor([200, 100, 50], dtype=torch.uint8).view(1, 3, 1, 1)
    grey = 0.299 * 200 + 0.587 * 100 + 0.114 * 50  # 124.2
    assert shown(pixel, "greyscale", 1.0).flatten().tolist() == [124] * 3
    half = [round(level / 2 + grey / 2) for level in (200, 100, 50)]
    assert shown(pixel, "greyscale", 0.5).flatten().tolist() == half
    orders = set()
    for image, other in zip(photographs, shown(photographs, "channel_shuffle", 1), strict=True):
        found = [[torch.equal(image[i], other[j]) for i in range(3)].index(True) for j in range(3)]
        assert sorted(found) == [0, 1, 2]
        orders.add(tuple(found))
    assert (0, 1, 2) not in orders
    assert len(orders) >= 3


def bilateral_by_definition(image, diameter, sigma):
    """Tomasi & Manduchi (1998) as OpenCV has it: a round window, the sum of the channels' absolute differences."""
    radius, levels = diameter // 2, image.astype(float)
    padded = np.pad(levels, ((radius, radius), (radius, radius), (0, 0)), mode="reflect")
    out = np.zeros_like(levels)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            total, weights = np.zeros(3), 0.0
            for down in range(-radius, radius + 1):
                for right in range(-radius, radius + 1):
                    if np.hypot(down, right) > radius:
                        continue
                    there = padded[row + radius + down, column + radius + right]
                    apart = np.abs(there - levels[row, column]).sum()
                    weight = np.exp(-(down**2 + right**2) / (2 * SIGMA_SPACE**2) - apart**2 / (2 * sigma**2))
                    total, weights = total + weight * there, weights + weight
            out[row, column] = total / weights
    return out


@pytest.mark.parametrize(("diameter", "sigma"), [(4, 50), (8, 110), (14, 200)])
def test_the_bilateral_filter_is_its_definition_within_a_level(diameter, sigma, photographs):
    image = photographs[3, :, 80:104, 80:104].contiguous()
    ours = shown(image[None], "bilateral", diameter)[0].permute(1, 2, 0).numpy()
    expected = bilateral_by_definition(image.permute(1, 2, 0).numpy(), diameter, sigma)
    assert np.abs(ours - expected).max() <= 1


@pytest.mark.parametrize("kernel", [3, 9, 15])
def test_the_blur_is_its_definition_within_a_level(kernel, photographs):
    sigma = 0.3 * ((kernel - 1) / 2 - 1) + 0.8  # OpenCV's, by the size of the kernel
    line = np.exp(-((np.arange(kernel) - kernel // 2) ** 2) / (2 * sigma**2))
    line = np.array([1, 2, 1]) / 4 if kernel == 3 else line / line.sum()
    image = photographs[3].permute(1, 2, 0).numpy().astype(float)
    reach = kernel // 2
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    rows = sum(weight * padded[place : place + 224] for place, weight in enumerate(line))
    expected = sum(weight * rows[:, place : place + 224] for place, weight in enumerate(line))
    ours = shown(photographs[3:4], "gaussian", kernel)[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - expected).max() <= 1


def test_non_local_means_takes_noise_away_and_leaves_edges():
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 12
    scene = torch.full((1, 3, 64, 64), 60.0)
    scene[..., 32:] = 190
    noisy = (scene + noise).clamp(0, 255).to(torch.uint8)
    smooth = shown(noisy, "non_local_means", 25).float()
    assert (smooth - scene)[..., 4:28].std() < 0.4 * noise.std()
    assert (smooth[..., 34].mean() - smooth[..., 29].mean()) > 110


@pytest.mark.parametrize("name", SUPPRESSIONS)
def test_each_image_depends_on_its_own_seed_alone_on_every_device(name, photographs):
    strength = SUPPRESSIONS[name].strengths[-1]
    images = photographs[:3]
    together = shown(images, name, strength)
    alone = torch.cat([shown(images[i : i + 1], name, strength, [i]) for i in range(3)])
    assert torch.equal(together, alone)
    with pretended_device() as device:
        assert torch.equal(shown(images.to(device), name, strength).cpu(), together)


@pytest.mark.parametrize(
    ("name", "strength", "words"),
    [
        ("patch_shufle", 4, "patch_shuffle"),
        ("patch_shuffle", 1, "from 2 on"),
        ("bilateral", 5, "diameter"),
        ("gaussian", 4, "odd kernel"),
        ("greyscale", 1.5, "at most 1"),
    ],
)
def test_what_does_not_exist_is_refused(name, strength, words, photographs):
    with pytest.raises(ConfigurationError, match=words):
        shown(photographs[:1], name, strength)

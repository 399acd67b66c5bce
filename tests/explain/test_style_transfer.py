"""Losses by brute force and by hand; transfers on real images; a pair does not depend on its batch."""

from importlib.resources import files
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench.data import CropRecipe
from bench.data.label_spaces import unnamed_classes
from bench.errors import ConfigurationError
from bench.explain.stimuli import Source, load_sources, whole_crop
from bench.explain.style_transfer import (
    TransferConfig,
    check_transfer,
    gram_matrix,
    match_colors,
    pair_seed,
    relative_error,
    resolve_layers,
    total_variation,
    transfer_style,
)
from bench.models import Classifier, ModelConfig, load_classifier

SIDE = 96


@pytest.fixture(scope="module")
def lite0() -> Classifier:
    return load_classifier(ModelConfig(name="lite0"))


@pytest.fixture(scope="module")
def samples() -> torch.Tensor:
    """A bald eagle and rows of red chairs, ``(2,3,96,96)``."""
    folder = Path(str(files("foolbox") / "data"))
    paths = [folder / "imagenet_17_22.jpg", folder / "imagenet_01_559.jpg"]
    loaded = load_sources([Source(path, "", 0) for path in paths], whole_crop(SIDE))
    return torch.stack([loaded[path].pixels for path in paths])


def toy(network: nn.Module) -> Classifier:
    recipe = CropRecipe(64, 64, 1.0, "center", "bilinear")
    return Classifier("toy", network, mean=[0.0] * 3, std=[1.0] * 3, crop=recipe, label_space=unnamed_classes(2))


def summing() -> Classifier:
    """One layer, two maps: the sum of the channels, and twice the first channel."""
    conv = nn.Conv2d(3, 2, 1, bias=False)
    conv.weight.data = torch.tensor([[1.0, 1.0, 1.0], [2.0, 0.0, 0.0]]).view(2, 3, 1, 1)
    return toy(nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten()))


@settings(max_examples=20, deadline=None)
@given(channels=st.integers(1, 5), positions=st.integers(1, 6), seed=st.integers(0, 99))
def test_the_gram_matrix_is_every_pair_of_maps_summed_over_positions(channels, positions, seed):
    features = torch.randn(2, channels, positions, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = gram_matrix(features)
    for row in range(2):
        for i in range(channels):
            for j in range(channels):
                wanted = sum(float(features[row, i, k] * features[row, j, k]) for k in range(positions)) / positions
                assert float(found[row, i, j]) == pytest.approx(wanted, abs=1e-12)


def test_gram_matrices_do_not_see_where_things_are():
    features = torch.randn(1, 4, 30)
    assert torch.allclose(gram_matrix(features), gram_matrix(features[:, :, torch.randperm(30)]), atol=1e-6)
    assert torch.allclose(gram_matrix(features), gram_matrix(features.repeat(1, 1, 3)), atol=1e-6), "nor how many"


def test_relative_error_and_total_variation_by_hand():
    found, wanted = torch.tensor([[1.0, 2.0], [5.0, 0.0]]), torch.tensor([[3.0, 4.0], [3.0, 4.0]])
    assert relative_error(found, wanted).tolist() == pytest.approx([(4 + 4) / 25, (4 + 16) / 25])
    image = torch.zeros(1, 3, 2, 2)
    image[0, 0] = torch.tensor([[0.1, 0.4], [0.3, 0.8]])
    by_hand = (0.2**2 + 0.4**2) + (0.3**2 + 0.5**2)  # downwards, then to the right
    assert total_variation(image).item() == pytest.approx(by_hand / 12)


def test_the_gradient_of_total_variation_by_hand():
    image = torch.zeros(1, 3, 1, 3)
    image[0, 1, 0] = torch.tensor([0.2, 0.5, 0.1])
    image.requires_grad_()
    total_variation(image).sum().backward()
    by_hand = torch.tensor([2 * (0.2 - 0.5), 2 * (0.5 - 0.2) + 2 * (0.5 - 0.1), 2 * (0.1 - 0.5)]) / 9
    assert torch.allclose(image.grad[0, 1, 0], by_hand)
    assert not image.grad[0, 0].any()


def test_the_losses_of_a_transfer_by_hand():
    """Constant images on a 1 x 1 convolution: features and Gram matrices are known."""
    content, style = torch.full((1, 3, 64, 64), 0.5), torch.full((1, 3, 64, 64), 0.25)
    config = TransferConfig(
        content_layers=["0"], style_layers=["0"], steps=1, learning_rate=1e-12, optimizer="adam", octaves=2
    )
    losses = transfer_style(summing(), content, style, config, seeds=[0]).losses
    # start: features (1.5, 1) and Gram (2.25, 1.5; 1.5, 1); wanted Gram a quarter of it: ||G - G/4|| / ||G/4|| = 3
    assert losses.start_style.item() == pytest.approx(9.0)
    assert losses.style.item() == pytest.approx(9.0)
    assert losses.content.item() == pytest.approx(0.0, abs=1e-12)
    noise = TransferConfig(**{**vars(config), "start_noise": 1.0, "style_weight": 0.0, "tv_weight": 0.0})
    losses = transfer_style(summing(), content, style, noise, seeds=[7]).losses
    start = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(7), dtype=torch.float32)
    maps = torch.stack([start.sum(dim=0), 2 * start[0]])
    wanted = torch.tensor([1.5, 1.0]).view(2, 1, 1).expand_as(maps)
    assert losses.content.item() == pytest.approx(float(((maps - wanted) ** 2).sum() / (wanted**2).sum()), rel=1e-4)


@pytest.mark.parametrize(
    "choice", [{"optimizer": "lbfgs", "steps": 40}, {"optimizer": "adam", "learning_rate": 0.03, "steps": 60}]
)
def test_style_falls_by_nine_tenths_on_sample_images_and_content_stays(lite0, samples, choice):
    config = TransferConfig(content_weight=0.3, tv_weight=3.0, **choice)
    steps = []
    made = transfer_style(lite0, samples[:1], samples[1:], config, seeds=[0], on_step=lambda: steps.append(1))
    assert made.losses.style.item() <= 0.1 * made.losses.start_style.item()
    assert made.losses.content.item() < 0.5
    assert len(steps) == config.steps
    assert made.images.min() >= 0
    assert made.images.max() <= 1
    assert not made.images.requires_grad


def test_noise_reaches_the_style_too_and_coarse_passes_run(lite0, samples):
    config = TransferConfig(start_noise=1.0, passes=2, steps=25, content_weight=0.1, tv_weight=1.0)
    made = transfer_style(lite0, samples[:1], samples[1:], config, seeds=[3])
    assert made.losses.style.item() <= 0.1 * made.losses.start_style.item()
    again = transfer_style(lite0, samples[:1], samples[1:], config, seeds=[3])
    assert torch.equal(made.images, again.images)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_pair_does_not_depend_on_the_pairs_beside_it(lite0, samples, optimizer):
    config = TransferConfig(optimizer=optimizer, steps=4, learning_rate=0.5 if optimizer == "lbfgs" else 0.01)
    both = transfer_style(lite0, samples, samples.flip(0), config, seeds=[0, 1]).images
    alone = transfer_style(lite0, samples[1:], samples[:1], config, seeds=[1]).images
    assert torch.allclose(both[1:], alone, atol=1e-3), "up to the rounding of the library's kernels"


def test_seeds_belong_to_the_pair():
    assert pair_seed(0, "cat1", "dog2") == pair_seed(0, "cat1", "dog2")
    assert len({pair_seed(0, "cat1", "dog2"), pair_seed(1, "cat1", "dog2"), pair_seed(0, "dog2", "cat1")}) == 3


def test_matched_colours_have_the_mean_and_covariance_of_the_reference():
    generator = torch.Generator().manual_seed(0)
    images = 0.4 + 0.1 * torch.randn(2, 3, 40, 40, generator=generator).clamp(-2, 2)
    mixed = torch.tensor([[0.6, 0.2, 0.1], [0.3, 0.5, 0.0], [0.1, 0.1, 0.7]])
    reference = torch.einsum("ij,bjhw->bihw", mixed, images.roll(1, dims=0)) + 0.05
    matched = match_colors(images, reference).flatten(2)
    wanted = reference.flatten(2)
    assert torch.allclose(matched.mean(dim=2), wanted.mean(dim=2), atol=1e-3)
    for row in range(2):
        assert torch.allclose(torch.cov(matched[row]), torch.cov(wanted[row]), atol=1e-4)
    grey = torch.full((1, 3, 8, 8), 0.5)
    assert torch.allclose(match_colors(grey, reference[:1]).mean(dim=(2, 3)), reference[:1].mean(dim=(2, 3)), atol=1e-3)


def test_mistakes_are_refused_with_the_nearest_names(lite0, samples):
    with pytest.raises(ConfigurationError, match=r"no layer 'blocks.1.0.bn9': did you mean 'blocks.1.0.bn"):
        resolve_layers(lite0, TransferConfig(style_layers=["blocks.1.0.bn9"]))
    with pytest.raises(ConfigurationError, match=r"unknown transfer\.optimizer 'lbgfs': did you mean 'lbfgs'"):
        check_transfer(TransferConfig(optimizer="lbgfs"))
    with pytest.raises(ConfigurationError, match="shrink the images to 12 px"):
        transfer_style(lite0, samples[:1], samples[1:], TransferConfig(octaves=3, passes=2), seeds=[0])
    for bad in (
        {"steps": 0},
        {"tv_weight": -1.0},
        {"learning_rate": 0.0},
        {"content_octave": 1},
        {"style_weight": float("nan")},
    ):
        with pytest.raises(ConfigurationError, match=next(iter(bad))):
            check_transfer(TransferConfig(**bad))

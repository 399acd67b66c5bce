"""Activation maximisation, receptive fields, filters, segmentation and embeddings, on networks worked by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from bench.data.crop import CropRecipe
from bench.data.label_spaces import unnamed_classes
from bench.errors import ConfigurationError, DataError
from bench.explain.activation_maximisation import MaximisationConfig, check_maximisation, maximise, noise_start
from bench.explain.embedding import pca, tsne
from bench.explain.exciting_patches import exciting_patches, receptive_field
from bench.explain.filters import class_templates, first_layer_filters
from bench.explain.segmentation import segment_by_saliency
from bench.explain.units import Unit, feature_maps, read_unit, strongest_units, unit_gradients
from bench.models import Classifier

PLAIN = MaximisationConfig(steps=40, step_size=0.05, decay=0.0, blur_sigma=0.0, jitter=0)
SIDE = 32


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one = nn.Conv2d(3, 4, 3, padding=1)
        self.two = nn.Conv2d(4, 5, 3, stride=2, padding=1)
        self.three = nn.Conv2d(5, 6, 3, stride=2, padding=1)
        self.head = nn.Linear(6, 7)

    def forward(self, x):
        x = self.two(torch.relu(self.one(x)))
        return self.head(self.three(torch.relu(x)).mean((2, 3)))


def wrap(network, side=SIDE):
    crop = CropRecipe(side, side, crop_pct=1.0, crop_mode="center", interpolation="bilinear")
    return Classifier("net", network, mean=(0.0,) * 3, std=(1.0,) * 3, crop=crop, label_space=unnamed_classes(7))


@pytest.fixture(scope="module")
def net():
    return wrap(Net())


def test_a_linear_score_is_climbed_to_its_corner():
    weights = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    image = maximise(lambda x: (x * weights).sum((1, 2, 3)), torch.full((1, 3, 8, 8), 0.5), PLAIN)
    strong = weights.abs() > 0.5  # a weak pixel needs more steps
    assert torch.equal(image[0][strong], (weights[strong] > 0).float())


def test_each_regulariser_does_what_it_says():
    start = noise_start((8, 8), [0])

    def still(x):
        return (x * 0).sum((1, 2, 3))

    decayed = maximise(still, start, MaximisationConfig(steps=1, decay=0.25, jitter=0))
    torch.testing.assert_close(decayed - 0.5, 0.75 * (start - 0.5))
    norms = (start[0] - 0.5).norm(dim=0)
    settings = {"steps": 2, "blur_every": 1, "decay": 0.0, "blur_sigma": 0.0, "jitter": 0}
    clipped = maximise(still, start, MaximisationConfig(small_value=25.0, **settings))
    assert (clipped[0] == 0.5).all(dim=0).sum() == 16  # a quarter of 64, the smallest
    assert torch.equal((clipped[0] == 0.5).all(dim=0), norms < norms.flatten().sort().values[16])
    blurred = maximise(still, start, MaximisationConfig(small_value=0.0, **{**settings, "blur_sigma": 2.0}))
    assert blurred.std() < 0.5 * start.std()


def test_small_contributions_are_cut_by_gradient_times_pixel():
    start = noise_start((8, 8), [0])
    weights = torch.zeros(3, 8, 8)
    weights[:, :2] = 1.0  # only the upper quarter matters
    config = MaximisationConfig(
        steps=2, step_size=1e-9, decay=0.0, blur_sigma=0.0, jitter=0, blur_every=1, small_gradient=90
    )
    image = maximise(lambda x: (x * weights).sum((1, 2, 3)), start, config)
    kept = ~(image[0] == 0.5).all(dim=0)
    assert kept.sum() > 0
    assert not kept[2:].any()


def test_the_same_seed_gives_the_same_image_and_no_other(net):
    def scores(x):
        return net(x)[:, 0]

    start = noise_start((SIDE, SIDE), [0, 1])
    config = MaximisationConfig(steps=4, jitter=3)
    torch.testing.assert_close(maximise(scores, start, config, seed=1), maximise(scores, start, config, seed=1))
    assert not torch.equal(maximise(scores, start, config, seed=1), maximise(scores, start, config, seed=2))
    assert not torch.equal(start[0], start[1])


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"decay": 1.0}, {"small_value": 100.0}, {"step_size": 0.0}])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ConfigurationError, match="maximise"):
        check_maximisation(MaximisationConfig(**wrong))


@pytest.mark.parametrize("layer", ["one", "two", "three"])
@pytest.mark.parametrize("place", [(0, 0), (4, 4)])
def test_a_receptive_field_is_where_changing_a_pixel_changes_something(net, layer, place):
    base = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    moved = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    with torch.no_grad():
        before = feature_maps(net, base, [layer])[layer][0, :, place[0], place[1]]
        for row in range(SIDE):
            changed = base.repeat(SIDE, 1, 1, 1)
            changed[range(SIDE), :, row, range(SIDE)] += 5.0
            after = feature_maps(net, changed, [layer])[layer][:, :, place[0], place[1]]
            moved[row] = ((after - before).abs() > 1e-4).any(dim=1)
    rows, columns = moved.any(1).nonzero().flatten(), moved.any(0).nonzero().flatten()
    by_force = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    assert receptive_field(net, (SIDE, SIDE), layer, place) == by_force


def test_the_most_exciting_patch_is_the_planted_one(net):
    images = torch.full((5, 3, SIDE, SIDE), 0.5)
    kernel = net.network.one.weight[2].detach()
    images[3, :, 10:13, 20:23] = (kernel > 0).float()
    [patches] = exciting_patches(net, [(0, images[:2]), (2, images[2:])], [Unit("one", 2)], 2)
    assert patches[0].position == 3
    assert patches[0].box == (20, 10, 23, 13)
    torch.testing.assert_close(patches[0].pixels, (kernel > 0).float())
    assert patches[0].activation > patches[1].activation


def test_a_unit_gradient_is_autograds(net):
    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    leaf = images.clone().requires_grad_()
    net.network.one(leaf)[:, 1].mean((1, 2)).sum().backward()
    torch.testing.assert_close(unit_gradients(net, images, Unit("one", 1)), leaf.grad)


def test_units_are_read_and_refused(net):
    assert str(read_unit(net, "two:3")) == "two:3"
    for text in ("two", "nowhere:1", "two:x"):
        with pytest.raises(ConfigurationError):
            read_unit(net, text)
    with pytest.raises(ConfigurationError, match="has 4 channels"):
        unit_gradients(net, torch.rand(1, 3, SIDE, SIDE), Unit("one", 4))


def test_among_saturated_channels_the_selective_ones_come_first():
    features = torch.zeros(1, 3, 2, 2)
    features[0, 0], features[0, 1, 0, 0], features[0, 2, 0, 0] = 6.0, 6.0, 1.0
    assert strongest_units(features, 3) == [1, 0, 2]


def test_filters_and_templates_are_the_weights(net):
    assert torch.equal(first_layer_filters(net), net.network.one.weight)
    assert torch.equal(class_templates(net, [5, 1], 7)[:, 0, 0], net.network.head.weight[[5, 1]])
    linear = wrap(nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4)), side=8)
    assert torch.equal(class_templates(linear, [2], 4)[0], linear.network[1].weight[2].view(3, 8, 8))
    with pytest.raises(ConfigurationError, match="no convolution"):
        first_layer_filters(linear)


def test_the_object_is_grown_from_what_saliency_touches():
    image = torch.zeros(3, 40, 40, dtype=torch.uint8) + 30
    image[0, 10:30, 10:30] = 220  # a red square
    image += torch.randint(0, 10, image.shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    saliency = torch.rand(40, 40, generator=torch.Generator().manual_seed(1)) * 0.1
    saliency[10:30, 10:30] += 0.05
    saliency[15:25, 15:25] += 1.0
    found = segment_by_saliency(image, saliency)
    truth = np.zeros((40, 40), dtype=bool)
    truth[10:30, 10:30] = True
    assert (found & truth).sum() / (found | truth).sum() > 0.9
    assert not segment_by_saliency(image, torch.zeros(40, 40)).any()


def test_pca_is_the_singular_value_decomposition():
    features = np.random.default_rng(0).normal(size=(30, 8)) @ np.diag([5, 3, 1, 1, 1, 1, 1, 1])
    coordinates, shares = pca(features)
    centred = features - features.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(coordinates), np.abs(u[:, :2] * s[:2]), atol=1e-9)
    np.testing.assert_allclose(shares, (s**2 / (s**2).sum())[:2])


def test_tsne_keeps_clusters_together():
    generator = np.random.default_rng(0)
    features = np.concatenate([generator.normal(centre, 0.1, size=(15, 6)) for centre in (0, 5, 10)])
    places = tsne(features)
    groups = places.reshape(3, 15, 2)
    within = max(np.linalg.norm(group - group.mean(0), axis=1).max() for group in groups)
    centres = groups.mean(1)
    between = min(np.linalg.norm(centres[i] - centres[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    assert between > within
    np.testing.assert_array_equal(places, tsne(features))
    with pytest.raises(DataError, match="four images"):
        tsne(features[:3])

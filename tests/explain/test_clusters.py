"""Clusters of maps: groups that are there are found, their number too, and a reference library agrees."""

import numpy as np
import pytest
import torch
from torch import nn

from bench.errors import DataError
from bench.explain.clusters import attributed_features, pooled_maps, spectral_clusters


def blobs(sizes, *, spread=0.05, seed=0):
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(len(sizes), 6))
    truth = np.repeat(np.arange(len(sizes)), sizes)
    return centres[truth] + spread * generator.normal(size=(sum(sizes), 6)), truth


@pytest.mark.parametrize("sizes", [(40, 12), (30, 20, 10), (9, 16, 25, 36)])
def test_separate_groups_are_found_and_counted(sizes):
    points, truth = blobs(sizes)
    found = spectral_clusters(points)
    assert found.labels.max() + 1 == len(sizes), "the gap in the spectrum"
    assert np.allclose(found.eigenvalues[: len(sizes)], 0, atol=1e-9), "one zero a component"
    for group in range(len(sizes)):
        assert len(set(found.labels[truth == group])) == 1
    assert np.bincount(found.labels).tolist() == sorted(sizes, reverse=True), "the largest first"
    assert sorted(found.members(0)) == np.flatnonzero(found.labels == 0).tolist()


def test_rings_that_k_means_cannot_tell_apart():
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = spectral_clusters(np.concatenate([ring, 4 * ring]), clusters=2)
    assert set(found.labels[:60]).isdisjoint(found.labels[60:])


@pytest.mark.filterwarnings("ignore:Graph is not fully connected:UserWarning")  # the blobs lie apart
def test_scikit_learn_agrees():
    cluster = pytest.importorskip("sklearn.cluster")
    metrics = pytest.importorskip("sklearn.metrics")
    points, _ = blobs((30, 25, 20), spread=0.4, seed=3)
    theirs = cluster.SpectralClustering(3, affinity="nearest_neighbors", n_neighbors=6, random_state=0)
    assert metrics.adjusted_rand_score(spectral_clusters(points, clusters=3).labels, theirs.fit_predict(points)) > 0.9


def test_the_same_seed_gives_the_same_clusters():
    points, _ = blobs((20, 20), spread=1.0)
    first, again = (spectral_clusters(points, clusters=4, seed=1).labels for _ in range(2))
    assert np.array_equal(first, again)


def test_too_few_images_are_refused():
    with pytest.raises(DataError, match="3 images are too few"):
        spectral_clusters(np.zeros((3, 2)))
    with pytest.raises(DataError, match="at least 9"):
        spectral_clusters(np.zeros((8, 2)), clusters=9)


def test_pooled_maps_say_where():
    maps = torch.zeros(3, 32, 32)
    maps[0, 0, 0], maps[1, 20:24, 8:12], maps[1, 0, 0] = 5.0, 2.0, -9.0
    pooled = pooled_maps(maps)
    assert pooled[0].tolist() == [1.0] + [0.0] * 63
    assert pooled[1].argmax() == 5 * 8 + 2
    assert pooled[1].sum() == 1
    assert torch.isnan(pooled[2]).all()


def test_attributed_features_are_those_below_the_map(make_classifier):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 5, 4, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 64, 4))
    classifier = make_classifier(network, mean=(0.0,) * 3, std=(1.0,) * 3)
    images = torch.rand(2, 3, 32, 32)
    maps = torch.zeros(2, 32, 32)
    maps[0, 8:12, 20:24] = 1  # cell (2, 5) of the feature map
    maps[1] = 1
    found = attributed_features(classifier, images, torch.tensor([0, 1]), maps)
    features = network[:2](images).double()
    for row, mean in enumerate((features[0, :, 2, 5], features[1].mean(dim=(1, 2)))):
        assert torch.allclose(found[row], mean / mean.norm(), atol=1e-5)

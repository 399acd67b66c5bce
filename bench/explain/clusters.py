"""Groups of images that a classifier decides on in the same way: spectral relevance analysis of attribution maps.

Lapuschkin et al. 2019, "Unmasking Clever Hans predictors and assessing what machines really learn": maps are pooled to
one small size, joined to their nearest neighbours, and the graph's spectrum shows how many groups there are and which.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from bench.errors import DataError
from bench.explain.features import spatial_features

MAP_SIDE = 8
MOST_CLUSTERS = 8
FEWEST_IMAGES = 4


@dataclass(frozen=True)
class Clusters:
    """Which image belongs where."""

    labels: NDArray[np.int64]
    """``(N,)`` number of the cluster, the largest cluster being 0."""
    eigenvalues: NDArray[np.float64]
    """Of the graph's normalised Laplacian, ascending; a gap after the k-th is evidence for k clusters."""
    embedding: NDArray[np.float64]
    """``(N,k)`` coordinates in which the clusters were separated."""

    def members(self, cluster: int) -> NDArray[np.int64]:
        """Positions of a cluster's images, the most typical first."""
        rows = np.flatnonzero(self.labels == cluster)
        centre = self.embedding[rows].mean(axis=0)
        distance = np.linalg.norm(self.embedding[rows] - centre, axis=1)
        order: NDArray[np.int64] = rows[np.argsort(distance, kind="stable")]
        return order


def pooled_maps(maps: Tensor) -> Tensor:
    """Where maps look: their positive values, averaged over an 8 x 8 grid, each map adding up to 1.

    Args:
        maps: ``(B,H,W)`` attributions.

    Returns:
        ``(B,64)`` float64 on the CPU; NaN for a map without a positive value.
    """
    pooled = F.adaptive_avg_pool2d(maps.cpu().double().clamp(min=0)[:, None], MAP_SIDE).flatten(1)
    shares: Tensor = pooled / pooled.sum(dim=1, keepdim=True)
    return shares


def attributed_features(classifier: nn.Module, images: Tensor, targets: Tensor, maps: Tensor) -> Tensor:
    """What maps look at: the classifier's last feature map, averaged with the attribution as weight.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        images: ``(B,3,H,W)`` in [0,1].
        targets: ``(B,)`` the classes the maps are about.
        maps: ``(B,H,W)`` attributions.

    Returns:
        ``(B,C)`` float64 of unit length, on the CPU; NaN for a map without a positive value.

    Raises:
        ConfigurationError: the classifier has no spatial feature map.
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        features = spatial_features(classifier, images.clone(), targets.clone()).activations.cpu().double()
    size = features.shape[2], features.shape[3]
    heat = F.adaptive_avg_pool2d(maps.cpu().double().clamp(min=0)[:, None], size)
    weights = heat / heat.sum(dim=(2, 3), keepdim=True)
    mean = (features * weights).sum(dim=(2, 3))
    unit: Tensor = mean / mean.norm(dim=1, keepdim=True)
    return unit


def spectral_clusters(points: NDArray[np.float64], *, clusters: int | None = None, seed: int = 0) -> Clusters:
    """Clusters of a graph that joins every point to its nearest neighbours (Ng, Jordan & Weiss 2002).

    Args:
        points: ``(N,D)`` descriptors.
        clusters: how many; left out, the largest gap among the first eigenvalues decides, as in the paper.
        seed: of k-means.

    Raises:
        DataError: fewer than 4 points, or fewer than clusters.
    """
    n = len(points)
    if n < max(FEWEST_IMAGES, clusters or 1):
        raise DataError(f"{n} images are too few for clusters: at least {max(FEWEST_IMAGES, clusters or 1)} are needed")
    eigenvalues, vectors = np.linalg.eigh(_laplacian(points))
    gaps = np.diff(eigenvalues[: min(MOST_CLUSTERS, n - 1) + 1])
    k = clusters or int(gaps.argmax()) + 1
    embedding = vectors[:, :k] / np.maximum(np.linalg.norm(vectors[:, :k], axis=1, keepdims=True), 1e-12)
    _, labels = kmeans2(embedding, k, minit="++", rng=np.random.default_rng(seed))
    sizes = np.bincount(labels, minlength=k)
    rank = np.empty(k, dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(k)
    return Clusters(rank[labels], eigenvalues, embedding)


def _laplacian(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the neighbour graph, symmetric and normalised; two points that name each other are joined twice as firmly.

    A point has about ``ln N`` neighbours (von Luxburg 2007, "A tutorial on spectral clustering", section 8).
    """
    distance = cdist(points, points)
    np.fill_diagonal(distance, np.inf)
    neighbours = math.ceil(math.log(len(points)))
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :neighbours]
    joined = np.zeros_like(distance)
    np.put_along_axis(joined, nearest, 1.0, axis=1)
    affinity = (joined + joined.T) / 2
    scale = 1 / np.sqrt(affinity.sum(axis=1))
    laplacian: NDArray[np.float64] = np.eye(len(points)) - scale[:, None] * affinity * scale
    return laplacian

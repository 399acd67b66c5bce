"""A dataset in two dimensions, as a layer sees it: PCA and t-SNE."""

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from bench.errors import DataError

PERPLEXITY = 30.0
PCA_FIRST = 50
"""Dimensions that t-SNE starts from (van der Maaten & Hinton 2008, section 4.2)."""


def pca(features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates on the two axes of greatest variance, and the share of the variance on each.

    Args:
        features: ``(N,D)``, N at least 2.

    Returns:
        ``(N,2)`` and ``(2,)``.

    Raises:
        DataError: fewer than two images or dimensions.
    """
    if min(features.shape) < 2:
        raise DataError(f"an embedding needs two images and two features, not {features.shape}")
    model = PCA(n_components=2, svd_solver="full")
    coordinates: NDArray[np.float64] = model.fit_transform(features)
    return coordinates, model.explained_variance_ratio_


def tsne(features: NDArray[np.float64], *, seed: int = 0) -> NDArray[np.float64]:
    """t-SNE (van der Maaten & Hinton 2008) of at most fifty principal components, ``(N,2)``.

    Distances between clusters, and their sizes, mean nothing. The perplexity is 30, less where there are few images.

    Args:
        features: ``(N,D)``, N at least 4.
        seed: of the optimiser.

    Raises:
        DataError: fewer than four images.
    """
    n = len(features)
    if n < 4:
        raise DataError(f"t-SNE needs four images, not {n}")
    components = min(PCA_FIRST, *features.shape)
    reduced = PCA(n_components=components, svd_solver="full").fit_transform(features)
    perplexity = min(PERPLEXITY, (n - 1) / 3)
    coordinates: NDArray[np.float64] = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced)
    return coordinates

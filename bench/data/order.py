"""The order in which images are sampled: seeded, and class-balanced in every window of it.

A sampling design shows each condition of a benchmark a window of this order. Windows of one start are nested, so a
larger budget keeps every outcome of a smaller one, and the whole order is the full set.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.data.dataset import turns_in_class
from bench.errors import DataError
from bench.seeding import derive_seed

BITS = 53
"""Of the draws that images and classes are ordered by: what a float64 holds exactly."""


def balanced_order(image_ids: Sequence[str], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of all images in the order of sampling.

    The images of a class are shuffled and then spread evenly over the order, from an offset of the class's own. So any
    ``k`` successive images hold about ``k * n_c / N`` images of a class of ``n_c``; classes of one size come round in
    turn.

    The order follows from names and labels alone: neither the order of the files nor the sweep's seed changes it, so
    that all classifiers and sweeps see the same images under the same condition.

    Args:
        image_ids: ``(N,)`` unique names.
        labels: ``(N,)`` class numbers.

    Returns:
        ``(N,)`` a permutation of ``0 .. N - 1``.

    Raises:
        DataError: no images, or another number of labels.
    """
    if len(image_ids) == 0 or len(image_ids) != len(labels):
        raise DataError(f"{len(image_ids)} images with {len(labels)} labels have no order to be sampled in")
    draws = np.array([derive_seed("order", str(image_id), bits=BITS) for image_id in image_ids], dtype=np.int64)
    classes, of_image, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    offsets = np.array([derive_seed("class", int(label), bits=BITS) for label in classes]) / 2.0**BITS
    turns = turns_in_class(of_image, np.argsort(draws, kind="stable"))
    share = (turns + offsets[of_image]) / sizes[of_image]
    return np.lexsort((draws, share))


def window(cell: int, n_cells: int, size: int, n_images: int) -> list[tuple[int, int]]:
    """Places of the order that one of several conditions is shown: ``size`` from its own start, going round.

    The starts divide the order evenly. While ``size * n_cells <= n_images`` no image is in two windows; at
    ``size == n_images`` each window is the whole set.

    Args:
        cell: number of the condition, from 0.
        n_cells: conditions in all.
        size: images of the window, from 1 to ``n_images``.
        n_images: images in the set.

    Returns:
        One half-open range of places, or two where the window passes the end of the order; in ascending order.

    Raises:
        ValueError: a number out of its range.
    """
    if not 0 <= cell < n_cells or not 1 <= size <= n_images:
        raise ValueError(f"no window of {size} of {n_images} images for condition {cell} of {n_cells}")
    start = cell * n_images // n_cells
    stop = start + size
    if size == n_images:
        return [(0, n_images)]
    if stop <= n_images:
        return [(start, stop)]
    return [(0, stop - n_images), (start, n_images)]

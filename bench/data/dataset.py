"""A dataset: names, labels, and a way to get at the encoded bytes of each image."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.data.label_spaces import LabelSpace
from bench.errors import DataError


@dataclass(frozen=True)
class DecisionGroups:
    """Coarse classes that a classifier decides among, in its own logit columns."""

    columns: tuple[tuple[int, ...], ...]
    """By coarse class: the logit columns that it is made of."""
    rule: str
    """``argmax``, ``max`` or ``mean``: see ``bench.data.class_groups.RULES``."""


@dataclass(frozen=True)
class Dataset:
    """Labelled images that have not been decoded yet."""

    name: str
    """What reports call it."""
    image_ids: tuple[str, ...]
    """``N`` unique names; for folders the path below the root, with ``/``."""
    labels: NDArray[np.int64]
    """``(N,)`` class numbers of ``label_space``."""
    label_space: LabelSpace
    """What the labels number: the images' own classes, or a classifier's once they were matched."""
    read_bytes: Callable[[int], bytes]
    """Position -> encoded image; picklable, called in DataLoader workers."""
    fingerprint: str
    """Cheap digest of the listing (names, sizes, times), for finding decoded crops again."""
    class_ids: tuple[int, ...] | None = None
    """Logit columns that decisions are restricted to; None for all."""
    groups: DecisionGroups | None = None
    """Coarse classes that decisions are made among, which labels then number; None where there are none."""
    accepted: tuple[tuple[int, ...], ...] | None = None
    """By image: every class that counts as right, the label first; None where that is the label alone."""

    def __post_init__(self) -> None:
        if not self.image_ids:
            raise DataError(f"dataset {self.name!r} has no images: an empty set has no accuracy")
        if len(self.labels) != len(self.image_ids):
            raise DataError(f"dataset {self.name!r} has {len(self.image_ids)} images and {len(self.labels)} labels")
        if len(set(self.image_ids)) != len(self.image_ids):
            seen: set[str] = set()
            twice = next(name for name in self.image_ids if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise DataError(f"dataset {self.name!r} lists {twice!r} twice")

    def __len__(self) -> int:
        return len(self.image_ids)

    def subset(self, positions: NDArray[np.int64], tag: str) -> "Dataset":
        """The images at ``positions``; ``tag`` sets its fingerprint apart."""
        return replace(
            self,
            image_ids=tuple(self.image_ids[position] for position in positions),
            labels=self.labels[positions],
            accepted=None if self.accepted is None else tuple(self.accepted[position] for position in positions),
            read_bytes=_Renumbered(self.read_bytes, positions),
            fingerprint=f"{self.fingerprint}-{tag}",
        )


@dataclass(frozen=True)
class _Renumbered:
    read: Callable[[int], bytes]
    positions: NDArray[np.int64]

    def __call__(self, position: int) -> bytes:
        return self.read(int(self.positions[position]))


def balanced_subset(labels: NDArray[np.int64], limit: int, *, seed: int) -> NDArray[np.int64]:
    """Positions of ``limit`` images, as many of each class as the classes allow, in dataset order.

    Args:
        labels: ``(N,)`` classes.
        limit: images to keep; all of them when there are fewer.
        seed: decides which images, and which classes get one more than the others.
    """
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(labels))
    _, classes = np.unique(labels, return_inverse=True)
    class_order = generator.permutation(classes.max() + 1)[classes]
    return np.sort(np.lexsort((class_order, turns_in_class(classes, shuffled)))[:limit])


def turns_in_class(classes: NDArray[np.int64], shuffled: NDArray[np.int64]) -> NDArray[np.int64]:
    """``(N,)`` how many images of its class come before each image in a shuffle.

    Args:
        classes: ``(N,)`` the class of each image.
        shuffled: ``(N,)`` positions of the images in the order of the shuffle.
    """
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    starts = np.searchsorted(classes[by_class], classes[by_class], side="left")
    turns = np.empty(len(classes), dtype=np.int64)
    turns[by_class] = np.arange(len(classes)) - starts
    return turns


def evenly_spaced(n: int, count: int) -> list[int]:
    """``count`` positions spread evenly over ``0 .. n - 1``, or all of them if ``count`` is larger."""
    return [int(row) for row in np.unique(np.linspace(0, n - 1, min(count, n)).round())]

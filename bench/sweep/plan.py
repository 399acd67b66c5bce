"""From a suite to cells, and from what the store lacks of them to work units."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.benchmarks import Benchmark
from bench.data import CropRecipe, Crops
from bench.data.order import balanced_order, window
from bench.models import Classifier, Defense
from bench.records import RunSpec
from bench.results import Store, missing_ranges

FIRST = 50
"""Images per condition that the first round of a sample takes; each further round doubles them."""


@dataclass(frozen=True)
class Cell:
    """One classifier on one dataset under one condition of one benchmark."""

    spec: RunSpec
    """Its identity."""
    benchmark: Benchmark
    """What runs it."""
    crops: Crops
    """The images."""
    input_size: tuple[int, int]
    """Height and width in pixels that the classifier takes."""
    order: NDArray[np.int64]
    """``(N,)`` positions of the images in the order of sampling (``bench.data.order``)."""
    number: int
    """Its number among the conditions of its benchmark, from 0: where its sample starts."""
    n_conditions: int
    """Conditions of the benchmark."""

    def sample(self, size: int) -> list[tuple[int, int]]:
        """The places of the order that a sample of ``size`` images takes: one range, or two round the end."""
        return window(self.number, self.n_conditions, size, self.spec.n_images)


@dataclass(frozen=True)
class WorkUnit:
    """A range of a cell's images in the order of sampling: scheduled, retried and stored as one part."""

    cell: Cell
    """The cell."""
    start: int
    """Place of the first image."""
    stop: int
    """One past the last place."""
    sample: int = 0
    """Images of the cell that are wanted at least once it is done; 0 for all."""

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def positions(self) -> NDArray[np.int64]:
        """``(len(self),)`` where its images stand in the dataset."""
        return self.cell.order[self.start : self.stop]


def plan_cells(
    classifier: Classifier,
    suite: Mapping[str, tuple[Benchmark, Crops]],
    *,
    seed: int,
    defense: Defense | None = None,
    auxiliary: Collection[str] = (),
) -> list[Cell]:
    """Every cell of a suite.

    Args:
        classifier: whose cells they are.
        suite: entry -> benchmark and its images.
        seed: the sweep's seed.
        defense: what stands in front of the classifier.
        auxiliary: entries whose images are their own, beside the main ones. Images that are not labelled with the
            classifier's classes always are.
    """
    orders = {crops.digest: balanced_order(crops.image_ids.tolist(), crops.labels) for _, crops in suite.values()}
    return [
        Cell(
            RunSpec(
                classifier=classifier.name,
                weights_digest=classifier.weights_digest,
                crop=classifier.crop.key,
                defense="" if defense is None else defense.describe(),
                dataset=crops.name,
                dataset_digest=crops.digest,
                n_images=len(crops),
                label_space=crops.label_space.name,
                n_classes=crops.label_space.n_classes if crops.class_ids is None else len(crops.class_ids),
                benchmark=benchmark.name,
                entry=name,
                version=benchmark.version,
                parameters=benchmark.parameters(),
                condition=condition,
                strength_unit=benchmark.unit(condition),
                seed=seed,
                precision=classifier.precision,
                image_size=_size(benchmark.recipe(classifier.crop)),
                departure=benchmark.departure,
                image_protocol=benchmark.image_protocol,
                threat=benchmark.threat,
                auxiliary=name in auxiliary or benchmark.label_kind != "classes",
                surrogate=benchmark.surrogate(condition),
                adaptive_defense="" if defense is None else defense.adaptive,
            ),
            benchmark,
            crops,
            classifier.input_size,
            orders[crops.digest],
            number,
            len(benchmark.conditions()),
        )
        for name, (benchmark, crops) in suite.items()
        for number, condition in enumerate(benchmark.conditions())
    ]


def _size(recipe: CropRecipe) -> tuple[int, int]:
    return recipe.height, recipe.width


def plan_units(
    cells: Sequence[Cell], store: Store, *, chunk: int, sizes: Mapping[str, int] | None = None
) -> list[WorkUnit]:
    """What the store lacks of ``cells``, in units of at most ``chunk`` images.

    Without ``sizes`` the units are in the order of the cells. Of samples, all cells get their first images before any
    gets more, so that a run which is stopped has comparable samples of all of them.

    Args:
        cells: of one classifier.
        store: what it has is not planned again.
        chunk: images in a unit, at most.
        sizes: images wanted under each condition, by entry; left out, all images of every cell.
    """
    units = []
    for cell in cells:
        size = cell.spec.n_images if sizes is None else min(sizes[cell.spec.entry], cell.spec.n_images)
        rounds = [size] if sizes is None else _rounds(size)
        covered = store.covered(cell.spec)
        for number, taken in enumerate(rounds):
            lacking = _within(missing_ranges(covered, cell.spec.n_images), cell.sample(taken))
            covered = [*covered, *lacking]
            sample = 0 if sizes is None else taken
            units += [
                (number, WorkUnit(cell, start, min(start + chunk, high), sample))
                for low, high in lacking
                for start in range(low, high, chunk)
            ]
    return [unit for _, unit in sorted(units, key=lambda item: item[0])]


def _rounds(size: int) -> list[int]:
    """Sizes of the nested samples on the way to ``size``, itself the last."""
    sizes = [FIRST]
    while sizes[-1] < size:
        sizes.append(2 * sizes[-1])
    return [*sizes[:-1], size]


def _within(ranges: Sequence[tuple[int, int]], limits: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The parts of half-open ``ranges`` that lie inside one of ``limits``."""
    cut = [(max(low, first), min(high, last)) for low, high in ranges for first, last in limits]
    return [(low, high) for low, high in cut if low < high]

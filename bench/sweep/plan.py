"""From a suite to cells, and from what the store lacks of them to work units."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bench.benchmarks import Benchmark
from bench.data import CropRecipe, Crops
from bench.models import Classifier, Defense
from bench.records import RunSpec
from bench.results import Store, missing_ranges


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


@dataclass(frozen=True)
class WorkUnit:
    """A range of a cell's images: scheduled, retried and stored as one part."""

    cell: Cell
    """The cell."""
    start: int
    """First image, as a position in the dataset."""
    stop: int
    """One past the last image."""

    def __len__(self) -> int:
        return self.stop - self.start


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
        )
        for name, (benchmark, crops) in suite.items()
        for condition in benchmark.conditions()
    ]


def _size(recipe: CropRecipe) -> tuple[int, int]:
    return recipe.height, recipe.width


def plan_units(cells: Sequence[Cell], store: Store, *, chunk: int) -> list[WorkUnit]:
    """What the store lacks of ``cells``, in units of at most ``chunk`` images, in the order of the cells."""
    return [
        WorkUnit(cell, start, min(start + chunk, high))
        for cell in cells
        for low, high in missing_ranges(store.covered(cell.spec), cell.spec.n_images)
        for start in range(low, high, chunk)
    ]

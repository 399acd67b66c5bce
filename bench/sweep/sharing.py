"""Work units of several classifiers that show the same images: those are read and corrupted once for all of them."""

from collections.abc import Hashable, Sequence
from itertools import pairwise

from bench.sweep.plan import WorkUnit


def in_step(several: Sequence[Sequence[WorkUnit]]) -> list[WorkUnit]:
    """The units of all classifiers in one list, those that show the same images next to each other.

    Args:
        several: the units of each classifier, in the order in which they are to run.
    """
    groups: dict[Hashable, list[WorkUnit]] = {}
    for units in several:
        for unit in units:
            groups.setdefault(_shown(unit), []).append(unit)
    return [unit for group in groups.values() for unit in group]


def repeats(units: Sequence[WorkUnit]) -> list[bool]:
    """Of each unit: whether it shows the same images as the one before it, to another classifier."""
    shown = [_shown(unit) for unit in units]
    same = [
        one == two and before.cell.spec.cell_id != unit.cell.spec.cell_id
        for (one, two), (before, unit) in zip(pairwise(shown), pairwise(units), strict=True)
    ]
    return [False, *same][: len(units)]


def _shown(unit: WorkUnit) -> Hashable:
    """What determines the images of a unit before they are resized to a classifier's input, and their labels."""
    spec, crops = unit.cell.spec, unit.cell.crops
    return (
        (spec.dataset_digest, spec.label_space, crops.recipe.key, unit.start, unit.stop),
        (spec.benchmark, spec.entry, spec.version, repr(sorted(spec.parameters.items())), spec.condition, spec.seed),
    )

"""Which stored cells belong to one entry of the leaderboard, and by which key an entry finds a benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.benchmarks.registry import benchmark_class
from bench.records import RunSpec
from bench.results import StoredCell


@dataclass(frozen=True)
class EntryCells:
    """The cells of one entry."""

    main: Sequence[StoredCell]
    """Cells on its main images, at least one; auxiliary cells where the classifier was run on no main images."""
    auxiliary: Sequence[StoredCell]
    """Cells on images that a benchmark brings itself."""


def group_cells(cells: Sequence[StoredCell]) -> list[EntryCells]:
    """The cells of each entry.

    Auxiliary cells join every entry that the same classifier has on main images. Where it has none, they make an entry
    of their own.

    Args:
        cells: of classifiers; no imported decisions.
    """
    main, auxiliary = _by_protocol(cells, auxiliary=False), _by_protocol(cells, auxiliary=True)
    groups = [
        EntryCells(part, _auxiliary_of(part, auxiliary))
        for group in main.values()
        for part in _by_image_protocol(group)
    ]
    on_main = {_classifier(group[0].spec) for group in main.values()}
    alone = [group for group in auxiliary.values() if _classifier(group[0].spec) not in on_main]
    return [*groups, *(EntryCells(group, []) for group in alone)]


def key_of(spec: RunSpec) -> str:
    """The key of a cell's benchmark in ``LeaderboardEntry.benchmarks``.

    The benchmark's name, or the name of the suite's entry where one leaderboard entry may have several of the
    benchmark: two attacks, or the reference on the main images and on another set. A suite entry that departs from its
    standard says so in its key, and so in every table and column.
    """
    declared = benchmark_class(spec.benchmark)
    if declared.several:
        return spec.title
    if not spec.auxiliary or declared.own_images:
        return spec.benchmark
    return spec.title if spec.entry != spec.benchmark else f"{spec.title} on {spec.dataset}"


def protocol_of(spec: RunSpec) -> tuple[object, ...]:
    """What all cells of one entry share."""
    return (
        spec.classifier,
        spec.weights_digest,
        spec.defense,
        spec.crop,
        spec.precision,
        spec.dataset,
        spec.dataset_digest,
        spec.label_space,
        spec.n_classes,
        spec.seed,
    )


def _classifier(spec: RunSpec) -> tuple[object, ...]:
    """What the cells of one classifier share, whichever images they are on."""
    return spec.classifier, spec.weights_digest, spec.defense, spec.precision, spec.seed


def _by_protocol(cells: Sequence[StoredCell], *, auxiliary: bool) -> dict[tuple[object, ...], list[StoredCell]]:
    groups: dict[tuple[object, ...], list[StoredCell]] = {}
    for cell in cells:
        if cell.spec.auxiliary == auxiliary:
            groups.setdefault(protocol_of(cell.spec), []).append(cell)
    return groups


def _by_image_protocol(cells: Sequence[StoredCell]) -> list[list[StoredCell]]:
    """One group for each protocol of changed images among the cells: ``published`` or ``native``.

    Cells without such a protocol (unchanged images, attacks) are in every group.
    """
    protocols = sorted({cell.spec.image_protocol for cell in cells} - {""})
    return [[cell for cell in cells if cell.spec.image_protocol in ("", protocol)] for protocol in protocols or [""]]


def _auxiliary_of(
    cells: Sequence[StoredCell], auxiliary: Mapping[tuple[object, ...], Sequence[StoredCell]]
) -> list[StoredCell]:
    """The auxiliary cells of the same classifier; changed images only under the image protocol of ``cells``, if any."""
    classifier = _classifier(cells[0].spec)
    protocols = {cell.spec.image_protocol for cell in cells} - {""}
    return [
        cell
        for group in auxiliary.values()
        for cell in group
        if _classifier(cell.spec) == classifier and (not protocols or cell.spec.image_protocol in {"", *protocols})
    ]

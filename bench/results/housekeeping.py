"""Maintenance of a store: verify, set aside, compact, merge; only ``task=store`` does it, never a run."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import DataError
from bench.results.parts import DamagedError, read_part
from bench.results.store import FAILED, PART, Store, StoredCell, missing_ranges

SET_ASIDE = ".damaged"
LEFTOVER = ".writing-"


@dataclass(frozen=True)
class FaultyPart:
    """A file that is damaged, half-written, or differs between two stores."""

    cell_id: str
    """Its folder."""
    name: str
    """Its name."""
    reason: str
    """What is wrong, in one line."""


@dataclass(frozen=True)
class StoreCheck:
    """Result of reading every byte of a store."""

    parts: int
    """Parts read."""
    bytes: int
    """Their size together."""
    damaged: tuple[FaultyPart, ...]
    """Parts that hold something else than was written, or rows that contradict their name or themselves."""
    leftovers: tuple[FaultyPart, ...]
    """Half-written files of killed runs: never read, harmless."""


@dataclass(frozen=True)
class Merged:
    """Result of a merge."""

    copied: int
    """Parts copied from the other store."""
    present: int
    """Parts whose images the store had already."""
    differing: tuple[FaultyPart, ...]
    """Of those, the parts whose predictions differ between the stores; those of the store are kept."""


def verify(store: Store, on_part: Callable[[], None] = lambda: None) -> StoreCheck:
    """Read every byte of every part.

    Args:
        store: which is not changed.
        on_part: called after each part.
    """
    damaged, leftovers, parts, size = [], [], 0, 0
    for folder, names in sorted(store.files.tree().items()):
        for name in names:
            if name.startswith(LEFTOVER):
                leftovers.append(FaultyPart(folder, name, "half-written by a run that was killed"))
            if not PART.fullmatch(name) and not FAILED.fullmatch(name):
                continue
            content = store.files.read(folder, name)
            parts, size = parts + 1, size + len(content)
            try:
                _check_rows(store, folder, name, content)
            except (DamagedError, DataError) as error:
                damaged.append(FaultyPart(folder, name, str(error)))
            on_part()
    return StoreCheck(parts, size, tuple(damaged), tuple(leftovers))


def _check_rows(store: Store, folder: str, name: str, content: bytes) -> None:
    table = read_part(content)
    spec, _ = store.identity(folder, name)
    match = PART.fullmatch(name) or FAILED.fullmatch(name)
    start, stop = int(match[1]), int(match[2])  # type: ignore[index]  # the caller has matched it
    if len(table) != stop - start:
        raise DamagedError("its rows are not as many as its name says")
    if PART.fullmatch(name):
        positions = table["position"].to_numpy()
        if len(np.unique(positions)) != len(positions) or positions.min() < 0 or positions.max() >= spec.n_images:
            raise DamagedError("its rows are not images of the dataset, each once")
        if pc.count_distinct(table["image_id"]).as_py() != len(table):
            raise DamagedError("it holds an image twice")
        right = pc.equal(table["label"].cast(pa.int64()), table["prediction"].cast(pa.int64()))
        if not right.equals(table["correct"]):
            raise DamagedError("its column correct contradicts label and prediction")


def set_aside(store: Store, findings: tuple[FaultyPart, ...]) -> None:
    """Rename damaged parts, so that they no longer count and the next run computes their images anew."""
    for finding in findings:
        store.files.rename(finding.cell_id, finding.name, finding.name + SET_ASIDE)


def compact(store: Store, cell: StoredCell) -> int:
    """Join adjoining parts of a cell that have the same provenance into one, and remove the small ones.

    No sweep or report may use the store at the same time.

    Returns:
        How many parts fewer there are.

    Raises:
        DataError: a part is damaged; nothing has been removed.
    """
    saved = 0
    for stretch in _stretches(store, cell):
        start, stop = stretch[0][0], stretch[-1][1]
        tables = [store.part(cell.spec, part) for part in stretch]
        seconds = sum(store.identity(cell.spec.cell_id, _name(*part))[1].seconds for part in stretch)
        provenance = store.identity(cell.spec.cell_id, _name(*stretch[0]))[1]
        store.write_table(cell.spec, pa.concat_tables(tables), start, provenance, seconds=seconds)
        store.part(cell.spec, (start, stop))  # read back whole before anything is removed
        for part in stretch:
            store.files.remove(cell.spec.cell_id, _name(*part))
        saved += len(stretch) - 1
    return saved


def _stretches(store: Store, cell: StoredCell) -> Iterator[list[tuple[int, int]]]:
    """Runs of two or more adjoining parts with one provenance; overlapping parts stay as they are."""
    open_run: list[tuple[int, int]] = []
    previous = None
    for part in sorted(store.covered(cell.spec)):
        provenance = store.identity(cell.spec.cell_id, _name(*part))[1]
        same = {**provenance.__dict__, "started": "", "seconds": 0.0}
        if open_run and (part[0] != open_run[-1][1] or same != previous):
            if len(open_run) > 1:
                yield open_run
            open_run = []
        open_run.append(part)
        previous = same
    if len(open_run) > 1:
        yield open_run


def merge(store: Store, other: Store, on_part: Callable[[], None] = lambda: None) -> Merged:
    """Copy into ``store`` the parts that only ``other`` has; parts of images that ``store`` has already are not copied.

    Raises:
        DataError: a part of ``other``, or one of ``store`` with the same images, is damaged.
    """
    copied, present, differing = 0, 0, []
    for folder, names in sorted(other.files.tree().items()):
        for name in names:
            if not PART.fullmatch(name) and not FAILED.fullmatch(name):
                continue
            content = other.files.read(folder, name)
            try:
                _check_rows(other, folder, name, content)
            except DamagedError as error:
                raise DataError(f"{other.root}/{folder}/{name} is damaged ({error}): quarantine it first") from error
            overlapping = _overlapping(store, folder, name) if PART.fullmatch(name) else []
            if any(_differ(store, folder, here, content, name) for here in overlapping):
                differing.append(FaultyPart(folder, name, "its predictions are others there"))
            elif not _cover(overlapping, name) and store.files.write_once(folder, name, content):
                copied += 1
                on_part()
                continue
            present += 1
            on_part()
    return Merged(copied, present, tuple(differing))


def _range(name: str) -> tuple[int, int]:
    return int(name[:9]), int(name[10:19])


def _overlapping(store: Store, folder: str, name: str) -> list[str]:
    """The parts of ``folder`` here that share images with the part ``name``."""
    start, stop = _range(name)
    parts = [part for part in store.files.names(folder) if PART.fullmatch(part)]
    return [part for part in parts if _range(part)[0] < stop and start < _range(part)[1]]


def _cover(parts: Sequence[str], name: str) -> bool:
    """Whether ``parts`` together have every image of the part ``name``."""
    start, stop = _range(name)
    clipped = [(max(low, start) - start, min(high, stop) - start) for low, high in map(_range, parts)]
    return bool(parts) and not missing_ranges(clipped, stop - start)


def _differ(store: Store, folder: str, here: str, content: bytes, name: str) -> bool:
    """Whether predictions differ on the images that the part ``here`` shares with ``content``, the part ``name``."""
    try:
        ours, theirs = read_part(store.files.read(folder, here)), read_part(content)
    except DamagedError as error:
        raise DataError(f"{store.root}/{folder}/{here} is damaged ({error}): quarantine it first") from error
    start, stop = max(_range(here)[0], _range(name)[0]), min(_range(here)[1], _range(name)[1])
    shared = [
        table["prediction"].combine_chunks().slice(start - _range(part)[0], stop - start)
        for table, part in ((ours, here), (theirs, name))
    ]
    return not shared[0].equals(shared[1])


def bytes_of(store: Store, cell: StoredCell) -> int:
    """The size of a cell's parts."""
    names = store.files.names(cell.spec.cell_id)
    return sum(store.files.size(cell.spec.cell_id, name) for name in names if PART.fullmatch(name))


def _name(start: int, stop: int) -> str:
    return f"{start:09d}-{stop:09d}.parquet"

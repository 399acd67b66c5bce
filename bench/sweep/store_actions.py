"""What ``task=store`` can do to a results store, with progress and a line of text per finding."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench.errors import ConfigurationError, DataError, nearest_names
from bench.results import Store, StoredCell
from bench.results.export import SUFFIXES, export_rows
from bench.results.housekeeping import bytes_of, compact, merge, set_aside, verify
from bench.results.prune import PRUNABLE, prunable_files
from bench.sweep.progress import SweepProgress


@dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """Options of the actions that take any."""

    source: str = ""
    """Merge: the store to copy from."""
    out: str = ""
    """Export: a .parquet or .csv file."""
    prune: tuple[str, ...] = ()
    """Prune: kinds of files, of ``PRUNABLE``."""
    only_classifier: str | None = None
    """Prune: only cells of this classifier."""
    only_benchmark: str | None = None
    """Prune: only cells of this benchmark or entry of a suite."""
    confirm: bool = False
    """Prune: remove the files; if false, they are only listed."""


def check_action(action: str, options: StoreOptions) -> None:
    """Refuse what cannot be done.

    Raises:
        ConfigurationError: an unknown action, or one without an option that it needs.
    """
    if action not in ACTIONS:
        raise ConfigurationError(f"unknown action {action!r}: {nearest_names(action, ACTIONS)}")
    if action == "merge" and not options.source:
        raise ConfigurationError("action=merge needs source=STORE, the store to copy from")
    if action == "export" and Path(options.out).suffix not in SUFFIXES:
        raise ConfigurationError("action=export needs out=FILE, ending in .parquet or .csv")
    if action == "export" and Path(options.out).exists():
        raise ConfigurationError(f"{options.out} is there already: nothing is overwritten")
    if action == "prune" and not options.prune:
        raise ConfigurationError(f"action=prune needs prune=[...] of {', '.join(PRUNABLE)}")
    for kind in options.prune:
        if kind not in PRUNABLE:
            raise ConfigurationError(f"prune has no {kind!r}: {nearest_names(kind, PRUNABLE)}")
    if "cells" in options.prune and options.only_classifier is None and options.only_benchmark is None:
        raise ConfigurationError(
            "prune=[cells] needs only.classifier=NAME or only.benchmark=NAME: which cells are to go?"
        )


def act(store: Store, action: str, options: StoreOptions) -> bool:
    """Do one of ``ACTIONS`` and print what was found or done.

    Returns:
        False if the store is damaged or incomplete, or differs from the one that is merged.

    Raises:
        DataError: there is no store, or a part that is needed is damaged.
    """
    if action != "merge" and not store.files.tree():  # a merge may fill a new store
        raise DataError(f"store {store.root} is empty: nothing to {action}")
    return ACTIONS[action](store, options)


def say(text: str) -> None:
    """Print a line as it is, without markup or line breaks."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def _verify(store: Store, _: StoreOptions, *, aside: bool = False) -> bool:
    total = sum(len(names) for names in store.files.tree().values())
    with SweepProgress(f"verifying {store.root}", total) as progress:
        verdict = verify(store, lambda: progress.advance(1))
    for finding in verdict.damaged:
        say(f"damaged: {store.root}/{finding.cell_id}/{finding.name}: {finding.reason}")
    if aside:
        set_aside(store, verdict.damaged)
        if verdict.damaged:
            say("set aside: the command that computed them computes their images anew")
    unreadable = {finding.cell_id for finding in verdict.damaged} if not aside else set()
    incomplete = [cell for cell in store.cells(but=unreadable) if not cell.usable]
    for cell in incomplete:
        say(f"incomplete: {_label(cell)}: {cell.n_stored} of {cell.spec.n_images} images")
    say(
        f"{verdict.parts} files, {verdict.bytes / 1e6:.1f} MB: {len(verdict.damaged)} damaged, {len(incomplete)} cells"
        f" incomplete, {len(verdict.leftovers)} half-written leftovers"
    )
    return not incomplete and (aside or not verdict.damaged)


def _quarantine(store: Store, options: StoreOptions) -> bool:
    return _verify(store, options, aside=True)


def _list(store: Store, _: StoreOptions) -> bool:
    for cell in store.cells():
        parts = len(store.covered(cell.spec))
        size = bytes_of(store, cell) / 1e3
        failed = f", {len(cell.failures)} failed" if cell.failures else ""
        counts = f"{cell.n_stored}/{cell.spec.n_images} images, {parts} parts, {size:.1f} kB, {cell.seconds:.1f} s"
        say(f"{_label(cell)}: {counts}{failed}")
    return True


def _compact(store: Store, _: StoreOptions) -> bool:
    cells = [cell for cell in store.cells() if cell.usable]
    with SweepProgress(f"compacting {store.root}", len(cells)) as progress:
        saved = 0
        for cell in cells:
            saved += compact(store, cell)
            progress.advance(1)
    say(f"{saved} parts fewer")
    return True


def _export(store: Store, options: StoreOptions) -> bool:
    cells = [cell for cell in store.cells() if cell.usable]
    if not cells:
        raise DataError(f"store {store.root} has no complete cell to export")
    with SweepProgress(f"exporting {store.root}", len(cells)) as progress:
        export_rows(cells, store, Path(options.out), lambda: progress.advance(1))
    say(f"{len(cells)} complete cells in {options.out}")
    return True


def _merge(store: Store, options: StoreOptions) -> bool:
    other = Store(options.source)
    total = sum(len(names) for names in other.files.tree().values())
    if not total:
        raise DataError(f"store {options.source} is empty: nothing to merge")
    with SweepProgress(f"merging {other.root}", total) as progress:
        merged = merge(store, other, lambda: progress.advance(1))
    for finding in merged.differing:
        say(f"differs: {finding.cell_id}/{finding.name}: {finding.reason}; what is in {store.root} stands")
    say(f"{merged.copied} parts copied, {merged.present} were there already, {len(merged.differing)} of them differ")
    return not merged.differing


def _prune(store: Store, options: StoreOptions) -> bool:
    files = list(
        prunable_files(store, options.prune, classifier=options.only_classifier, benchmark=options.only_benchmark)
    )
    for folder, name in files:
        if options.confirm:
            store.files.remove(folder, name)
        else:
            say(f"would go: {store.root}/{folder}/{name}")
    done = "removed" if options.confirm else "would go; confirm=true removes them"
    say(f"{len(files)} files {done}")
    return True


def _label(cell: StoredCell) -> str:
    spec = cell.spec
    defense = f" behind {spec.defense}" if spec.defense else ""
    return f"{spec.classifier}{defense} / {spec.dataset} / {spec.title} {spec.condition.key} ({spec.cell_id[:8]})"


ACTIONS: dict[str, Callable[[Store, StoreOptions], bool]] = {
    "verify": _verify,
    "quarantine": _quarantine,
    "list": _list,
    "compact": _compact,
    "export": _export,
    "merge": _merge,
    "prune": _prune,
}
"""Name -> what it does; false if the store is damaged or incomplete."""

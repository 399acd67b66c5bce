"""``task=store``: verify, quarantine, list, compact, export, merge or prune the results store; loads no classifier."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from omegaconf import DictConfig
from rich.console import Console

from bench.errors import ConfigurationError, DataError, nearest_names
from bench.results import Store, StoredCell
from bench.results.housekeeping import (
    LEFTOVER,
    SET_ASIDE,
    bytes_of,
    compact,
    export_schema,
    merge,
    rows_of,
    set_aside,
    verify,
)
from bench.results.store import FAILED
from bench.sweep.progress import SweepProgress

PRUNABLE = ("leftovers", "damaged", "failures", "cells")


def check(config: DictConfig) -> None:
    """Refuse what cannot be done.

    Raises:
        ConfigurationError: an unknown action, or one that lacks what it needs.
    """
    action = str(config.action)
    if action not in ACTIONS:
        raise ConfigurationError(f"unknown action {action!r}: {nearest_names(action, ACTIONS)}")
    if action == "merge" and config.source is None:
        raise ConfigurationError("action=merge needs source=STORE, the store to copy from")
    if action == "export" and Path(str(config.out)).suffix not in (".parquet", ".csv"):
        raise ConfigurationError("action=export needs out=FILE, ending in .parquet or .csv")
    if action == "export" and Path(str(config.out)).exists():
        raise ConfigurationError(f"{config.out} is there already: nothing is overwritten")
    if action == "prune" and not config.prune:
        raise ConfigurationError(f"action=prune needs prune=[...] of {', '.join(PRUNABLE)}")
    for what in config.prune:
        if what not in PRUNABLE:
            raise ConfigurationError(f"prune has no {what!r}: {nearest_names(str(what), PRUNABLE)}")
    if "cells" in config.prune and config.only.classifier is None and config.only.benchmark is None:
        raise ConfigurationError(
            "prune=[cells] needs only.classifier=NAME or only.benchmark=NAME: which cells are to go?"
        )


def run(config: DictConfig) -> None:
    """Do it; exits 1 where the store is damaged or incomplete.

    Raises:
        DataError: there is no store, or a part that is needed is damaged.
    """
    store = Store(str(config.store))
    if not store.files.tree():
        raise DataError(f"store {config.store} is empty: nothing to {config.action}")
    if not ACTIONS[str(config.action)](store, config):
        sys.exit(1)


def _say(text: str) -> None:
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def _verify(store: Store, _: DictConfig, *, aside: bool = False) -> bool:
    total = sum(len(names) for names in store.files.tree().values())
    with SweepProgress(f"verifying {store.root}", total) as progress:
        verdict = verify(store, lambda: progress.advance(1))
    for finding in verdict.damaged:
        _say(f"damaged: {store.root}/{finding.cell_id}/{finding.name}: {finding.reason}")
    if aside:
        set_aside(store, verdict.damaged)
        if verdict.damaged:
            _say("set aside: the command that computed them computes their images anew")
    unreadable = {finding.cell_id for finding in verdict.damaged} if not aside else set()
    incomplete = [cell for cell in store.cells(but=unreadable) if not cell.complete]
    for cell in incomplete:
        _say(f"incomplete: {_label(cell)}: {cell.n_stored} of {cell.spec.n_images} images")
    _say(
        f"{verdict.parts} files, {verdict.bytes / 1e6:.1f} MB: {len(verdict.damaged)} damaged, {len(incomplete)} cells"
        f" incomplete, {len(verdict.leftovers)} half-written leftovers"
    )
    return not incomplete and (aside or not verdict.damaged)


def _quarantine(store: Store, config: DictConfig) -> bool:
    return _verify(store, config, aside=True)


def _list(store: Store, _: DictConfig) -> bool:
    for cell in store.cells():
        parts = len(store.covered(cell.spec))
        size = bytes_of(store, cell) / 1e3
        failed = f", {len(cell.failures)} failed" if cell.failures else ""
        counts = f"{cell.n_stored}/{cell.spec.n_images} images, {parts} parts, {size:.1f} kB, {cell.seconds:.1f} s"
        _say(f"{_label(cell)}: {counts}{failed}")
    return True


def _compact(store: Store, _: DictConfig) -> bool:
    cells = [cell for cell in store.cells() if cell.complete]
    with SweepProgress(f"compacting {store.root}", len(cells)) as progress:
        saved = 0
        for cell in cells:
            saved += compact(store, cell)
            progress.advance(1)
    _say(f"{saved} parts fewer")
    return True


def _export(store: Store, config: DictConfig) -> bool:
    out = Path(str(config.out))
    cells = [cell for cell in store.cells() if cell.complete]
    if not cells:
        raise DataError(f"store {store.root} has no complete cell to export")
    out.parent.mkdir(parents=True, exist_ok=True)
    schema = export_schema(cells, store)
    temporary = out.with_name(f".writing-{out.name}")
    with SweepProgress(f"exporting {store.root}", len(cells)) as progress:
        writer = pq.ParquetWriter if out.suffix == ".parquet" else pa.csv.CSVWriter
        with writer(temporary, schema) as file:
            for cell in cells:
                file.write_table(rows_of(cell, store, schema))
                progress.advance(1)
    temporary.rename(out)
    _say(f"{len(cells)} complete cells in {out}")
    return True


def _merge(store: Store, config: DictConfig) -> bool:
    other = Store(str(config.source))
    total = sum(len(names) for names in other.files.tree().values())
    if not total:
        raise DataError(f"store {config.source} is empty: nothing to merge")
    with SweepProgress(f"merging {other.root}", total) as progress:
        merged = merge(store, other, lambda: progress.advance(1))
    for finding in merged.differing:
        _say(f"differs: {finding.cell_id}/{finding.name}: {finding.reason}; what is in {store.root} stands")
    _say(f"{merged.copied} parts copied, {merged.present} were there already, {len(merged.differing)} of them differ")
    return not merged.differing


def _prune(store: Store, config: DictConfig) -> bool:
    doomed = list(_doomed(store, config))
    for folder, name in doomed:
        if config.confirm:
            store.files.remove(folder, name)
        else:
            _say(f"would go: {store.root}/{folder}/{name}")
    done = "removed" if config.confirm else "would go; confirm=true removes them"
    _say(f"{len(doomed)} files {done}")
    return True


def _doomed(store: Store, config: DictConfig) -> Iterator[tuple[str, str]]:
    """The files that ``prune`` names, by folder and name."""
    chosen = {
        cell.spec.cell_id
        for cell in store.cells()
        if config.only.classifier in (None, cell.spec.classifier)
        and config.only.benchmark in (None, cell.spec.benchmark, cell.spec.entry)
    }
    filtered = config.only.classifier is not None or config.only.benchmark is not None
    for folder, names in sorted(store.files.tree().items()):
        if filtered and folder not in chosen:
            continue
        for name in names:
            kinds = {
                "leftovers": name.startswith(LEFTOVER),
                "damaged": name.endswith(SET_ASIDE),
                "failures": FAILED.fullmatch(name) is not None,
                "cells": folder in chosen,
            }
            if any(kinds[what] for what in config.prune):
                yield folder, name


def _label(cell: StoredCell) -> str:
    spec = cell.spec
    defense = f" behind {spec.defense}" if spec.defense else ""
    return f"{spec.classifier}{defense} / {spec.dataset} / {spec.title} {spec.condition.key} ({spec.cell_id[:8]})"


ACTIONS: dict[str, Callable[[Store, DictConfig], bool]] = {
    "verify": _verify,
    "quarantine": _quarantine,
    "list": _list,
    "compact": _compact,
    "export": _export,
    "merge": _merge,
    "prune": _prune,
}

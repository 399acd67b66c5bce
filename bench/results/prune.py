"""Which files of a store can be removed."""

from collections.abc import Collection, Iterator

from bench.results.housekeeping import LEFTOVER, SET_ASIDE
from bench.results.store import FAILED, Store

PRUNABLE = ("leftovers", "damaged", "failures", "cells")
"""Kinds of files: half-written ones, damaged ones that were set aside, records of failures, whole cells."""


def prunable_files(
    store: Store, kinds: Collection[str], *, classifier: str | None = None, benchmark: str | None = None
) -> Iterator[tuple[str, str]]:
    """Folder and name of each file of the given kinds.

    Args:
        store: is not changed.
        kinds: of ``PRUNABLE``.
        classifier: only cells of this classifier.
        benchmark: only cells of this benchmark, or of this entry of a suite.

    Raises:
        DataError: a part is damaged and not set aside.
    """
    chosen = {
        cell.spec.cell_id
        for cell in store.cells()
        if classifier in (None, cell.spec.classifier) and benchmark in (None, cell.spec.benchmark, cell.spec.entry)
    }
    filtered = classifier is not None or benchmark is not None
    for folder, names in sorted(store.files.tree().items()):
        if filtered and folder not in chosen:
            continue
        for name in names:
            matches = {
                "leftovers": name.startswith(LEFTOVER),
                "damaged": name.endswith(SET_ASIDE),
                "failures": FAILED.fullmatch(name) is not None,
                "cells": folder in chosen,
            }
            if any(matches[kind] for kind in kinds):
                yield folder, name

"""Results of the same weights under another name: they are copied, not computed again."""

import logging
from collections.abc import Sequence

from bench.errors import DataError
from bench.records import RunSpec
from bench.results.store import PART, Store, missing_ranges

logger = logging.getLogger(__name__)


def copy_from_aliases(store: Store, specs: Sequence[RunSpec]) -> set[str]:
    """Complete cells with the outcomes that the store has of the same weights under other names.

    The name (``model.alias``) is for people. If all else of a cell's identity is the same, so are its outcomes. What
    cannot be read or copied is left to be computed.

    Args:
        store: is read, and written to.
        specs: cells of one classifier.

    Returns:
        The names that outcomes were copied from.
    """
    open_specs = [spec for spec in specs if missing_ranges(store.covered(spec), spec.n_images)]
    by_outcome: dict[str, list[str]] = {}
    for folder in store.files.folders() if open_specs else ():
        by_outcome.setdefault(folder[:24], []).append(folder)
    names = set()
    for spec in open_specs:
        for folder in by_outcome.get(spec.outcome_id, ()):
            if folder != spec.cell_id:
                names |= _copy(store, folder, spec)
    return names


def _copy(store: Store, folder: str, spec: RunSpec) -> set[str]:
    """Copy the parts in ``folder`` that have images which the cell lacks; returns the name that they had."""
    names = set()
    try:
        for name in store.files.names(folder):
            match = PART.fullmatch(name)
            gaps = missing_ranges(store.covered(spec), spec.n_images)
            if match is None or not any(low < int(match[2]) and int(match[1]) < high for low, high in gaps):
                continue
            source, provenance = store.identity(folder, name)
            table = store.part(source, (int(match[1]), int(match[2])))
            store.write_table(spec, table, int(match[1]), provenance, seconds=provenance.seconds)
            names.add(source.classifier)
    except DataError as error:
        logger.warning("results of the same weights under another name cannot be copied: %s", error)
    return names

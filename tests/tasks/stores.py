"""The rows of a store, to compare with another's."""

from pathlib import Path

import pandas as pd

from bench.results import Store
from bench.results.housekeeping import verify


def frames(place: Path) -> dict[str, pd.DataFrame]:
    """Cell id -> outcomes of ``place/store``, in which no byte is damaged."""
    store = Store(str(place / "store"))
    assert verify(store).damaged == ()
    return {cell.spec.cell_id: store.outcomes(cell.spec) for cell in store.cells()}


def assert_equal_stores(left: dict[str, pd.DataFrame], right: dict[str, pd.DataFrame]) -> None:
    """The same cells with exactly the same rows."""
    assert left.keys() == right.keys()
    for cell_id in left:
        pd.testing.assert_frame_equal(left[cell_id], right[cell_id], check_exact=True)

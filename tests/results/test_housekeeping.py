"""Housekeeping finds what is damaged, loses nothing, and touches nothing it was not asked to."""

import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bench.errors import DataError
from bench.records import Condition
from bench.results import Store
from bench.results.export import export_schema, rows_of
from bench.results.housekeeping import compact, merge, set_aside, verify
from bench.results.parts import DamagedError, part_bytes, read_part


@pytest.fixture
def filled(tmp_path, make_spec, make_outcomes, provenance):
    """A store of one cell in three parts, and its spec."""
    store, spec = Store(str(tmp_path / "store")), make_spec(n_images=10)
    for start in (0, 4, 8):
        store.write_part(spec, make_outcomes(start, min(start + 4, 10)), start, provenance)
    return store, spec


def files(store):
    return {
        (folder, name): store.files.read(folder, name) for folder, names in store.files.tree().items() for name in names
    }


def test_every_flipped_byte_is_found_or_changes_nothing(filled):
    table = filled[0].part(filled[1], (0, 4))
    content = part_bytes(table)
    assert read_part(content).equals(table)
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        try:
            assert read_part(bytes(damaged)).equals(table)
        except DamagedError:
            continue


def test_every_cut_is_found(filled):
    content = part_bytes(filled[0].part(filled[1], (0, 4)))
    for length in range(len(content)):
        with pytest.raises(DamagedError):
            read_part(content[:length])


def test_a_part_without_digest_is_read_as_before(filled):
    import io

    import pyarrow.parquet as pq

    table, buffer = filled[0].part(filled[1], (0, 4)), io.BytesIO()
    pq.write_table(table, buffer, write_page_checksum=True)
    assert read_part(buffer.getvalue()).equals(table)


def test_damage_is_found_set_aside_and_computed_anew(filled, tmp_path, make_outcomes, provenance):
    store, spec = filled
    before = store.outcomes(spec)
    part = tmp_path / "store" / spec.cell_id / "000000004-000000008.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    verdict = verify(store)
    assert [finding.name for finding in verdict.damaged] == [part.name]
    with pytest.raises(DataError, match="action=quarantine"):
        store.outcomes(spec)
    set_aside(store, verdict.damaged)
    assert part.with_name(part.name + ".damaged").exists(), "the bytes are kept"
    assert sorted(store.covered(spec)) == [(0, 4), (8, 10)]
    store.write_part(spec, make_outcomes(4, 8), 4, provenance)
    assert verify(store).damaged == ()
    pd.testing.assert_frame_equal(store.outcomes(spec), before)


def test_a_part_in_the_folder_of_another_cell_is_never_read_as_its_own(filled, tmp_path, make_spec):
    store, spec = filled
    newer = make_spec(n_images=10, version="2")  # what another version of the code would look for
    assert newer.cell_id != spec.cell_id
    shutil.copytree(tmp_path / "store" / spec.cell_id, tmp_path / "store" / newer.cell_id)
    assert {finding.cell_id for finding in verify(store).damaged} == {newer.cell_id}
    with pytest.raises(DataError, match="is of another cell"):
        store.cells()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"position": pa.array([0, 1, 2, 2])}, "not images of the dataset, each once"),
        ({"position": pa.array([0, 1, 2, 10])}, "not images of the dataset, each once"),
        ({"image_id": pa.array(["a", "b", "a", "c"])}, "an image twice"),
        ({"correct": pa.array([False] * 4)}, "contradicts label and prediction"),
    ],
)
def test_rows_that_contradict_themselves_are_damage(filled, provenance, change, reason):
    store, spec = filled
    table = store.part(spec, (0, 4))
    for name, column in change.items():
        table = table.set_column(table.column_names.index(name), name, column)
    store.files.remove(spec.cell_id, "000000000-000000004.parquet")
    store.write_table(spec, table, 0, provenance, seconds=1.0)
    assert reason in verify(store).damaged[0].reason


def test_leftovers_of_killed_runs_are_told_and_harmless(filled, tmp_path):
    store, spec = filled
    (tmp_path / "store" / spec.cell_id / ".writing-xyz").write_bytes(b"half")
    verdict = verify(store)
    assert [finding.name for finding in verdict.leftovers] == [".writing-xyz"]
    assert verdict.damaged == ()


def test_compaction_keeps_every_row_and_second(filled):
    store, spec = filled
    before, (cell,) = store.outcomes(spec), store.cells()
    assert compact(store, cell) == 2
    (after,) = store.cells()
    assert store.covered(spec) == [(0, 10)]
    pd.testing.assert_frame_equal(store.outcomes(spec), before)
    assert (after.seconds, after.spec) == (cell.seconds, cell.spec)
    assert compact(store, after) == 0
    assert verify(store).damaged == ()


def test_parts_that_came_about_otherwise_are_not_compacted_together(tmp_path, make_spec, make_outcomes, provenance):
    from dataclasses import replace

    store, spec = Store(str(tmp_path)), make_spec(n_images=10)
    for start, commit in ((0, "a"), (2, "a"), (4, "b"), (6, "b"), (8, "b")):
        store.write_part(spec, make_outcomes(start, start + 2), start, replace(provenance, commit=commit))
    assert compact(store, store.cells()[0]) == 3
    assert sorted(store.covered(spec)) == [(0, 4), (4, 10)]


def test_a_merge_copies_what_is_lacking_and_overwrites_nothing(filled, tmp_path, make_spec, make_outcomes, provenance):
    store, spec = filled
    other = Store(str(tmp_path / "other"))
    other.write_part(spec, make_outcomes(0, 4, seed=1), 0, provenance)  # other predictions for the same images
    noisy = make_spec(condition=Condition("noise", 1.0))
    other.write_part(noisy, make_outcomes(0, 10), 0, provenance)
    before = files(store)
    merged = merge(store, other)
    assert (merged.copied, merged.present, len(merged.differing)) == (1, 1, 1)
    assert before.items() <= files(store).items()
    assert len(store.outcomes(noisy)) == 10
    again = merge(store, other)
    assert (again.copied, again.present) == (0, 2)


def test_a_merge_never_puts_foreign_rows_before_those_here(filled, tmp_path, make_outcomes, provenance):
    store, spec = filled  # 0-4, 4-8, 8-10
    other = Store(str(tmp_path / "other"))
    other.write_part(spec, make_outcomes(0, 2, seed=1), 0, provenance)  # inside a part here, other predictions
    other.write_part(spec, make_outcomes(2, 6), 2, provenance)  # across two parts here, the same predictions
    before = store.outcomes(spec)
    merged = merge(store, other)
    assert (merged.copied, merged.present) == (0, 2)
    assert [finding.name for finding in merged.differing] == ["000000000-000000002.parquet"]
    pd.testing.assert_frame_equal(store.outcomes(spec), before)


def test_a_merge_fills_a_gap_with_a_part_that_reaches_over_it(tmp_path, make_spec, make_outcomes, provenance):
    spec = make_spec(n_images=10)
    store, other = Store(str(tmp_path / "store")), Store(str(tmp_path / "other"))
    store.write_part(spec, make_outcomes(0, 4), 0, provenance)
    other.write_part(spec, make_outcomes(2, 10), 2, provenance)
    assert merge(store, other).copied == 1
    assert list(store.outcomes(spec)["position"]) == list(range(10))


def test_a_damaged_part_here_is_named_by_a_merge(filled, tmp_path, make_outcomes, provenance):
    store, spec = filled
    other = Store(str(tmp_path / "other"))
    other.write_part(spec, make_outcomes(4, 8), 4, provenance)
    part = tmp_path / "store" / spec.cell_id / "000000004-000000008.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"000000004-000000008\.parquet is damaged .*quarantine it first"):
        merge(store, other)


def test_a_damaged_part_is_never_merged(filled, tmp_path):
    store, spec = filled
    part = tmp_path / "store" / spec.cell_id / "000000004-000000008.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(DataError, match="is damaged"):
        merge(Store(str(tmp_path / "target")), store)


def test_exported_rows_name_their_cell(filled):
    store, spec = filled
    [cell] = store.cells()
    frame = rows_of(cell, store, export_schema([cell], store)).to_pandas()
    assert set(frame["cell_id"]) == {spec.cell_id}
    assert list(frame["position"]) == list(range(10))
    assert np.array_equal(frame["correct"], frame["label"] == frame["prediction"])

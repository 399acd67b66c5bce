"""The store keeps each image exactly once, whatever kills, races or chunk sizes do."""

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from bench.records import Condition, Outcomes
from bench.results import Store, missing_ranges


def write_all(store, spec, make_outcomes, provenance, chunk):
    whole = make_outcomes(0, spec.n_images)
    for start in range(0, spec.n_images, chunk):
        store.write_part(spec, take(whole, start, min(start + chunk, spec.n_images)), start, provenance)


def take(outcomes, start, stop):
    columns = {name: column[start:stop] for name, column in outcomes.columns().items()}
    extra = {name: columns.pop(name) for name in outcomes.extra}
    return Outcomes(**columns, extra=extra)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10))), st.integers(1, 30))
def test_missing_ranges_are_the_complement_by_brute_force(parts, n):
    covered = [(start, min(start + length, n)) for start, length in parts if start < n]
    gaps = missing_ranges(covered, n)
    inside = {i for start, stop in covered for i in range(start, stop)}
    assert [i for start, stop in gaps for i in range(start, stop)] == [i for i in range(n) if i not in inside]


@pytest.mark.parametrize("root", ["{tmp}/store", "memory://store"])
def test_a_cell_is_complete_when_its_parts_cover_its_images(tmp_path, root, make_spec, make_outcomes, provenance):
    store = Store(root.format(tmp=tmp_path))
    spec = make_spec(n_images=10)
    assert store.cells() == []
    store.write_part(spec, make_outcomes(0, 4), 0, provenance)
    with pytest.raises(DataError, match="lacks 6 of 10 images"):
        store.outcomes(spec)
    assert not store.cells()[0].complete
    store.write_part(spec, make_outcomes(4, 10), 4, provenance)
    (cell,) = store.cells()
    assert cell.complete
    assert cell.spec == spec
    assert cell.seconds == 2.0
    frame = store.outcomes(spec)
    assert list(frame.columns) == ["position", "image_id", "label", "prediction", "confidence", "correct"]
    assert list(frame["image_id"]) == [f"image_{i}" for i in range(10)]


def test_chunk_size_leaves_no_trace_in_the_rows(tmp_path, make_spec, make_outcomes, provenance):
    spec = make_spec(n_images=17)
    frames = []
    for chunk in (1, 5, 17):
        store = Store(str(tmp_path / str(chunk)))
        write_all(store, spec, make_outcomes, provenance, chunk)
        frames.append(store.outcomes(spec))
    pd.testing.assert_frame_equal(frames[0], frames[1])
    pd.testing.assert_frame_equal(frames[0], frames[2])


def test_overlapping_parts_count_each_image_once(tmp_path, make_spec, make_outcomes, provenance):
    store, spec = Store(str(tmp_path)), make_spec(n_images=10)
    store.write_part(spec, make_outcomes(0, 6), 0, provenance)
    store.write_part(spec, make_outcomes(4, 10), 4, provenance)
    assert list(store.outcomes(spec)["position"]) == list(range(10))


def test_nothing_is_overwritten(tmp_path, make_spec, make_outcomes, provenance):
    store, spec = Store(str(tmp_path)), make_spec(n_images=4)
    assert store.write_part(spec, make_outcomes(0, 4, seed=0), 0, provenance)
    before = store.outcomes(spec)
    assert not store.write_part(spec, make_outcomes(0, 4, seed=1), 0, provenance)
    pd.testing.assert_frame_equal(store.outcomes(spec), before)


def test_duplicate_images_raise(tmp_path, make_spec, make_outcomes, provenance):
    store, spec = Store(str(tmp_path)), make_spec(n_images=8)
    store.write_part(spec, make_outcomes(0, 4), 0, provenance)
    store.write_part(spec, make_outcomes(0, 4), 4, provenance)
    with pytest.raises(DataError, match="exactly once"):
        store.outcomes(spec)


def test_a_failure_is_kept_until_its_images_are_computed(tmp_path, make_spec, make_outcomes, provenance):
    store, spec = Store(str(tmp_path)), make_spec(n_images=4)
    ids = [f"image_{i}" for i in range(4)]
    store.write_failure(spec, ids, 0, provenance, error="ValueError: no", traceback="Traceback ...")
    (cell,) = store.cells()
    assert not cell.complete
    assert cell.n_stored == 0
    assert cell.failures[0].error == "ValueError: no"
    assert cell.failures[0].traceback == "Traceback ..."
    store.write_part(spec, make_outcomes(0, 4), 0, provenance)
    (cell,) = store.cells()
    assert cell.complete
    assert cell.failures == ()


def test_a_flipped_byte_is_noticed(tmp_path, make_spec, make_outcomes, provenance):
    store, spec = Store(str(tmp_path)), make_spec(n_images=10)
    store.write_part(spec, make_outcomes(0, 10), 0, provenance)
    (part,) = tmp_path.rglob("*.parquet")
    damaged = bytearray(part.read_bytes())
    damaged[len(damaged) // 8] ^= 0xFF
    part.write_bytes(damaged)
    with pytest.raises(DataError, match=r"damaged.*move it away"):
        store.outcomes(spec)


def test_a_truncated_part_is_noticed(tmp_path, make_spec, make_outcomes, provenance):
    store, spec = Store(str(tmp_path)), make_spec(n_images=10)
    store.write_part(spec, make_outcomes(0, 10), 0, provenance)
    (part,) = tmp_path.rglob("*.parquet")
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(DataError, match="damaged"):
        store.cells()


def test_cells_differ_by_every_field_of_the_identity(make_spec):
    changes = [
        {"weights_digest": "1"},
        {"crop": "other"},
        {"dataset_digest": "x"},
        {"version": "2"},
        {"parameters": {"steps": 3}},
        {"condition": Condition("clean", 1)},
        {"seed": 1},
        {"precision": "bfloat16"},
    ]
    ids = {make_spec(**change).cell_id for change in [{}, *changes]}
    assert len(ids) == len(changes) + 1


def hammer(root, spec, make_outcomes, provenance, chunk):
    while True:
        write_all(Store(root), spec, make_outcomes, provenance, chunk)


def test_kill_9_while_writing_leaves_only_whole_parts(tmp_path, make_spec, make_outcomes, provenance):
    spec = make_spec(n_images=400)
    context = multiprocessing.get_context("fork")
    for chunk in (3, 7):
        writer = context.Process(target=hammer, args=(str(tmp_path), spec, make_outcomes, provenance, chunk))
        writer.start()
        time.sleep(0.15)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
    store = Store(str(tmp_path))
    write_all(store, spec, make_outcomes, provenance, 5)
    frame = store.outcomes(spec)
    assert list(frame["image_id"]) == list(make_outcomes(0, 400).image_id)


def test_a_part_read_with_pandas_says_whose_rows_it_holds(tmp_path, make_spec, make_outcomes, provenance):
    spec = make_spec(
        benchmark="attack", entry="my_pgd", condition=Condition("pgd_linf", 4 / 255), defense="jpeg(quality=75)"
    )
    store = Store(str(tmp_path / "store"))
    store.write_part(spec, make_outcomes(0, 10), 0, provenance)
    frame = pd.read_parquet(tmp_path / "store" / spec.cell_id / "000000000-000000010.parquet")
    shown = {"classifier": "linear", "defense": "jpeg(quality=75)", "dataset": "toy", "benchmark": "attack"}
    shown |= {"entry": "my_pgd", "condition": "pgd_linf", "strength": 4 / 255}
    assert {name: frame[name].unique().tolist() for name in shown} == {name: [value] for name, value in shown.items()}
    assert not set(shown) & set(store.outcomes(spec)), "the rows of a cell do not repeat whose they are"


def test_columns_that_would_hide_whose_rows_they_are_are_refused(tmp_path, make_spec, make_outcomes, provenance):
    outcomes = replace(make_outcomes(0, 10), extra={"condition": np.zeros(10)})
    with pytest.raises(ValueError, match=r"\['condition'\] have the names of columns that say whose rows"):
        Store(str(tmp_path / "store")).write_part(make_spec(), outcomes, 0, provenance)


def test_parts_of_another_version_are_refused_as_such(tmp_path, make_spec, make_outcomes, provenance):
    spec, store = make_spec(), Store(str(tmp_path / "store"))
    store.write_part(spec, make_outcomes(0, 10), 0, provenance)
    [part] = (tmp_path / "store").rglob("*.parquet")
    table = pq.read_table(part)
    values = {name: value for name, value in json.loads(spec.to_json()).items() if name != "entry"}
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, b"spec": json.dumps(values)}), part)
    with pytest.raises(DataError, match=r"written by another version of Snowwolf \(.*differs in entry\): use another"):
        store.cells()

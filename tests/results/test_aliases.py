"""Another display name is no reason to compute anything again; other weights are."""

from dataclasses import replace

import pandas as pd
import pytest

from bench.results import Store
from bench.results.aliases import copy_from_aliases


def test_only_the_last_digits_of_a_cell_depend_on_the_name(make_spec):
    spec, renamed, other = make_spec(), make_spec(classifier="mine"), make_spec(weights_digest="other")
    assert spec.outcome_id == renamed.outcome_id != other.outcome_id
    assert spec.cell_id != renamed.cell_id
    assert spec.cell_id[:24] == renamed.cell_id[:24] == spec.outcome_id


@pytest.mark.parametrize("root", ["{tmp}/store", "memory://aliases"])
def test_a_cell_takes_the_parts_that_it_lacks(root, tmp_path, make_spec, make_outcomes, provenance):
    store = Store(root.format(tmp=tmp_path))
    spec = make_spec(n_images=10)
    renamed = replace(spec, classifier="mine")
    store.write_part(spec, make_outcomes(0, 4), 0, provenance)
    store.write_part(spec, make_outcomes(4, 8), 4, provenance)
    store.write_part(renamed, make_outcomes(0, 4), 0, provenance)
    assert copy_from_aliases(store, [renamed]) == {spec.classifier}
    assert store.covered(renamed) == [(0, 4), (4, 8)]
    assert copy_from_aliases(store, [renamed]) == set()  # images 8 and 9 are nowhere
    store.write_part(spec, make_outcomes(8, 10), 8, provenance)
    assert copy_from_aliases(store, [renamed]) == {spec.classifier}
    pd.testing.assert_frame_equal(store.outcomes(renamed), store.outcomes(spec))
    assert {cell.spec.classifier for cell in store.cells()} == {spec.classifier, "mine"}


def test_nothing_is_taken_from_other_weights_conditions_or_seeds(tmp_path, make_spec, make_outcomes, provenance):
    store = Store(str(tmp_path / "store"))
    for changes in ({"weights_digest": "other"}, {"seed": 7}, {"precision": "bfloat16"}, {"dataset_digest": "other"}):
        store.write_part(make_spec(n_images=4, **changes), make_outcomes(0, 4), 0, provenance)
    assert copy_from_aliases(store, [make_spec(n_images=4, classifier="mine")]) == set()


def test_a_damaged_part_is_computed_again(tmp_path, caplog, make_spec, make_outcomes, provenance):
    store = Store(str(tmp_path / "store"))
    spec = make_spec(n_images=4)
    store.write_part(spec, make_outcomes(0, 4), 0, provenance)
    (part,) = (tmp_path / "store").rglob("*.parquet")
    part.write_bytes(part.read_bytes()[:-1])
    renamed = replace(spec, classifier="mine")
    assert copy_from_aliases(store, [renamed]) == set()
    assert "cannot be copied" in caplog.text
    assert store.covered(renamed) == []

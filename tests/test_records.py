"""Identity, outcomes and seeds."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import nearest_names
from bench.records import Outcomes, RunSpec
from bench.seeding import derive_seed


def test_a_spec_survives_json(make_spec):
    spec = make_spec(parameters={"epsilons": [0.1, 0.2], "targeted": False})
    assert RunSpec.from_json(spec.to_json()).cell_id == spec.cell_id


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_no_table_could_hold_is_refused(make_spec, seed):
    with pytest.raises(ValueError, match=f"seed {seed} is not from 0 and below"):
        make_spec(seed=seed)


def test_concatenated_outcomes_keep_order_and_extras(make_outcomes):
    first, second = make_outcomes(0, 3), make_outcomes(3, 5)
    both = Outcomes.concatenate([first, second])
    assert list(both.image_id) == [f"image_{i}" for i in range(5)]
    assert list(both.correct) == [True] * 5


def test_no_outcomes_is_an_error():
    with pytest.raises(ValueError, match="empty set has no accuracy"):
        Outcomes.concatenate([])


def test_columns_of_unequal_length_are_refused(make_outcomes):
    good = make_outcomes(0, 3)
    with pytest.raises(ValueError, match="differ in length"):
        Outcomes(good.image_id, good.label, good.prediction, good.confidence, {"distance": np.zeros(2)})


def test_an_extra_column_may_not_shadow_a_fixed_one(make_outcomes):
    good = make_outcomes(0, 3)
    with pytest.raises(ValueError, match="shadow"):
        Outcomes(good.image_id, good.label, good.prediction, good.confidence, {"label": np.zeros(3)})


def test_seeds_are_pinned_across_machines():
    digest = hashlib.blake2b(b"int:0\x1fstr:'fog@3'\x1fstr:'a/b.jpg'", digest_size=8).digest()
    assert derive_seed(0, "fog@3", "a/b.jpg", bits=64) == int.from_bytes(digest, "little")


@given(st.integers(), st.text(), st.text(), st.sampled_from([32, 63]))
def test_seeds_fit_their_width_and_keep_their_parts_apart(seed, left, right, bits):
    assert 0 <= derive_seed(seed, left, right, bits=bits) < 2**bits
    if left and right:
        assert derive_seed(seed, left, right) != derive_seed(seed, left + right)


def test_nearest_names_prefer_the_close_ones():
    assert nearest_names("resnet5", ["resnet50", "vit", "swin"]) == "did you mean 'resnet50'?"
    assert nearest_names("zzz", ["a", "b"]) == "valid names: a, b"

"""Shape bias by hand, against its definition by brute force, and where it is not defined."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from bench.errors import DataError
from bench.metrics.shape_bias import (
    CueTrials,
    bootstrap_shape_bias,
    category_shape_biases,
    count_cues,
    cue_accuracy,
    shape_bias,
)

names = st.sampled_from(["cat", "dog", "oven", "na"])


def trials(*rows):
    return CueTrials(*(np.array(column, dtype=object) for column in zip(*rows, strict=True)))


BY_HAND = trials(
    ("cat", "dog", "cat"),  # shape
    ("cat", "dog", "dog"),  # texture
    ("cat", "oven", "cat"),  # shape
    ("dog", "oven", "oven"),  # texture
    ("dog", "oven", "cat"),  # neither
    ("dog", "cat", "na"),  # no answer
    ("oven", "oven", "oven"),  # cues agree: left out
    ("oven", "cat", "oven"),  # shape
    ("knife", "cat", "dog"),  # neither
)


def test_by_hand():
    counts = count_cues(BY_HAND)
    assert (counts.n, counts.n_conflict, counts.shape, counts.texture, counts.other) == (9, 8, 3, 2, 3)
    assert shape_bias(BY_HAND).value == 3 / 5
    assert shape_bias(BY_HAND).n == 5
    assert cue_accuracy(BY_HAND).value == 5 / 8
    biases = category_shape_biases(BY_HAND)
    assert list(biases) == ["cat", "dog", "knife", "oven"]
    assert [biases[name].value for name in ("cat", "dog", "oven")] == [2 / 3, 0, 1]
    assert math.isnan(biases["knife"].value)
    assert biases["knife"].n == 0


def test_pooled_is_not_the_mean_over_categories():
    defined = [estimate.value for estimate in category_shape_biases(BY_HAND).values() if estimate.n]
    assert shape_bias(BY_HAND).value != pytest.approx(np.mean(defined))


@given(st.lists(st.tuples(names.filter(lambda name: name != "na"), names, names), min_size=1, max_size=60))
def test_the_definition_by_brute_force(rows):
    rows = [(shape, "cat" if texture == "na" else texture, decision) for shape, texture, decision in rows]
    conflict = [row for row in rows if row[0] != row[1]]
    shape = sum(decision == shape for shape, _, decision in conflict)
    texture = sum(decision == texture for _, texture, decision in conflict)
    if not shape + texture:
        with pytest.raises(DataError, match="not defined"):
            shape_bias(trials(*rows))
        return
    estimate = shape_bias(trials(*rows))
    exact = binomtest(shape, shape + texture).proportion_ci(0.95, method="exact")
    assert estimate.value == pytest.approx(shape / (shape + texture))
    assert (estimate.low, estimate.high) == pytest.approx((exact.low, exact.high), abs=1e-9)
    assert cue_accuracy(trials(*rows)).value == pytest.approx((shape + texture) / len(conflict))
    assert bootstrap_shape_bias(trials(*rows)).value == estimate.value


def test_the_bootstrap_agrees_with_a_loop_over_resamples():
    generator = np.random.default_rng(1)
    decisions = generator.choice(["cat", "dog", "oven"], size=300, p=[0.25, 0.45, 0.3])
    shown = trials(*(("cat", "dog", decision) for decision in decisions))
    ratios = []
    for _ in range(4000):
        drawn = generator.choice(decisions, size=300)
        ratios.append((drawn == "cat").sum() / np.isin(drawn, ["cat", "dog"]).sum())
    estimate = bootstrap_shape_bias(shown)
    assert (estimate.low, estimate.high) == pytest.approx(np.quantile(ratios, [0.025, 0.975]), abs=0.012)


def test_without_conflicting_cues_there_is_no_shape_bias():
    with pytest.raises(DataError, match="no image has a shape and a texture that disagree"):
        shape_bias(trials(("cat", "cat", "cat")))


def test_one_image_has_no_bootstrap_interval():
    estimate = bootstrap_shape_bias(trials(("cat", "dog", "cat")))
    assert estimate.value == 1
    assert math.isnan(estimate.low)

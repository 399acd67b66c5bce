"""Error consistency by hand, by brute force, and at its two ends."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import DataError
from bench.metrics.error_consistency import error_consistency, mean_consistency


def array(text):
    return np.array([letter == "1" for letter in text])


def test_by_hand():
    # p1 = 6/8, p2 = 4/8, equal on 4 of 8: o = .5, e = .75 * .5 + .25 * .5 = .5
    found = error_consistency(array("11111100"), array("11001001"))
    assert (found.observed, found.expected, found.kappa.value) == (0.5, 0.5, 0.0)
    # p1 = p2 = 3/4, equal on 6 of 8: o = .75, e = 9/16 + 1/16 = .625, kappa = .125 / .375
    found = error_consistency(array("11111100"), array("11111001") | array("00000010"))
    assert (found.observed, found.expected) == (0.625, pytest.approx(0.75 * 7 / 8 + 0.25 / 8))
    found = error_consistency(array("11111100"), array("11111010"))
    assert (found.observed, found.expected) == (0.75, 0.625)
    assert found.kappa.value == pytest.approx(1 / 3)
    assert found.kappa.n == 8


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=50))
def test_the_definition_by_brute_force(pairs):
    n = len(pairs)
    p1, p2 = sum(a for a, _ in pairs) / n, sum(b for _, b in pairs) / n
    expected = p1 * p2 + (1 - p1) * (1 - p2)
    first, second = np.array(pairs, dtype=bool).T
    if expected == 1:
        with pytest.raises(DataError, match="not defined"):
            error_consistency(first, second)
        return
    observed = sum(a == b for a, b in pairs) / n
    found = error_consistency(first, second)
    assert found.observed == pytest.approx(observed)
    assert found.expected == pytest.approx(expected)
    assert found.kappa.value == pytest.approx((observed - expected) / (1 - expected))
    assert error_consistency(second, first).kappa.value == pytest.approx(found.kappa.value)


def test_identical_decisions_have_1_and_opposite_ones_at_half_accuracy_have_minus_1():
    decisions = np.random.default_rng(0).random(500) < 0.5
    same = error_consistency(decisions, decisions).kappa
    assert (same.value, same.low, same.high) == (1, 1, 1)
    half = array("1100")
    assert error_consistency(half, ~half).kappa.value == -1


@pytest.mark.parametrize(("p1", "p2"), [(0.5, 0.5), (0.9, 0.3), (0.8, 0.8)])
def test_independent_decisions_have_0_within_noise_and_in_the_interval(p1, p2):
    generator = np.random.default_rng(7)
    kappas = [error_consistency(generator.random(2000) < p1, generator.random(2000) < p2).kappa for _ in range(20)]
    assert all(abs(kappa.value) < 0.08 for kappa in kappas)
    assert np.mean([kappa.low <= 0 <= kappa.high for kappa in kappas]) >= 0.8


def test_the_interval_agrees_with_a_loop_over_resamples():
    generator = np.random.default_rng(2)
    first = generator.random(400) < 0.7
    second = np.where(generator.random(400) < 0.5, first, generator.random(400) < 0.6)
    kappas = []
    for _ in range(3000):
        drawn = generator.integers(0, 400, 400)
        a, b = first[drawn], second[drawn]
        expected = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
        kappas.append(((a == b).mean() - expected) / (1 - expected))
    found = error_consistency(first, second).kappa
    assert (found.low, found.high) == pytest.approx(np.quantile(kappas, [0.025, 0.975]), abs=0.015)


@pytest.mark.parametrize(("first", "second"), [("11", "11"), ("00", "00")])
def test_perfect_or_hopeless_pairs_have_no_consistency(first, second):
    with pytest.raises(DataError, match="not defined"):
        error_consistency(array(first), array(second))


def test_the_images_must_be_the_same_and_some():
    with pytest.raises(DataError, match="same images"):
        error_consistency(array("11"), array("110"))
    with pytest.raises(DataError, match="no images"):
        error_consistency(array(""), array(""))


def test_an_interval_needs_more_than_one_image():
    assert math.isnan(error_consistency(array("1"), array("0")).kappa.low)


def test_means_count_each_pair_once_and_none_with_itself():
    kappas = {frozenset("ab"): 0.2, frozenset("ac"): 0.4, frozenset("bc"): 0.9}
    assert mean_consistency(kappas, ["a"], ["b", "c"]) == pytest.approx(0.3)
    assert mean_consistency(kappas, ["a", "b", "c"], ["a", "b", "c"]) == pytest.approx(0.5)
    with pytest.raises(DataError, match="no pair"):
        mean_consistency(kappas, ["a"], ["a"])

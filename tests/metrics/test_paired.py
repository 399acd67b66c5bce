"""Paired tests against scipy and statsmodels, and by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import xlogy
from scipy.stats import binom, ttest_rel
from statsmodels.stats import contingency_tables, multitest, power

from bench.errors import DataError
from bench.metrics.estimates import proportion
from bench.metrics.paired import (
    holm,
    loss_beyond,
    mcnemar,
    minimum_detectable_difference,
    paired_difference,
    tango_interval,
)

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=120)


@given(PAIRS)
def test_mcnemar_is_statsmodels(pairs):
    first, second = np.array(pairs).T
    result = mcnemar(first, second)
    table = [[np.sum(first & second), result.only_first], [result.only_second, np.sum(~first & ~second)]]
    assert result.exact == pytest.approx(contingency_tables.mcnemar(table, exact=True).pvalue)
    assert result.n == len(pairs)


def test_mid_p_by_hand():
    # 1 against 8: 2 (P(0) + P(1) / 2) of Binomial(9, 1/2) = 2 (1 + 4.5) / 512
    first, second = np.array([True] * 8 + [False] + [True] * 3), np.array([False] * 8 + [True] + [True] * 3)
    result = mcnemar(first, second)
    assert (result.only_first, result.only_second) == (8, 1)
    assert result.mid == pytest.approx(11 / 512)
    assert result.exact == pytest.approx(20 / 512)
    assert mcnemar(first, first).mid == mcnemar(first, first).exact == 1


@pytest.mark.parametrize(("only_first", "only_second"), [(4, 4), (0, 1), (3, 9)])
def test_mid_p_is_the_definition(only_first, only_second):
    first = np.array([True] * only_first + [False] * only_second)
    total = only_first + only_second
    observed = binom.pmf(only_first, total, 0.5)
    as_extreme = [binom.pmf(k, total, 0.5) for k in range(total + 1)]
    # half the weight of all outcomes exactly as extreme as the observed, all of the more extreme ones
    distance = [abs(k - total / 2) for k in range(total + 1)]
    here = abs(only_first - total / 2)
    expected = sum(p * (1 if d > here else 0.5) for p, d in zip(as_extreme, distance, strict=True) if d >= here)
    assert mcnemar(first, ~first).mid == pytest.approx(1.0 if only_first == only_second else expected)
    assert observed > 0


def test_the_paired_t_test_is_scipys():
    generator = np.random.default_rng(0)
    first = generator.normal(size=300)
    second = 0.7 * first + generator.normal(0.05, 0.5, size=300)
    difference = paired_difference(first, second)
    assert difference.p_value == pytest.approx(ttest_rel(second, first).pvalue)
    assert difference.value == pytest.approx(second.mean() - first.mean())
    assert difference.low < difference.value < difference.high


def test_the_paired_interval_covers():
    generator = np.random.default_rng(1)
    covered = []  # 300 images, 2,000 resamples
    for _ in range(800):
        hard = generator.random(300)
        difference = paired_difference(hard < 0.6, np.where(generator.random(300) < 0.3, hard < 0.8, hard < 0.6))
        covered.append(difference.low <= 0.3 * 0.2 <= difference.high)
    assert 0.93 <= np.mean(covered) <= 0.97


def test_the_interval_of_right_or_wrong_pairs_is_the_published_one():
    """Fagerland, Lydersen & Laake 2014, airway hyper-responsiveness: 7 and 1 of 21 change, Tango's interval."""
    assert tango_interval(7, 1, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert tango_interval(1, 7, 21) == pytest.approx((0.026, 0.517), abs=5e-4)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_the_score_interval_holds_what_the_likelihood_does_not_refuse(only_first, only_second, same):
    n = max(only_first + only_second + same, 1)
    low, high = tango_interval(only_first, only_second, n)
    assert -1 <= low <= (only_second - only_first) / n <= high <= 1
    for end in (low, high):
        if abs(end) == 1:
            continue
        # the share of the first alone that is likeliest where the true difference is ``end``, by search
        shares = np.linspace(max(0, -end), (1 - end) / 2, 200_001)
        with np.errstate(divide="ignore"):
            likelihood = xlogy(only_first, shares) + xlogy(only_second, np.maximum(shares + end, 0))
            likelihood += xlogy(n - only_first - only_second, np.maximum(1 - 2 * shares - end, 0))
        share = shares[likelihood.argmax()]
        score = (only_second - only_first - n * end) / np.sqrt(n * (2 * share + end * (1 - end)))
        assert abs(score) == pytest.approx(1.96, abs=0.01)


def test_two_classifiers_that_agree_on_ten_images_may_differ_on_the_next():
    difference = paired_difference(np.zeros(10, dtype=bool), np.zeros(10, dtype=bool))
    bound = 1.959964**2 / (10 + 1.959964**2)
    assert (difference.low, difference.high) == pytest.approx((-bound, bound), abs=1e-6)


@pytest.mark.parametrize("n", [20, 50])
def test_the_interval_covers_at_few_images(n):
    generator = np.random.default_rng(3)
    covered = []
    for _ in range(4000):
        difference = paired_difference(generator.random(n) < 0.7, generator.random(n) < 0.85)
        covered.append(difference.low <= 0.15 <= difference.high)
    assert 0.94 <= np.mean(covered) <= 0.97


def test_the_exact_interval_covers():
    generator = np.random.default_rng(2)
    estimates = [proportion(generator.random(2000) < 0.3) for _ in range(3000)]
    assert 0.93 <= np.mean([estimate.low <= 0.3 <= estimate.high for estimate in estimates]) <= 0.97


def test_mid_p_keeps_its_level():
    generator = np.random.default_rng(3)
    alarms = []
    for _ in range(4000):
        first = generator.random(400) < 0.7
        flipped = generator.random(400) < 0.1
        swap = np.where(generator.random(400) < 0.5, True, False)
        alarms.append(mcnemar(np.where(flipped, swap, first), np.where(flipped, ~swap, first)).mid < 0.05)
    assert 0.035 <= np.mean(alarms) <= 0.06


@pytest.mark.parametrize("count", [1, 2, 7, 30])
def test_holm_is_statsmodels(count):
    p_values = np.random.default_rng(count).random(count) ** 4
    p_values[-1] = p_values[0]
    assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1])


def test_a_missing_p_value_is_no_test():
    with pytest.raises(DataError, match="p-value is missing"):
        holm([0.1, np.nan])


def test_the_minimum_detectable_difference_is_statsmodels():
    effect = power.NormalIndPower(ddof=0).solve_power(nobs1=900, alpha=0.05, power=0.8, ratio=0)
    assert minimum_detectable_difference(0.4, 900) == pytest.approx(effect * 0.4, rel=1e-4)


def test_the_minimum_detectable_difference_is_detected_four_times_of_five():
    generator = np.random.default_rng(4)
    shift = minimum_detectable_difference(1.0, 400)
    found = [ttest_rel(generator.normal(shift, 1, 400), np.zeros(400)).pvalue < 0.05 for _ in range(2000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_a_loss_within_the_tolerance_is_no_regression():
    generator = np.random.default_rng(5)
    losses = (generator.random(5000) < 0.03).astype(float)
    assert loss_beyond(losses, 0.0) < 1e-6
    assert loss_beyond(losses, 0.02) < 1e-3
    assert loss_beyond(losses, 0.05) == 1
    assert loss_beyond(-losses, 0.0) == 1


def test_a_few_lost_images_are_not_significant():
    losses = np.zeros(40)
    losses[:3] = 1  # one-sided exact: 1 / 8
    assert loss_beyond(losses, 0.0) == pytest.approx(1 / 8)


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(DataError, match="same images: 3 and 4"):
        paired_difference(np.ones(3), np.ones(4))
    with pytest.raises(DataError, match="empty set"):
        mcnemar(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))
    with pytest.raises(DataError, match="empty set"):
        loss_beyond(np.zeros(0), 0.0)


def test_one_image_and_equal_differences_are_not_infinitely_significant():
    assert paired_difference(np.zeros(1), np.ones(1)).p_value == 1
    assert paired_difference(np.zeros(5), np.ones(5)).p_value == 2**-4

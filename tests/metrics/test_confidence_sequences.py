"""Confidence sequences: the published formula by hand, and looking again and again at equal classifiers."""

import math

import numpy as np
import pytest

from bench.errors import DataError
from bench.metrics.sampling import sampled_estimate
from bench.metrics.sequences import sequence_factor, sequence_interval
from tests.metrics.simulated_sweeps import Population, Sweep

LOOKS = (25, 50, 100, 200, 400, 800)


def test_the_factor_is_worked_by_hand() -> None:
    # -2 log .05 = 5.99146, and log(6.99146) = 1.94469: r = 7.93616 at the first look
    r = 7.936156
    assert sequence_factor(100, 100) == pytest.approx(
        math.sqrt(2 * (r + 1) / r * math.log(math.sqrt(r + 1) / 0.05)), rel=1e-6
    )
    assert sequence_factor(100, 100) == pytest.approx(3.0353, abs=1e-3)
    assert sequence_factor(100, 100) > 1.96
    assert sequence_factor(6400, 100) > sequence_factor(100, 100, error=0.05) * 0.9


@pytest.mark.parametrize(("n", "first", "error"), [(10, 20, 0.05), (10, 0, 0.05), (10, 10, 0.0), (10, 10, 1.0)])
def test_what_is_no_sequence_is_refused(n: int, first: int, error: float) -> None:
    with pytest.raises(ValueError, match="no interval of a sequence"):
        sequence_factor(n, first, error=error)


def test_an_empty_column_has_no_interval() -> None:
    with pytest.raises(DataError, match="no mean"):
        sequence_interval(np.array([]), 1, 1)


def shares_of_false_verdicts(runs: int, advantage: float, seed: int) -> tuple[float, float]:
    """Runs that call equal classifiers different at any look: by the sequence, and by an interval for one look."""
    generator, by_sequence, by_fixed = np.random.default_rng(seed), 0, 0
    for _ in range(runs):
        # two classifiers of one mCE that err on other images: each draws for itself, on images of the same difficulty
        one, two = (Sweep(generator, 2000, max(LOOKS), (advantage,)) for _ in range(2))
        two.difficulty = one.difficulty
        looks = []
        for k in LOOKS:
            difference = two.columns(k)[0] - one.columns(k)[0]
            looks.append((sequence_interval(difference, 75 * k, 75 * LOOKS[0]), sampled_estimate(difference, k)))
        by_sequence += any(ours.low > 0 or ours.high < 0 for ours, _ in looks)
        by_fixed += any(fixed.low > 0 or fixed.high < 0 for _, fixed in looks)
    return by_sequence / runs, by_fixed / runs


def test_looking_again_and_again_finds_no_difference_that_is_not_there() -> None:
    by_sequence, by_fixed = shares_of_false_verdicts(80, 0.0, seed=5)
    assert by_sequence <= 0.05
    assert by_fixed > 0.08, "the negative control: an interval for one look"


@pytest.mark.proof
def test_looking_again_and_again_in_a_thousand_runs() -> None:
    by_sequence, by_fixed = shares_of_false_verdicts(1000, 0.4, seed=6)
    print(f"false verdicts: sequence {by_sequence:.3f}, interval for one look {by_fixed:.3f}")
    assert by_sequence <= 0.05
    assert by_fixed > 0.1


def test_a_true_difference_is_found() -> None:
    generator = np.random.default_rng(7)
    one, two = Sweep(generator, 2000, 400, (0.0, 0.6)).columns(400)
    found = sequence_interval(two - one, 75 * 400, 75 * 50)
    truth = Population().truth(0.6) - Population().truth(0.0)
    assert found.low < truth < found.high < 0

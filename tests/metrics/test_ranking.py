"""Ranks: copies tie, real differences separate, and every pair is the pairwise test of two."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels import api

from bench.errors import DataError
from bench.metrics.effective_robustness import effective_robustness, fit_logits
from bench.metrics.paired import holm, mcnemar, paired_difference
from bench.metrics.pareto import pareto_front
from bench.metrics.ranking import rank_classifiers


def correct(n, *accuracies, seed=0):
    """Classifiers that share how hard the images are."""
    generator = np.random.default_rng(seed)
    hard = generator.normal(size=n)
    scores = hard[:, None] + 0.5 * generator.normal(size=(n, len(accuracies)))
    return np.stack([np.argsort(np.argsort(s)) < a * n for s, a in zip(scores.T, accuracies, strict=True)], axis=1)


def test_two_copies_of_one_classifier_tie():
    one = correct(5000, 0.7)
    ranking = rank_classifiers(np.concatenate([one, one, correct(5000, 0.6, seed=1)], axis=1), higher_is_better=True)
    assert ranking.rank.tolist() == [1, 1, 3]
    assert ranking.last.tolist() == [2, 2, 3]
    assert ranking.corrected[0, 1] == 1
    assert ranking.ties.tolist() == [1, 1, 0]


def test_copies_tie_in_figures_that_are_no_proportions():
    one = np.random.default_rng(0).exponential(size=800)
    ranking = rank_classifiers(np.stack([one, one + 0.1, one], axis=1), higher_is_better=False)
    assert ranking.rank.tolist() == [1, 3, 1]
    assert not ranking.separated[0, 2]


def test_two_points_on_5000_paired_images_are_separated():
    ranking = rank_classifiers(correct(5000, 0.74, 0.76), higher_is_better=True)
    assert ranking.rank.tolist() == [2, 1]
    assert ranking.last.tolist() == [2, 1]


def test_few_images_leave_every_rank_open():
    ranking = rank_classifiers(correct(50, 0.74, 0.76, 0.7), higher_is_better=True)
    assert ranking.rank.tolist() == [1, 1, 1]
    assert ranking.last.tolist() == [3, 3, 3]
    assert ranking.detectable > 0.05


@pytest.mark.parametrize("kind", [bool, float])
def test_every_pair_is_the_test_of_two(kind):
    values = correct(400, 0.5, 0.6, 0.62, 0.75).astype(kind)
    ranking = rank_classifiers(values, higher_is_better=True)
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    test = (lambda a, b: mcnemar(a, b).mid) if kind is bool else (lambda a, b: paired_difference(a, b).p_value)
    expected = holm([test(values[:, i], values[:, j]) for i, j in pairs])
    assert [ranking.corrected[i, j] for i, j in pairs] == pytest.approx(list(expected), rel=1e-6)
    assert np.array_equal(ranking.corrected, ranking.corrected.T)


def test_equal_classifiers_are_rarely_separated():
    generator = np.random.default_rng(6)
    alarms = [
        rank_classifiers(generator.random((300, 5)) < 0.6, higher_is_better=True).rank.max() > 1 for _ in range(500)
    ]
    assert np.mean(alarms) <= 0.07


def test_true_ranks_lie_in_the_intervals():
    generator = np.random.default_rng(7)
    accuracies = np.array([0.5, 0.55, 0.6, 0.7])
    hits = []
    for _ in range(300):
        ranking = rank_classifiers(generator.random((500, 4)) < accuracies, higher_is_better=True)
        hits.append(((ranking.rank <= [4, 3, 2, 1]) & (ranking.last >= [4, 3, 2, 1])).all())
    assert np.mean(hits) >= 0.93


def test_nothing_has_no_rank():
    with pytest.raises(DataError, match="nothing to rank"):
        rank_classifiers(np.zeros((0, 2), dtype=bool), higher_is_better=True)


def test_the_logit_fit_is_statsmodels():
    generator = np.random.default_rng(8)
    clean = generator.uniform(0.5, 0.9, 12)
    shifted = generator.uniform(0.2, 0.6, 12)
    fit = fit_logits(clean, shifted)
    logits = lambda p: np.log(p / (1 - p))  # noqa: E731
    expected = api.OLS(logits(shifted), api.add_constant(logits(clean))).fit().params
    assert (fit.intercept, fit.slope) == pytest.approx(tuple(expected))
    line = 1 / (1 + np.exp(-(expected[0] + expected[1] * logits(0.8))))
    assert effective_robustness(fit, 0.8, 0.5) == pytest.approx(0.5 - line)
    assert np.isnan(effective_robustness(fit, 1.0, 0.5))


def test_a_line_through_few_classifiers_says_nothing():
    with pytest.raises(DataError, match="needs 5 classifiers with both accuracies between 0 and 1, not 4"):
        fit_logits(np.array([0.5, 0.6, 0.7, 0.8, 1.0]), np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    with pytest.raises(DataError, match="different clean accuracy"):
        fit_logits(np.full(6, 0.5), np.linspace(0.1, 0.4, 6))


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=25))
def test_the_front_is_its_definition(points):
    def dominates(a, b):
        return all(x >= y for x, y in zip(a, b, strict=True)) and a != b

    expected = [not any(dominates(other, point) for other in points) for point in points]
    assert pareto_front(np.array(points, dtype=float)).tolist() == expected

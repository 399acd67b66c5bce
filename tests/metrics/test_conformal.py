"""Conformal sets: hand-worked, against sets built from all probabilities, and their coverage over 1,000 seeds."""

import numpy as np
import pytest
from scipy.stats import beta, kstest

from bench.errors import DataError
from bench.metrics.conformal import (
    METHODS,
    RANKS,
    StoredProfile,
    conformal_quantile,
    conformal_quantiles,
    label_scores,
    set_sizes,
    stored_ranks,
)


def profile_of(probabilities, labels, share):
    ordered = -np.sort(-probabilities, axis=1)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    place = (order == labels[:, None]).argmax(axis=1)
    cumulative = ordered.cumsum(axis=1)
    rows = np.arange(len(labels))
    above = cumulative[rows, place] - ordered[rows, place]
    columns = [rank - 1 for rank in stored_ranks(probabilities.shape[1])]
    own = probabilities[rows, labels]
    return StoredProfile(own, above, cumulative[:, columns], share, probabilities.shape[1])


def draw(n, n_classes, generator, *, wrong_by=1.0):
    """Probabilities of a network, and labels drawn from them, or from flatter ones: a network that is too sure."""
    probabilities = generator.dirichlet(np.full(n_classes, 0.3), n)
    true = probabilities**wrong_by
    true /= true.sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) > generator.random((n, 1))).argmax(axis=1)
    return profile_of(probabilities, labels, generator.random(n))


def test_the_quantile_worked_by_hand():
    scores = np.array([0.5, 0.1, 0.4, 0.2, 0.3, 0.6, 0.7, 0.8, 0.9])
    # (9 + 1)(1 - .1) = 9: the largest of nine; (9 + 1)(1 - .2) = 8
    assert conformal_quantile(scores, 0.1) == 0.9
    assert conformal_quantile(scores, 0.2) == 0.8
    assert conformal_quantile(scores, 0.05) == np.inf
    assert conformal_quantiles(np.stack([scores, scores / 2]), 0.2).tolist() == [0.8, 0.4]


def test_sets_worked_by_hand():
    probabilities = np.array([[0.6, 0.3, 0.1], [0.3, 0.4, 0.3]])
    own = profile_of(probabilities, np.array([1, 2]), np.array([0.5, 0.0]))
    assert label_scores(own, "threshold").tolist() == [0.7, 0.7]
    # threshold .65: probabilities of at least .35
    assert set_sizes(own, "threshold", 0.65).tolist() == [1, 1]
    assert set_sizes(own, "threshold", 0.7).tolist() == [2, 3]
    # adaptive: scores .3, .75, .95 of the classes of the first image; 0, .4, .7 of the second
    assert label_scores(own, "adaptive").tolist() == pytest.approx([0.75, 0.7])
    assert set_sizes(own, "adaptive", 0.74).tolist() == [1, 3]
    assert set_sizes(own, "adaptive", np.inf).tolist() == [3, 3]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_classes", [4, 16, 17, 1000])
def test_sizes_are_those_of_sets_built_from_all_probabilities(method, n_classes):
    generator = np.random.default_rng(n_classes)
    probabilities = generator.dirichlet(np.full(n_classes, 3.0 / n_classes), 500)
    share = generator.random(500)
    own = profile_of(probabilities, generator.integers(0, n_classes, 500), share)
    ordered = -np.sort(-probabilities, axis=1)
    before = ordered.cumsum(axis=1) - ordered
    scores = 1 - ordered if method == "threshold" else before + share[:, None] * ordered
    for quantile in (0.3, 0.6, 0.9, 0.97, 0.995):
        exact = (scores <= quantile + 1e-12).sum(axis=1)
        sizes = set_sizes(own, method, quantile)
        few = exact <= 15
        assert np.array_equal(sizes[few], exact[few])
        assert sizes.mean() == pytest.approx(exact.mean(), rel=0.05)
        ends = np.searchsorted(RANKS, exact[~few])
        assert (np.abs(sizes[~few] - exact[~few]) <= 0.27 * exact[~few] + 1).all(), ends


@pytest.mark.parametrize("n", [19, 99, 500])
@pytest.mark.parametrize("alpha", [0.1, 0.2])
def test_coverage_over_1000_seeds_is_within_the_finite_sample_bounds(n, alpha):
    """With uniform scores the coverage of a quantile q is q itself, and its law is a beta distribution (Vovk 2012)."""
    scores = np.random.default_rng(n).random((1000, n))
    coverage = conformal_quantiles(scores, alpha)
    rank = int(np.ceil((n + 1) * (1 - alpha)))
    assert kstest(coverage, beta(rank, n + 1 - rank).cdf).pvalue > 0.001
    noise = 4 * coverage.std() / np.sqrt(1000)
    assert 1 - alpha - noise <= coverage.mean() <= 1 - alpha + 1 / (n + 1) + noise


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wrong_by", [1.0, 0.4])
def test_a_network_of_1000_seeds_is_covered_however_wrong_its_probabilities_are(method, wrong_by):
    n_fitted, n_judged, alpha = 59, 60, 0.1
    n = n_fitted + n_judged
    scores = label_scores(draw(1000 * n, 6, np.random.default_rng(0), wrong_by=wrong_by), method).reshape(1000, n)
    quantiles = conformal_quantiles(scores[:, :n_fitted], alpha)
    coverage = (scores[:, n_fitted:] <= quantiles[:, None]).mean(axis=1)
    noise = 4 * coverage.std() / np.sqrt(1000)
    assert 1 - alpha - noise <= coverage.mean() <= 1 - alpha + 1 / (n_fitted + 1) + noise


@pytest.mark.parametrize("method", METHODS)
def test_coverage_is_lost_where_the_network_becomes_too_sure(method):
    generator = np.random.default_rng(1)
    fitted, shifted = draw(2000, 10, generator), draw(5000, 10, generator, wrong_by=0.3)
    quantile = conformal_quantile(label_scores(fitted, method), 0.1)
    assert (label_scores(shifted, method) <= quantile).mean() < 0.8


def test_adaptive_sets_are_larger_and_spread_their_errors():
    generator = np.random.default_rng(2)
    fitted, judged = draw(5000, 20, generator), draw(5000, 20, generator)
    sizes = {}
    for method in METHODS:
        quantile = conformal_quantile(label_scores(fitted, method), 0.1)
        sizes[method] = set_sizes(judged, method, quantile).mean()
    assert sizes["threshold"] < sizes["adaptive"]


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="alpha"):
        conformal_quantile(np.array([0.5]), 1.0)
    with pytest.raises(DataError, match="stored probabilities"):
        StoredProfile(np.zeros(2), np.zeros(2), np.zeros((2, 3)), np.zeros(2), 1000)

"""OOD figures against scikit-learn, hand-worked examples, and simulated truth."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from bench.errors import DataError
from bench.metrics.ood import (
    auroc,
    average_precision,
    fpr_at_tpr,
    mean_auroc,
    placements,
    precision_at_images,
    precision_recall_areas,
)

ORDINARY = np.array([0.1, 0.2, 0.3, 0.6])
OOD = np.array([0.2, 0.5, 0.7])


def random_scores(seed, *, decimals):
    generator = np.random.default_rng(seed)
    ood, ordinary = generator.normal(1, 1, 230), generator.normal(0, 1, 410)
    return np.round(ood, decimals), np.round(ordinary, decimals)


def both(ood, ordinary):
    return np.r_[np.ones(len(ood)), np.zeros(len(ordinary))], np.r_[ood, ordinary]


def test_an_example_worked_by_hand():
    # .2 is above .1 and ties with .2; .5 is above three; .7 above all
    assert placements(OOD, ORDINARY).tolist() == [1.5 / 4, 3 / 4, 1]
    assert auroc(OOD, ORDINARY).value == pytest.approx((1.5 + 3 + 4) / 12)
    # thresholds .7, .6, .5, .3, .2: precision 1, 1/2, 2/3, 1/2, 3/6 at recall 1/3, 1/3, 2/3, 2/3, 1
    expected = (1 + 1) / 6 + (1 / 2 + 2 / 3) / 6 + (1 / 2 + 3 / 6) / 6
    assert precision_recall_areas(OOD, ORDINARY).ood_positive == pytest.approx(expected)
    assert precision_at_images(OOD, ORDINARY).tolist() == pytest.approx([3 / 6, 2 / 3, 1])
    assert average_precision(OOD, ORDINARY).value == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)


@pytest.mark.parametrize("decimals", [12, 1, 0])
def test_scikit_learn_agrees_with_and_without_ties(decimals):
    ood, ordinary = random_scores(0, decimals=decimals)
    label, score = both(ood, ordinary)
    assert auroc(ood, ordinary).value == pytest.approx(roc_auc_score(label, score))
    areas = precision_recall_areas(ood, ordinary)
    precision, recall, _ = precision_recall_curve(label, score)
    assert areas.ood_positive == pytest.approx(auc(recall, precision))
    precision, recall, _ = precision_recall_curve(1 - label, -score)
    assert areas.ordinary_positive == pytest.approx(auc(recall, precision))
    assert average_precision(ood, ordinary).value == pytest.approx(average_precision_score(label, score))
    for tpr in (0.5, 0.8, 0.95, 1.0):
        fpr, recalled, _ = roc_curve(label, score, drop_intermediate=False)
        assert fpr_at_tpr(ood, ordinary, tpr).value == pytest.approx(fpr[np.argmax(recalled >= tpr - 1e-12)])


def test_the_threshold_is_the_first_that_recognises_95_percent():
    ood = np.arange(20) / 20  # 19 of 20 are 95 %: the threshold is .05
    ordinary = np.array([0.04, 0.05, 0.06, 0.5])
    assert fpr_at_tpr(ood, ordinary).value == 3 / 4
    # with 21 images, 19.95 are needed: 20, so that the threshold is the second smallest
    assert fpr_at_tpr(np.arange(21) / 20, ordinary).value == 3 / 4
    assert fpr_at_tpr(ood, ordinary, tpr=1.0).value == 1


def test_tied_images_are_taken_together():
    # 2 of 20 share the smallest score: no threshold recognises exactly 19
    ood = np.array([0.1, 0.1, *np.linspace(0.5, 1, 18)])
    assert fpr_at_tpr(ood, np.array([0.0, 0.1, 0.2, 0.4])).value == 3 / 4
    # ordinary images at the threshold count as taken for OOD
    assert fpr_at_tpr(np.full(4, 0.3), np.full(10, 0.3)).value == 1


def test_the_order_of_images_and_sets_has_no_effect():
    generator = np.random.default_rng(4)
    ood, ordinary = random_scores(1, decimals=1)
    other = np.round(generator.normal(0.5, 1, 90), 1)
    shuffled, shuffled_ordinary = generator.permutation(ood), generator.permutation(ordinary)
    one, same = mean_auroc([ood, other], ordinary), mean_auroc([other, shuffled], shuffled_ordinary)
    assert (one.value, one.low, one.high) == pytest.approx((same.value, same.low, same.high))
    assert precision_recall_areas(ood, ordinary) == precision_recall_areas(shuffled, shuffled_ordinary)
    assert fpr_at_tpr(ood, ordinary) == fpr_at_tpr(shuffled, shuffled_ordinary)


def test_delongs_interval_is_that_of_the_pairwise_definition():
    ood, ordinary = random_scores(2, decimals=1)
    wins = (ood[:, None] > ordinary) + 0.5 * (ood[:, None] == ordinary)
    variance = wins.mean(1).var(ddof=1) / len(ood) + wins.mean(0).var(ddof=1) / len(ordinary)
    estimate = auroc(ood, ordinary)
    half = norm.ppf(0.975) * np.sqrt(variance)
    assert (estimate.low, estimate.high) == pytest.approx((wins.mean() - half, wins.mean() + half))


def test_the_interval_of_a_mean_over_sets_holds_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(5)
    shifts = (0.4, 1.2)
    truth = np.mean([norm.cdf(shift / np.sqrt(2)) for shift in shifts])
    held = 0
    for _ in range(800):
        estimate = mean_auroc([generator.normal(s, 1, 60) for s in shifts], generator.normal(0, 1, 80))
        held += estimate.low <= truth <= estimate.high
    assert 0.925 < held / 800 < 0.975


def test_the_bootstrap_of_average_precision_is_that_of_drawn_images():
    ood, ordinary = random_scores(3, decimals=1)
    generator = np.random.default_rng(9)
    drawn = []
    for _ in range(400):
        label, score = both(generator.choice(ood, len(ood)), generator.choice(ordinary, len(ordinary)))
        drawn.append(average_precision_score(label, score))
    estimate = average_precision(ood, ordinary)
    assert (estimate.low, estimate.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.01)


def test_sets_without_an_error_keep_an_interval_with_a_width():
    perfect = auroc(np.array([2.0, 3, 4]), np.array([0.0, 1]))
    assert perfect.value == 1
    assert perfect.low == pytest.approx(0.025 ** (1 / 2))  # two independent pairs, both won
    assert auroc(np.array([0.0, 1]), np.array([2.0, 3])).high == pytest.approx(1 - 0.025 ** (1 / 2))


def test_the_mean_of_unlike_sets_gives_each_the_same_weight():
    ordinary = np.array([0.0, 1])
    assert mean_auroc([np.full(9, 2.0), np.array([-1.0, -1])], ordinary).value == 0.5


def test_missing_images_and_scores_are_errors():
    with pytest.raises(DataError, match="0 images of no known class and 4 ordinary"):
        auroc(np.array([]), ORDINARY)
    with pytest.raises(DataError, match="NaN"):
        fpr_at_tpr(np.array([np.nan, 1]), ORDINARY)
    with pytest.raises(DataError, match="no set"):
        mean_auroc([], ORDINARY)

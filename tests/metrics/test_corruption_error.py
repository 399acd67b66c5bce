"""mCE arithmetic: worked by hand, from the published constants."""

from dataclasses import astuple

import numpy as np
import pytest

from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, FAMILIES
from bench.errors import DataError
from bench.metrics.adversarial import attack_success, robust_accuracy
from bench.metrics.corruption import (
    ALEXNET_CLEAN_ERROR,
    ALEXNET_ERROR,
    corruption_errors,
    family_corruption_errors,
    mean_accuracies,
    mean_corruption_accuracy,
    mean_corruption_error,
    relative_mean_corruption_error,
)

N = 1_000_000


def errors_of(rate):
    """Error columns with ``rate(corruption)`` of the images wrong at every severity."""
    return {
        (corruption, severity): np.arange(1000) < round(1000 * rate(corruption))
        for corruption in CORRUPTIONS
        for severity in range(1, 6)
    }


def test_alexnets_own_errors_are_100():
    # the published means are counts over 5 x 50,000 images; 5 x 10,000 carry four of their digits
    n = 10_000
    errors = {}
    for corruption in (*CORRUPTIONS, *EXTRA_CORRUPTIONS):
        wrong = np.arange(5 * n) < round(5 * n * ALEXNET_ERROR[corruption])
        errors |= {(corruption, severity): wrong[severity - 1 :: 5] for severity in range(1, 6)}
    clean = np.arange(n) < round(n * ALEXNET_CLEAN_ERROR)
    names = (*CORRUPTIONS, *EXTRA_CORRUPTIONS)
    assert [item.value for item in corruption_errors(errors, names)] == pytest.approx([100] * 19, abs=2e-3)
    assert mean_corruption_error(errors).value == pytest.approx(100, abs=1e-3)
    assert relative_mean_corruption_error(errors, clean).value == pytest.approx(100, abs=5e-3)


def test_a_constant_error_of_one_half_by_hand():
    # 100 x mean over the 15 of 0.5 / AlexNet's error, from the published table, summed with awk
    by_hand = 100 * np.mean([0.5 / error for name, error in ALEXNET_ERROR.items() if name in CORRUPTIONS])
    assert by_hand == pytest.approx(64.6726, abs=1e-4)
    assert mean_corruption_error(errors_of(lambda _: 0.5)).value == pytest.approx(by_hand)


def test_it_is_the_mean_of_ratios_not_a_ratio_of_means():
    wrong_on_brightness = errors_of(lambda corruption: 1.0 if corruption == "brightness" else 0.0)
    mean_of_ratios = 100 / 0.564592 / 15
    ratio_of_means = 100 * 1.0 / sum(ALEXNET_ERROR[name] for name in CORRUPTIONS)
    assert mean_corruption_error(wrong_on_brightness).value == pytest.approx(mean_of_ratios)
    assert abs(mean_of_ratios - ratio_of_means) > 3


def test_severities_are_summed_before_dividing():
    errors = errors_of(lambda _: 0.0)
    errors["fog", 5] = np.ones(1000, dtype=bool)
    assert corruption_errors(errors, ["fog"])[0].value == pytest.approx(100 * (1 / 5) / 0.819324)


def test_relative_mce_by_hand():
    errors = errors_of(lambda _: 0.6)
    clean = np.arange(1000) < 200
    by_hand = 100 * np.mean([(0.6 - 0.2) / (ALEXNET_ERROR[name] - 0.4348) for name in CORRUPTIONS])
    assert relative_mean_corruption_error(errors, clean).value == pytest.approx(by_hand)
    assert ALEXNET_CLEAN_ERROR == 0.4348


def test_accuracy_is_unnormalised():
    assert mean_corruption_accuracy(errors_of(lambda _: 0.3)).value == pytest.approx(0.7)


def test_estimates_together_equal_estimates_alone():
    errors = errors_of(lambda corruption: ALEXNET_ERROR[corruption] / 2)
    together = corruption_errors(errors, CORRUPTIONS)
    alone = corruption_errors(errors, [CORRUPTIONS[3]])[0]
    assert astuple(together[3]) == pytest.approx(astuple(alone))
    assert [item.value for item in mean_accuracies(errors, ["fog", "snow"])] == pytest.approx([0.59, 0.567])


def test_families_average_to_the_mce():
    errors = errors_of(lambda corruption: 0.1 + 0.05 * CORRUPTIONS.index(corruption))
    families = [names for family, names in FAMILIES.items() if family != "extra"]
    estimates = family_corruption_errors(errors, families)
    weighted = sum(len(names) * estimate.value for names, estimate in zip(families, estimates, strict=True)) / 15
    assert weighted == pytest.approx(mean_corruption_error(errors).value)


def test_extra_corruptions_never_enter():
    errors = errors_of(lambda _: 0.5)
    before = mean_corruption_error(errors)
    errors["saturate", 1] = np.ones(1000, dtype=bool)
    assert mean_corruption_error(errors) == before


def test_a_missing_condition_is_named_not_zero():
    errors = errors_of(lambda _: 0.5)
    del errors["snow", 3]
    with pytest.raises(DataError, match="no outcomes for snow 3"):
        mean_corruption_error(errors)
    with pytest.raises(DataError, match="saturate"):
        corruption_errors(errors_of(lambda _: 0.5), ["saturate"])


def test_conditions_over_different_images_are_refused():
    errors = errors_of(lambda _: 0.5)
    errors["snow", 3] = np.ones(999, dtype=bool)
    with pytest.raises(DataError, match="different numbers of images"):
        mean_corruption_error(errors)


def test_resnet50s_published_mce():
    # ResNet-50's corruption errors as published in the paper's table (percent of AlexNet), averaged
    published = [80, 82, 83, 75, 89, 78, 80, 78, 75, 66, 57, 71, 85, 77, 77]
    errors = {
        (corruption, severity): np.arange(N // 10) < round(N / 10 * ce / 100 * ALEXNET_ERROR[corruption])
        for corruption, ce in zip(CORRUPTIONS, published, strict=True)
        for severity in range(1, 6)
    }
    from bench.metrics.corruption import _contributions, _mean_of, corruption_error_weights

    weights = _mean_of([corruption_error_weights(corruption) for corruption in CORRUPTIONS])
    assert _contributions(errors, weights).mean() == pytest.approx(76.7, abs=0.2)


def test_robust_accuracy_counts_all_images_and_success_only_the_correct_ones():
    clean = np.array([True, True, True, True, False])
    attacked = np.array([True, False, False, True, False])
    assert robust_accuracy(attacked).value == 2 / 5
    assert attack_success(clean, attacked).value == 2 / 4
    with pytest.raises(DataError, match="not defined"):
        attack_success(np.zeros(3, dtype=bool), np.zeros(3, dtype=bool))

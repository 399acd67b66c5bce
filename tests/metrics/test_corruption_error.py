"""mCE arithmetic: worked by hand, from the published constants."""

import numpy as np
import pytest

from bench.corruptions import CORRUPTIONS
from bench.errors import DataError
from bench.metrics.adversarial import attack_success, robust_accuracy
from bench.metrics.corruption import (
    ALEXNET_CLEAN_ERROR,
    ALEXNET_ERROR,
    corruption_error,
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
    errors = {
        (corruption, severity): np.arange(N) < round(N * ALEXNET_ERROR[corruption])
        for corruption in ("gaussian_noise", "brightness")
        for severity in range(1, 6)
    }
    from bench.metrics.corruption import _contributions, corruption_error_weights

    for corruption in ("gaussian_noise", "brightness"):
        value = _contributions(errors, corruption_error_weights(corruption)).mean()
        assert value == pytest.approx(100, abs=1e-3)


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
    assert corruption_error(errors, "fog").value == pytest.approx(100 * (1 / 5) / 0.819324)


def test_relative_mce_by_hand():
    errors = errors_of(lambda _: 0.6)
    clean = np.arange(1000) < 200
    by_hand = 100 * np.mean([(0.6 - 0.2) / (ALEXNET_ERROR[name] - 0.4348) for name in CORRUPTIONS])
    assert relative_mean_corruption_error(errors, clean).value == pytest.approx(by_hand)
    assert ALEXNET_CLEAN_ERROR == 0.4348


def test_accuracy_is_unnormalised():
    assert mean_corruption_accuracy(errors_of(lambda _: 0.3)).value == pytest.approx(0.7)


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
        corruption_error(errors_of(lambda _: 0.5), "saturate")


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

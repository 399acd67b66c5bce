"""mCE arithmetic: worked by hand, and against figures that others published."""

from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest

from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, FAMILIES, SEVERITIES
from bench.errors import DataError
from bench.metrics.adversarial import attack_success, robust_accuracy
from bench.metrics.corruption import (
    corruption_errors,
    family_corruption_errors,
    family_mean_accuracies,
    mean_accuracies,
    mean_corruption_accuracy_values,
    mean_corruption_error_values,
    relative_mean_corruption_error_values,
)

RESNET50_CLEAN_ACCURACY = 76.13
RESNET50 = {
    "gaussian_noise": (29.29, 79.77, 80),
    "shot_noise": (27.03, 81.58, 82),
    "impulse_noise": (23.81, 82.58, 83),
    "defocus_blur": (38.75, 74.71, 75),
    "glass_blur": (26.79, 88.61, 89),
    "motion_blur": (38.67, 78.03, 78),
    "zoom_blur": (36.24, 79.86, 80),
    "snow": (32.53, 77.83, 78),
    "frost": (38.14, 74.84, 75),
    "fog": (45.83, 66.11, 66),
    "brightness": (68.02, 56.64, 57),
    "contrast": (39.06, 71.43, 71),
    "elastic_transform": (45.25, 84.75, 85),
    "pixelate": (44.79, 76.92, 77),
    "jpeg_compression": (53.41, 76.82, 77),
}
"""torchvision's ResNet-50 on ImageNet-C: accuracy and corruption error in percent as measured by Rusak et al. (2020,
github.com/bethgelab/game-of-noise, Results/clean_results.txt), and the corruption error that Hendrycks & Dietterich
(2019) print."""


def mce(errors):
    return mean_corruption_error_values(errors).mean()


def errors_of(rate, n=1000):
    """Error columns with ``rate(corruption)`` of the ``n`` images wrong at every severity."""
    return {
        (corruption, severity): np.arange(n) < round(n * rate(corruption))
        for corruption in CORRUPTIONS
        for severity in SEVERITIES
    }


def test_resnet50s_published_corruption_errors():
    errors = errors_of(lambda corruption: 1 - RESNET50[corruption][0] / 100, n=10_000)
    ours = {name: estimate.value for name, estimate in zip(RESNET50, corruption_errors(errors, RESNET50), strict=True)}
    # accuracies of two decimals: CE is uncertain by 0.005 / AlexNet's error of at least 0.56, and by its own rounding
    assert ours == pytest.approx({name: measured for name, (_, measured, _) in RESNET50.items()}, abs=0.015)
    assert {name: round(value) for name, value in ours.items()} == {name: row[2] for name, row in RESNET50.items()}
    assert mce(errors) == pytest.approx(76.70, abs=0.01)
    clean = np.arange(10_000) < 10_000 - 100 * RESNET50_CLEAN_ACCURACY
    # from the same accuracies and AlexNet's published errors, with a calculator: 104.952
    assert relative_mean_corruption_error_values(errors, clean).mean() == pytest.approx(104.952, abs=2e-3)


@pytest.mark.shared_data
def test_alexnet_as_others_measured_it_is_near_100(shared_data):
    """A normaliser on the wrong corruption would be far off: the ImageNet testbed re-cropped the same files."""
    rows = pd.read_csv(shared_data / "published" / "testbed" / "robustness_top1s.csv", index_col=0)
    names = (*CORRUPTIONS, *EXTRA_CORRUPTIONS)
    accuracy = {
        (name, severity): rows.loc["alexnet", f"imagenet-c.{name}.{severity}_on-disk"] / 100
        for name in names
        for severity in SEVERITIES
    }
    errors = {condition: np.arange(10_000) >= round(10_000 * share) for condition, share in accuracy.items()}
    values = [estimate.value for estimate in corruption_errors(errors, names)]
    assert values == pytest.approx([100] * 19, abs=8)
    assert np.mean(values) == pytest.approx(100, abs=3)


def test_a_constant_error_of_one_half_by_hand():
    # 100 x mean over the 15 of 0.5 / AlexNet's error, from the published table, summed with awk
    assert mce(errors_of(lambda _: 0.5)) == pytest.approx(64.6726, abs=1e-4)


def test_it_is_the_mean_of_ratios_not_a_ratio_of_means():
    wrong_on_brightness = errors_of(lambda corruption: 1.0 if corruption == "brightness" else 0.0)
    mean_of_ratios = 100 / 0.564592 / 15
    ratio_of_means = 100 / 11.834896  # the sum of AlexNet's 15 published errors
    assert mce(wrong_on_brightness) == pytest.approx(mean_of_ratios)
    assert abs(mean_of_ratios - ratio_of_means) > 3


def test_severities_are_summed_before_dividing():
    errors = errors_of(lambda _: 0.0)
    errors["fog", 5] = np.ones(1000, dtype=bool)
    assert corruption_errors(errors, ["fog"])[0].value == pytest.approx(100 * (1 / 5) / 0.819324)


def test_relative_mce_by_hand():
    errors = errors_of(lambda _: 0.6)
    clean = np.arange(1000) < 200
    # 100 x mean over the 15 of (0.6 - 0.2) / (AlexNet's error - 0.4348), with a calculator
    assert relative_mean_corruption_error_values(errors, clean).mean() == pytest.approx(130.24686, abs=1e-4)


def test_accuracy_is_unnormalised():
    assert mean_corruption_accuracy_values(errors_of(lambda _: 0.3)).mean() == pytest.approx(0.7)


def test_estimates_together_equal_estimates_alone():
    errors = errors_of(lambda corruption: 0.41 if corruption == "fog" else 0.433)
    together = corruption_errors(errors, CORRUPTIONS)
    alone = corruption_errors(errors, [CORRUPTIONS[3]])[0]
    assert astuple(together[3]) == pytest.approx(astuple(alone))
    assert [item.value for item in mean_accuracies(errors, ["fog", "snow"])] == pytest.approx([0.59, 0.567])


def test_families_average_to_the_mce():
    errors = errors_of(lambda corruption: 0.1 + 0.05 * CORRUPTIONS.index(corruption))
    families = [names for family, names in FAMILIES.items() if family != "extra"]
    estimates = family_corruption_errors(errors, families)
    weighted = sum(len(names) * estimate.value for names, estimate in zip(families, estimates, strict=True)) / 15
    assert weighted == pytest.approx(mce(errors))


def test_family_accuracies_by_hand():
    errors = errors_of(lambda corruption: {"fog": 0.5, "snow": 0.1}.get(corruption, 0.0))
    found = family_mean_accuracies(errors, [("fog", "snow"), ("contrast",)])
    assert [estimate.value for estimate in found] == pytest.approx([0.7, 1.0])


def test_extra_corruptions_never_enter():
    errors = errors_of(lambda _: 0.5)
    before = mean_corruption_error_values(errors)
    errors["saturate", 1] = np.ones(1000, dtype=bool)
    assert np.array_equal(mean_corruption_error_values(errors), before)


def test_a_missing_condition_is_named_not_zero():
    errors = errors_of(lambda _: 0.5)
    del errors["snow", 3]
    with pytest.raises(DataError, match="no outcomes for snow 3"):
        mce(errors)
    with pytest.raises(DataError, match="saturate"):
        corruption_errors(errors_of(lambda _: 0.5), ["saturate"])


def test_conditions_over_different_images_are_refused():
    errors = errors_of(lambda _: 0.5)
    errors["snow", 3] = np.ones(999, dtype=bool)
    with pytest.raises(DataError, match="different numbers of images"):
        mce(errors)


def test_robust_accuracy_counts_all_images_and_success_only_the_correct_ones():
    clean = np.array([True, True, True, True, False])
    attacked = np.array([True, False, False, True, False])
    assert robust_accuracy(attacked).value == 2 / 5
    assert attack_success(clean, attacked).value == 2 / 4
    with pytest.raises(DataError, match="not defined"):
        attack_success(np.zeros(3, dtype=bool), np.zeros(3, dtype=bool))

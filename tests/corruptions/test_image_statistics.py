"""Seed for seed unrelated, the batched corruptions are as far from the reference as the reference is from itself."""

import numpy as np
import pytest
import torch

from bench.corruptions import SEVERITIES
from bench.corruptions.batched import corrupt
from bench.corruptions.reference import corrupt_reference
from bench.records import Condition

RANDOM = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "speckle_noise",
    "glass_blur",
    "motion_blur",
    "snow",
    "frost",
    "fog",
    "elastic_transform",
    "spatter",
)
LARGEST_T = 5.0
"""Standard errors of the null; some thousand comparisons are made here."""
BANDS = 6


def twenty_four_crops(photographs):
    return torch.cat([photographs[..., 40:168, :128], photographs[..., 40:168, 96:]]).contiguous()


def statistics(clean, corrupted):
    clean, corrupted = clean.double(), corrupted.double()
    error = ((clean - corrupted) ** 2).mean((1, 2, 3))
    values = {
        "mean": corrupted.mean((1, 2, 3)),
        "standard deviation": corrupted.std((1, 2, 3)),
        "PSNR": 10 * torch.log10(255**2 / error),
    }
    power = torch.fft.fft2(corrupted.mean(1)).abs() ** 2
    down, right = (torch.fft.fftfreq(size) for size in power.shape[1:])
    band = (torch.hypot(down[:, None], right) / 0.5 * BANDS).clamp(max=BANDS - 1).long()
    for number in range(BANDS):
        inside = (band == number) & (torch.arange(power[0].numel()).view_as(band) > 0)
        values[f"spectrum band {number}"] = torch.log10(power[:, inside].mean(1))
    return {name: column.numpy() for name, column in values.items()}


def largest_deviation(clean, ours, first, second):
    """The largest mean difference from the reference, in standard errors of the reference from itself."""
    ours, first, second = (statistics(clean, images) for images in (ours, first, second))
    largest = 0.0
    for name in ours:
        null = first[name] - second[name]
        # variance of one reference draw per image, pooled; the mean of two draws is compared with ours
        variance = (null**2).mean() / 2
        error = np.sqrt(variance * 1.5 / len(null)) + 1e-9
        largest = max(largest, abs((ours[name] - (first[name] + second[name]) / 2).mean()) / error)
    return largest


def compare(images, name, severity, batched):
    condition = Condition(name, severity)
    first, second = (corrupt_reference(images, condition, range(start, start + len(images))) for start in (1000, 2000))
    return largest_deviation(images, batched(condition), first, second)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", RANDOM)
def test_no_further_from_the_reference_than_itself(name, severity, photographs):
    images = twenty_four_crops(photographs)
    deviation = compare(
        images,
        name,
        severity,
        lambda condition: corrupt(images, condition, range(len(images)), definition="imagecorruptions"),
    )
    assert deviation < LARGEST_T


@pytest.mark.parametrize("name", RANDOM)
def test_the_next_severity_is_told_apart(name, photographs):
    """Negative control."""
    images = twenty_four_crops(photographs)
    deviation = compare(
        images,
        name,
        1,
        lambda condition: corrupt(images, Condition(name, 2), range(len(images)), definition="imagecorruptions"),
    )
    assert deviation > LARGEST_T


def test_noise_three_per_cent_too_strong_is_told_apart(photographs):
    """Negative control."""
    images = twenty_four_crops(photographs)

    def stronger(condition):
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0)) * 0.18 * 255
        return (images + 1.03 * noise).clamp(0, 255).to(torch.uint8)

    assert compare(images, "gaussian_noise", 3, stronger) > LARGEST_T

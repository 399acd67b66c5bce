"""The random draws follow the laws of the definitions: chi-square on constant images, with samplers that must fail."""

import numpy as np
import pytest
import torch
from scipy import stats

from bench.corruptions.batched import BATCHED
from bench.corruptions.blur import GLASS
from bench.corruptions.draws import Setting
from bench.corruptions.noise import GAUSSIAN_SCALE, IMPULSE_AMOUNT, SHOT_PHOTONS, SPECKLE_SCALE
from bench.rng import draw_integers, draw_normal

REJECT = 1e-4
"""p-value below which a law is rejected; the seeds are fixed, so that nothing here is left to chance."""
LEVELS = [0, 3, 40, 128, 250, 255]
IMAGES, SIDE = 4, 224


def constant_images(level):
    return torch.full((IMAGES, 3, SIDE, SIDE), level, dtype=torch.uint8)


def chi_square(counts, chances):
    """p-value of the counts under the chances; cells that expect fewer than 5 are pooled."""
    counts, expected = np.asarray(counts, float), np.asarray(chances, float) * np.sum(counts)
    few = expected < 5
    if few.any():
        counts = np.append(counts[~few], counts[few].sum())
        expected = np.append(expected[~few], expected[few].sum())
    kept = expected > 1e-9
    assert counts[~kept].sum() == 0
    counts, expected = counts[kept], expected[kept]
    if len(counts) == 1:
        return 1.0
    return stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1)


def drawn_bytes(name, level, severity, definition="imagenet_c"):
    images, setting = constant_images(level), Setting(severity, definition)
    draws = BATCHED[name].sample(images, setting, range(IMAGES))
    return np.bincount(BATCHED[name].apply(images, draws, setting).flatten().numpy(), minlength=256)


def truncated_normal_bytes(mean, scale):
    """Chance of each byte of a normal clipped to [0,255] and truncated."""
    edges = stats.norm.cdf(np.arange(1, 256), loc=mean, scale=scale)
    return np.diff(np.concatenate([[0.0], edges, [1.0]]))


@pytest.mark.parametrize("severity", [1, 5])
@pytest.mark.parametrize("level", LEVELS)
def test_gaussian_noise(level, severity):
    chances = truncated_normal_bytes(level, 255 * GAUSSIAN_SCALE.imagenet_c[severity - 1])
    assert chi_square(drawn_bytes("gaussian_noise", level, severity), chances) > REJECT


@pytest.mark.parametrize("severity", [1, 5])
@pytest.mark.parametrize("level", LEVELS[1:])
def test_speckle_noise(level, severity):
    chances = truncated_normal_bytes(level, level * SPECKLE_SCALE.imagenet_c[severity - 1])
    assert chi_square(drawn_bytes("speckle_noise", level, severity), chances) > REJECT


def poisson_bytes(level, full):
    photons = np.arange(0, 900)
    chances = np.zeros(256)
    shown = np.uint8(np.clip(photons / full, 0, 1) * 255)
    np.add.at(chances, shown, stats.poisson.pmf(photons, level / 255 * full))
    return chances


@pytest.mark.parametrize("definition", ["imagenet_c", "cifar10_c"])
@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("level", LEVELS)
def test_shot_noise(level, severity, definition):
    chances = poisson_bytes(level, Setting(severity, definition).choose(SHOT_PHOTONS))
    assert chi_square(drawn_bytes("shot_noise", level, severity, definition), chances) > REJECT


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_impulse_noise(severity):
    counts, amount = drawn_bytes("impulse_noise", 100, severity), IMPULSE_AMOUNT.imagenet_c[severity - 1]
    assert counts.sum() == counts[[0, 100, 255]].sum()
    assert chi_square(counts[[0, 100, 255]], [amount / 2, 1 - amount, amount / 2]) > REJECT


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
def test_glass_blur_moves_alike_in_all_directions(severity):
    setting = Setting(severity, "imagenet_c")
    _, reach, _ = setting.choose(GLASS)
    steps = BATCHED["glass_blur"].sample(constant_images(0), setting, range(IMAGES))["step"]
    counts = np.bincount(steps.flatten().numpy(), minlength=(2 * reach) ** 2)
    assert chi_square(counts, np.full((2 * reach) ** 2, 1 / (2 * reach) ** 2)) > REJECT


@pytest.mark.parametrize(
    ("name", "draw", "law"),
    [
        ("motion_blur", "angle", stats.uniform(-45, 90)),
        ("snow", "angle", stats.uniform(-135, 90)),
        ("snow", "flakes", stats.norm()),
        ("fog", "heights", stats.uniform(-1, 2)),
        ("elastic_transform", "displacement", stats.uniform(-1, 2)),
        ("elastic_transform", "points", stats.uniform(-1, 2)),
        ("spatter", "liquid", stats.norm()),
    ],
)
def test_continuous_draws(name, draw, law):
    count = {"angle": 4000, "points": 1000}.get(draw, 30)
    images = torch.zeros(1, 3, 64, 64, dtype=torch.uint8).expand(count, -1, -1, -1)
    draws = BATCHED[name].sample(images, Setting(3, "imagenet_c"), range(len(images)))[draw].double().flatten().numpy()
    cells = np.floor(law.cdf(draws) * 32).astype(int)
    assert cells.min() >= 0
    assert cells.max() < 32
    assert chi_square(np.bincount(cells, minlength=32), np.full(32, 1 / 32)) > REJECT


@pytest.mark.parametrize(("definition", "textures"), [("imagenet_c", 5), ("cifar10_c", 5), ("imagecorruptions", 6)])
def test_every_frost_is_as_likely(definition, textures):
    images = torch.zeros(1, 3, 64, 64, dtype=torch.uint8).expand(3000, -1, -1, -1)
    corner = BATCHED["frost"].sample(images, Setting(3, definition), range(3000))["corner"].numpy()
    assert chi_square(np.bincount(corner[:, 0], minlength=textures), np.full(textures, 1 / textures)) > REJECT


def test_images_and_pixels_are_independent():
    noise = draw_normal(range(60), (3, 50, 50), torch.device("cpu")).flatten(1).numpy()
    between = np.corrcoef(noise)[np.triu_indices(60, 1)]
    assert np.abs(between).max() < 5 / np.sqrt(noise.shape[1])
    lags = [np.corrcoef(noise[:, lag:].ravel(), noise[:, :-lag].ravel())[0, 1] for lag in (1, 50, 2500)]
    assert np.abs(lags).max() < 5 / np.sqrt(noise.size)


# Negative controls: samplers that are wrong by a little, and must be caught.


def test_a_scale_one_per_cent_off_is_caught():
    chances = truncated_normal_bytes(128, 255 * GAUSSIAN_SCALE.imagenet_c[0] * 1.01)
    assert chi_square(drawn_bytes("gaussian_noise", 128, 1), chances) < REJECT


def test_a_sum_of_twelve_uniforms_is_no_normal():
    draws = sum(np.random.default_rng(0).random((12, 600_000))) - 6
    counts = np.bincount(np.clip(draws * 255 * 0.08 + 128, 0, 255).astype(int), minlength=256)
    assert chi_square(counts, truncated_normal_bytes(128, 255 * 0.08)) < REJECT


def test_rounding_instead_of_truncation_is_caught():
    draws = np.random.default_rng(0).normal(128, 255 * 0.08, 600_000)
    counts = np.bincount(np.rint(np.clip(draws, 0, 255)).astype(int), minlength=256)
    assert chi_square(counts, truncated_normal_bytes(128, 255 * 0.08)) < REJECT


def test_a_normal_approximation_of_poisson_is_caught():
    mean = 128 / 255 * 60
    photons = np.rint(np.random.default_rng(0).normal(mean, np.sqrt(mean), 600_000)).clip(0)
    counts = np.bincount(np.uint8(np.clip(photons / 60, 0, 1) * 255), minlength=256)
    assert chi_square(counts, poisson_bytes(128, 60)) < REJECT


def test_an_inclusive_upper_end_is_caught():
    steps = draw_integers(range(4), (220, 220), 17, torch.device("cpu"))
    counts = np.bincount(steps.flatten().numpy() % 16, minlength=16)
    assert chi_square(counts, np.full(16, 1 / 16)) < REJECT

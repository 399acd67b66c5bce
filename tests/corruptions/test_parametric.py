"""The manipulations of Geirhos et al. (2018) against NumPy, SciPy and scikit-image, and hand-worked images."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2gray

from bench.corruptions.parametric import BACKGROUND, MANIPULATIONS, manipulate
from bench.errors import ConfigurationError, DataError
from bench.records import Condition
from bench.rng import draw_uniform

SEEDS = (11, 12)


def photos(height=48, width=48, n=2):
    """Random images with structure at all scales."""
    generator = np.random.default_rng(height * width)
    fields = [gaussian_filter(generator.normal(size=(n, 3, height, width)), (0, 0, s, s)) * s for s in (1, 3, 9)]
    images = sum(fields)
    images = (images - images.min()) / (images.max() - images.min())
    return torch.from_numpy((images * 255).astype(np.uint8))


def greys(images):
    return [rgb2gray(image.permute(1, 2, 0).numpy() / 255.0) for image in images]


def to_bytes(grey):
    """As the stimuli were saved: scipy.misc.toimage with cmin 0 and cmax 1."""
    return (np.clip(grey * 255.0, 0, 255) + 0.5).astype(np.uint8)


def noise(shape):
    return draw_uniform(SEEDS, shape, torch.device("cpu")).double().numpy()


def reference_blur(grey, std):
    return gaussian_filter(grey, std, mode="constant", cval=BACKGROUND)


def reference_high_pass(grey, std):
    passed = grey - reference_blur(grey, std)
    return passed + (BACKGROUND - passed.mean())


def reference_scramble(grey, width, draws):
    """Even sides: all but the first row and column of the centred spectrum, both halves in the same order of draws."""
    spectrum = np.fft.fftshift(np.fft.fft2(grey))
    amplitude, phase = np.abs(spectrum), np.angle(spectrum)
    inner = phase[1:, 1:].ravel()
    half = len(inner) // 2
    shifts = draws[:half] * width / 180 * np.pi
    for place in range(half):
        inner[place] += shifts[place]
        inner[half + 1 + place] -= shifts[place]
    phase[1:, 1:] = inner.reshape(phase[1:, 1:].shape)
    return np.fft.ifft2(np.fft.ifftshift(amplitude * np.exp(1j * phase))).real


def references(name, strength, images):
    grey = greys(images)
    height, width = images.shape[2:]
    if name == "uniform_noise":
        added = noise((height, width))
        return [0.3 * one + 0.35 + strength * field for one, field in zip(grey, added, strict=True)]
    if name == "phase_scrambling":
        draws = noise((height * width // 2,))
        return [reference_scramble(one, strength, row) for one, row in zip(grey, draws, strict=True)]
    function = {
        "greyscale": lambda one: one,
        "contrast": lambda one: (1 - strength / 100) / 2 + one * strength / 100,
        "low_pass": lambda one: reference_blur(one, strength),
        "high_pass": lambda one: reference_high_pass(one, strength),
        "rotation": lambda one: np.rot90(one, int(strength) // 90),
    }[name]
    return [function(one) for one in grey]


CASES = [(name, strength) for name, held in MANIPULATIONS.items() for strength in held.published]


@pytest.mark.parametrize(("name", "strength"), CASES)
def test_every_published_strength_equals_its_reference(name, strength):
    images = photos()
    shown = manipulate(images, Condition(name, strength), SEEDS)
    assert shown.dtype == torch.uint8
    for image, reference in zip(shown.numpy(), references(name, strength, images), strict=True):
        assert np.array_equal(image[0], image[1])
        assert np.array_equal(image[0], image[2])
        difference = np.abs(image[0].astype(int) - to_bytes(reference))
        # where a value lies on the edge between two levels, the last bit of a sum decides
        assert difference.max() <= 1
        assert (difference > 0).mean() < 1e-3


@pytest.mark.parametrize("name", ["low_pass", "high_pass", "phase_scrambling"])
@pytest.mark.parametrize("sides", [(48, 36), (33, 48), (35, 37)])
def test_sides_that_differ_or_are_odd(name, sides):
    images = photos(*sides)
    shown = manipulate(images, Condition(name, 3), SEEDS)
    assert shown.shape == images.shape
    if name != "phase_scrambling":
        for image, reference in zip(shown.numpy(), references(name, 3, images), strict=True):
            assert np.abs(image[0].astype(int) - to_bytes(reference)).max() <= 1


def test_phase_scrambling_averages_two_draws_a_frequency():
    # worked out: a frequency moves by s, its conjugate by another draw -t, and the real part of the result has
    # (exp(is) + exp(it)) / 2 times the frequency
    side, width = 32, 90
    low = photos(side, side) // 4 + 96  # far from black and white, so that nothing is clipped
    shown = manipulate(low, Condition("phase_scrambling", width), SEEDS)[:, 0].double().numpy()
    draws = noise((side * side // 2,)) * np.pi / 2
    for found, grey, row in zip(shown, greys(low), draws, strict=True):
        expected = np.fft.fftshift(np.fft.fft2(grey * 255))
        inner = expected[1:, 1:].ravel()
        half = len(inner) // 2
        factor = np.ones(len(inner), dtype=complex)
        factor[:half] = (np.exp(1j * row[:half]) + np.exp(1j * row[:half][::-1])) / 2
        factor[half + 1 :] = factor[:half][::-1].conj()
        expected[1:, 1:] = (inner * factor).reshape(side - 1, side - 1)
        spectrum = np.fft.fftshift(np.fft.fft2(found))
        spectrum[side // 2, side // 2] = expected[side // 2, side // 2]  # the mean, moved by the rounding
        assert np.abs(spectrum - expected).max() < 40  # rounding to levels: noise of .29 levels in side^2 pixels
        assert np.abs(expected[1:, 1:]).max() > 400


def test_hand_worked_images():
    white = torch.full((1, 3, 32, 32), 255, dtype=torch.uint8)
    red = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 32, 32)

    def level(image, name, strength):
        return manipulate(image, Condition(name, strength), [0])[0, 0]

    assert level(red, "greyscale", 1).unique().tolist() == [54]  # .2125 * 255 = 54.19
    assert level(white, "contrast", 10).unique().tolist() == [140]  # (.45 + .1) * 255 = 140.25
    assert level(white, "contrast", 0).unique().tolist() == [128]  # 127.5 is rounded up
    assert level(white, "uniform_noise", 0).unique().tolist() == [166]  # (.35 + .3) * 255 = 165.75
    turned = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    turned[..., 0, -1] = 255  # upper right goes to the upper left, counter-clockwise
    assert level(turned, "rotation", 90)[0, 0] == 255
    assert level(turned, "rotation", 180)[-1, 0] == 255
    assert level(turned, "rotation", 270)[-1, -1] == 255


@pytest.mark.parametrize("name", ["low_pass", "high_pass", "phase_scrambling", "rotation"])
def test_strength_0_is_the_greyscale_image(name):
    images = photos()
    grey = manipulate(images, Condition("greyscale", 1), SEEDS)
    assert torch.equal(manipulate(images, Condition(name, 0), SEEDS), grey)


def test_contrast_100_is_the_greyscale_image():
    images = photos()
    grey = manipulate(images, Condition("greyscale", 1), SEEDS)
    assert torch.equal(manipulate(images, Condition("contrast", 100), SEEDS), grey)


@given(st.sampled_from(CASES), st.permutations(range(5)))
@settings(max_examples=25, deadline=None)
def test_an_image_depends_on_its_own_seed_alone(case, order):
    images, seeds = photos(n=5), [3, 1, 4, 1, 5]
    condition = Condition(*case)
    whole = manipulate(images, condition, seeds)
    shuffled = manipulate(images[list(order)], condition, [seeds[place] for place in order])
    assert torch.equal(shuffled, whole[list(order)])
    assert torch.equal(manipulate(images[2:3], condition, seeds[2:3])[0], whole[2])


def test_other_seeds_make_other_noise():
    images = photos(n=1).expand(2, -1, -1, -1)
    for name in ("uniform_noise", "phase_scrambling"):
        one, other = manipulate(images, Condition(name, MANIPULATIONS[name].published[-1]), [1, 2])
        assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("name", "strength", "message"),
    [
        ("low_pas", 1, "'low_pas': did you mean 'low_pass'"),
        ("contrast", 101, "contrast takes 0 to 100 percent, not 101"),
        ("contrast", -1, "not -1"),
        ("rotation", 45, "0, 90, 180 or 270 degrees, not 45"),
        ("low_pass", float("nan"), "not nan"),
    ],
)
def test_what_does_not_exist_is_refused(name, strength, message):
    with pytest.raises(ConfigurationError, match=message):
        manipulate(photos(), Condition(name, strength), SEEDS)


def test_what_cannot_be_manipulated_is_refused():
    with pytest.raises(DataError, match="uint8 images of shape"):
        manipulate(photos().float(), Condition("contrast", 50), SEEDS)
    with pytest.raises(DataError, match="as many seeds"):
        manipulate(photos(), Condition("contrast", 50), [1])
    with pytest.raises(DataError, match="only square images can be turned by 90"):
        manipulate(photos(32, 40), Condition("rotation", 90), SEEDS)

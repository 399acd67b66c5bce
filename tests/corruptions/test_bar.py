"""ImageNet-C-bar against its definition pixel by pixel, from the same seeds."""

import c_bar_oracle as oracle
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.corruptions.bar import BAR_CORRUPTIONS, BAR_LEVELS, corrupt_bar
from bench.errors import ConfigurationError, DataError
from bench.records import Condition


def small(photographs, side):
    """Two photographs, reduced by leaving out pixels."""
    step = 224 // side
    return photographs[:2, :, ::step, ::step][:, :, :side, :side].contiguous()


def test_the_ten_of_the_paper_with_five_levels_each():
    assert sorted(BAR_CORRUPTIONS) == [
        "blue_noise_sample",
        "brownish_noise",
        "caustic_refraction",
        "checkerboard_cutout",
        "cocentric_sine_waves",
        "inverse_sparkles",
        "perlin_noise",
        "plasma_noise",
        "single_frequency_greyscale",
        "sparkles",
    ]
    assert all(len(levels) == 5 and list(levels) == sorted(levels) for levels in BAR_LEVELS.values())


@pytest.mark.parametrize("name", BAR_CORRUPTIONS)
@pytest.mark.parametrize(("side", "severity"), [(32, 1), (37, 3), (44, 5)])
def test_it_is_its_definition(photographs, name, side, severity):
    images, seeds = small(photographs, side), [side, 2**32 - 1 - severity]
    ours = corrupt_bar(images, Condition(name, severity), seeds)
    assert ours.shape == images.shape
    assert ours.dtype == torch.uint8
    level = BAR_LEVELS[name][severity - 1]
    for image, corrupted, seed in zip(images, ours, seeds, strict=True):
        theirs = getattr(oracle, name)(image.permute(1, 2, 0).numpy(), level, np.random.RandomState(seed))
        difference = np.abs(corrupted.permute(1, 2, 0).numpy().astype(int) - theirs)
        assert difference.max() <= 1
        assert np.mean(difference > 0) <= 0.005
        assert not np.array_equal(theirs, image.permute(1, 2, 0).numpy())


@given(
    name=st.sampled_from(BAR_CORRUPTIONS),
    severity=st.integers(1, 5),
    side=st.integers(32, 50),
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_each_image_depends_on_its_own_seed_alone(name, severity, side, seeds):
    images = torch.randint(0, 256, (len(seeds), 3, side, side), dtype=torch.uint8)
    untouched, condition = images.clone(), Condition(name, severity)
    together = corrupt_bar(images, condition, seeds)
    assert torch.equal(images, untouched)
    alone = [corrupt_bar(image[None], condition, [seed]) for image, seed in zip(images, seeds, strict=True)]
    assert torch.equal(together, torch.cat(alone))


def test_what_is_not_defined_is_refused():
    square = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    with pytest.raises(ConfigurationError, match=r"'sparkle'.*'sparkles'"):
        corrupt_bar(square, Condition("sparkle", 1), [0])
    with pytest.raises(DataError, match="square images, not 32 x 16"):
        corrupt_bar(square[..., :16], Condition("sparkles", 1), [0])

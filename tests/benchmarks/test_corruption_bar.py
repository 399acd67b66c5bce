"""What only ImageNet-C-bar promises, beside the contract of every benchmark."""

import numpy as np
import pytest

from bench.benchmarks.corruption_bar import CorruptionBar
from bench.corruptions.bar import corrupt_bar
from bench.errors import ConfigurationError
from bench.records import Condition
from bench.seeding import derive_seed


def test_images_are_corrupted_while_read_from_seeds_of_their_own(make_crops):
    crops, condition = make_crops(3, side=32), Condition("perlin_noise", 4.0)
    shown = CorruptionBar().read(crops, [2, 0], condition, seed=7).images
    seeds = [derive_seed(7, condition.key, name, bits=32) for name in ("image_2", "image_0")]
    assert np.array_equal(shown, corrupt_bar(crops.read([2, 0]), condition, seeds))


def test_fifty_conditions():
    assert len(CorruptionBar().conditions()) == 50


def test_unknown_names_and_severities_are_refused():
    with pytest.raises(ConfigurationError, match=r"'plasma'.*'plasma_noise'"):
        CorruptionBar(corruptions=("plasma",))
    with pytest.raises(ConfigurationError, match="severities are 1 to 5"):
        CorruptionBar(severities=(0,))

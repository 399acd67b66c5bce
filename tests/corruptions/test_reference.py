import subprocess
import sys

import imagecorruptions
import numpy as np
import pytest
import torch

from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, FAMILIES
from bench.corruptions.reference import corrupt_reference
from bench.errors import ConfigurationError, DataError
from bench.records import Condition

ALL = CORRUPTIONS + EXTRA_CORRUPTIONS


def test_names_are_those_of_the_reference_in_its_order():
    assert list(CORRUPTIONS) == imagecorruptions.get_corruption_names("common")
    assert list(EXTRA_CORRUPTIONS) == imagecorruptions.get_corruption_names("validation")
    for family in ("noise", "blur", "weather", "digital"):
        assert list(FAMILIES[family]) == imagecorruptions.get_corruption_names(family)


@pytest.mark.parametrize("name", ALL)
def test_an_image_depends_on_its_own_seed_alone(name, photographs):
    images = photographs[:2, :, 40:120, 30:130]
    condition = Condition(name, 3)
    both = corrupt_reference(images, condition, [2**40 + 1, 7])
    np.random.seed(0)
    alone = corrupt_reference(images[1:], condition, [7])
    assert torch.equal(both[1:], alone)
    assert both.shape == images.shape
    assert both.dtype == torch.uint8
    assert not torch.equal(both, images)


@pytest.mark.parametrize("name", ["gaussian_noise", "impulse_noise", "glass_blur", "elastic_transform", "snow"])
def test_another_seed_draws_anew(name, photographs):
    images = photographs[:1, :, :64, :64].expand(3, -1, -1, -1)
    drawn = corrupt_reference(images, Condition(name, 2), [1, 2, 2**32 + 1])
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_it_is_the_package_itself(photographs):
    image = photographs[0].permute(1, 2, 0).numpy()
    np.random.seed([5, 0])
    expected = imagecorruptions.corrupt(image, severity=4, corruption_name="fog")
    result = corrupt_reference(photographs[:1], Condition("fog", 4), [5])
    np.testing.assert_array_equal(result[0].permute(1, 2, 0).numpy(), expected)


def test_the_global_generator_is_left_as_found(photographs):
    np.random.seed(3)
    expected = np.random.random(4)
    np.random.seed(3)
    corrupt_reference(photographs[:1, :, :64, :64], Condition("shot_noise", 1), [1])
    np.testing.assert_array_equal(np.random.random(4), expected)


def test_a_wrong_request_says_what_is_wrong(photographs):
    with pytest.raises(ConfigurationError, match="gaussian_noise"):
        corrupt_reference(photographs[:1], Condition("gausian_noise", 1), [1])
    with pytest.raises(ConfigurationError, match="severity 6"):
        corrupt_reference(photographs[:1], Condition("fog", 6), [1])
    with pytest.raises(DataError, match="1 images need as many seeds"):
        corrupt_reference(photographs[:1], Condition("fog", 1), [1, 2])
    with pytest.raises(DataError, match="uint8"):
        corrupt_reference(photographs[:1] / 255, Condition("fog", 1), [1])
    with pytest.raises(DataError, match="32 pixels"):
        corrupt_reference(photographs[:1, :, :31], Condition("fog", 1), [1])


def test_the_names_cost_no_heavy_import():
    heavy = {"imagecorruptions", "skimage", "cv2", "torch"}
    code = f"import sys, bench.corruptions; print(sorted({heavy} & sys.modules.keys()))"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert listed.strip() == "[]"

"""CIFAR-10-C against the transcription of make_cifar_c.py, draw for draw."""

import cifar10_c_oracle as oracle
import pytest
import torch
from agreement import agree, inject
from PIL import Image
from torchvision.transforms.functional import pil_to_tensor

from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, SEVERITIES
from bench.corruptions.batched import corrupt
from bench.corruptions.draws import Setting
from bench.errors import DataError
from bench.records import Condition

ALL = CORRUPTIONS + EXTRA_CORRUPTIONS


def by_the_script(images, name, severity):
    made = oracle.corrupt(images.permute(0, 2, 3, 1).numpy(), name, severity, range(len(images)))
    return torch.from_numpy(made).permute(0, 3, 1, 2)


def test_the_script_has_the_19_corruptions():
    assert tuple(oracle.ORACLES) == ALL


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", ALL)
def test_same_draws_same_image_as_the_script(name, severity, thumbnails):
    images = thumbnails[:6]
    agree(inject(images, name, Setting(severity, "cifar10_c")), by_the_script(images, name, severity), name)


@pytest.mark.shared_data
@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", ALL)
def test_same_draws_same_image_on_cifar(name, severity, shared_data):
    folders = sorted((shared_data / "cifar10").iterdir())[severity % 2 :: 2]
    paths = [sorted(folder.glob("*.jpg"))[severity] for folder in folders]
    images = torch.stack([pil_to_tensor(Image.open(path).convert("RGB")) for path in paths])
    agree(inject(images, name, Setting(severity, "cifar10_c")), by_the_script(images, name, severity), name)


@pytest.mark.parametrize("name", [name for name in ALL if name != "elastic_transform"])
def test_same_image_where_there_is_little_to_see(name):
    """Flat areas, a ramp, blown-out highlights and noise: where results are whole levels, or clipped.

    The mean of none is a whole level: there contrast hangs on the order in which NumPy adds up an image. Left out is
    elastic_transform: how OpenCV rounds four float32 terms takes a level from one flat pixel in six, or from none.
    """
    ramp = torch.arange(32, dtype=torch.uint8).expand(3, 32, 32) * 7
    flat = torch.full((3, 32, 32), 200, dtype=torch.uint8)
    flat[:, :, 20:] = torch.tensor([255, 255, 254], dtype=torch.uint8)[:, None, None]
    noise = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = torch.stack([ramp, flat, noise])
    for severity in (1, 4):
        agree(inject(images, name, Setting(severity, "cifar10_c")), by_the_script(images, name, severity), name)


@pytest.mark.parametrize("name", ALL)
def test_the_parameters_are_not_those_of_imagenet_c(name, thumbnails):
    """Negative control of the comparison above."""
    imagenet_c = corrupt(thumbnails[:2], Condition(name, 4), [0, 1], definition="imagenet_c")
    with pytest.raises(AssertionError):
        agree(imagenet_c, by_the_script(thumbnails[:2], name, 4), name)


def test_it_is_defined_at_32_pixels_alone(photographs):
    for images in (photographs[:1], photographs[:1, :, :32, :33].contiguous()):
        with pytest.raises(DataError, match="definition=cifar10_c takes images of 32 x 32, not"):
            corrupt(images, Condition("fog", 1), [1], definition="cifar10_c")

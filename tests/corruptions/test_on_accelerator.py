"""Corruptions on a pretended accelerator: the CPU's bytes, and bounded numbers of launches and waits for the host."""

import pytest
import torch
from pretended import counted, pretended_device

from bench.corruptions.batched import BATCHED, corrupt
from bench.corruptions.parametric import MANIPULATIONS, manipulate
from bench.corruptions.sequences import SEQUENCES
from bench.records import Condition

BATCH = 128
"""What is corrupted together on an accelerator."""
LAUNCHES = {
    "gaussian_noise": 8,
    "shot_noise": 18,
    "impulse_noise": 10,
    "defocus_blur": 48,  # in four batches of 32
    "glass_blur": 90,
    "motion_blur": 20,
    "zoom_blur": 50,
    "snow": 45,
    "frost": 20,
    "fog": 200,
    "brightness": 20,
    "contrast": 12,
    "elastic_transform": 110,  # in four batches of 32
    "pixelate": 40,
    "jpeg_compression": 130,
    "speckle_noise": 8,
    "gaussian_blur": 16,
    "spatter": 30,
    "saturate": 80,
}
"""At most so many per batch of 128, severity 3, tables already on the device."""
ROUNDED = {"snow", "motion_blur"}
"""An accelerator adds up their sums all at once, the CPU image by image: one byte in ten thousand may be one
level off."""
HOST_READS = {"spatter": 1}
"""OpenCV draws the outlines of spatter's drops on the CPU. No other corruption makes the host wait."""


@pytest.mark.parametrize("name", BATCHED)
def test_bytes_are_the_cpus(name, photographs, thumbnails):
    of_each = {"imagenet_c": photographs, "imagecorruptions": photographs, "cifar10_c": thumbnails}
    for definition, images in of_each.items():
        for severity in (1, 3, 5):
            condition = Condition(name, severity)
            here = corrupt(images[:3], condition, range(3), definition=definition)
            with pretended_device() as device:
                there = corrupt(images[:3].to(device), condition, range(3), definition=definition).cpu()
            apart = (there.int() - here.int()).abs()
            assert apart.max() <= (1 if name in ROUNDED else 0), (definition, severity)
            assert (apart > 0).float().mean() < 1e-4


@pytest.mark.parametrize("name", BATCHED)
def test_launches_and_reads_are_bounded(name):
    images = torch.randint(0, 256, (BATCH, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with pretended_device() as device:
        moved = images.to(device)
        corrupt(moved, Condition(name, 3), range(BATCH))  # tables are made once
        with counted() as counts:
            corrupt(moved, Condition(name, 3), range(BATCH, 2 * BATCH))
    assert counts.launches <= LAUNCHES[name], dict(counts.by_name)
    assert counts.host_reads == HOST_READS.get(name, 0), dict(counts.reads_by_name)


@pytest.mark.parametrize("name", SEQUENCES)
def test_frames_are_the_cpus(name, photographs):
    here = list(SEQUENCES[name](photographs[:2], [1, 2]))
    with pretended_device() as device:
        for frame, own in zip(SEQUENCES[name](photographs[:2].to(device), [1, 2]), here, strict=True):
            assert torch.equal(frame.cpu(), own)


@pytest.mark.parametrize("name", MANIPULATIONS)
def test_manipulations_are_the_cpus(name, photographs):
    condition = Condition(name, MANIPULATIONS[name].published[-1])
    here = manipulate(photographs[:2], condition, [1, 2])
    with pretended_device() as device:
        assert torch.equal(manipulate(photographs[:2].to(device), condition, [1, 2]).cpu(), here)

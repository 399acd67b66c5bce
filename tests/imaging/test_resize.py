"""Resampling against Pillow, byte for byte: by Pillow itself on the CPU, by whole numbers elsewhere."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.imaging.resize import in_whole_numbers, resample_lines, resize_like_pillow


def by_pillow(images, size, kernel=Image.Resampling.BICUBIC):
    pictures = [Image.fromarray(image) for image in images.permute(0, 2, 3, 1).numpy()]
    if images.shape[2] == images.shape[3] and size[0] == size[1]:
        resized = [np.array(picture.resize(size[::-1], kernel)) for picture in pictures]
    else:  # rows before columns, for every Pillow
        rows = [picture.resize((size[1], picture.height), kernel) for picture in pictures]
        resized = [np.array(picture.resize(size[::-1], kernel)) for picture in rows]
    return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2)


def noise(height, width, *, saturated=False):
    draw = torch.Generator().manual_seed(height * width)
    if saturated:
        return torch.randint(0, 2, (2, 3, height, width), generator=draw, dtype=torch.uint8) * 255
    return torch.randint(0, 256, (2, 3, height, width), generator=draw, dtype=torch.uint8)


@pytest.mark.parametrize("resize", [resize_like_pillow, in_whole_numbers])
@pytest.mark.parametrize("size", [(260, 260), (240, 240), (112, 99), (32, 32), (224, 300), (500, 224)])
def test_bicubic_bytes_are_those_of_pillow(resize, size):
    for images in (noise(224, 224), noise(224, 224, saturated=True)):
        assert torch.equal(resize(images, size), by_pillow(images, size))


@settings(deadline=None, max_examples=60)
@given(*[st.integers(1, 60)] * 4)
def test_any_size(height, width, to_height, to_width):
    images = noise(height, width, saturated=True)
    for resize in (resize_like_pillow, in_whole_numbers):
        assert torch.equal(resize(images, (to_height, to_width)), by_pillow(images, (to_height, to_width)))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.integers(1, 60))
def test_any_square(side, to_side):
    images = noise(side, side, saturated=True)
    for resize in (resize_like_pillow, in_whole_numbers):
        assert torch.equal(resize(images, (to_side, to_side)), by_pillow(images, (to_side, to_side)))


@pytest.mark.parametrize("count", [134, 112, 89, 67, 56])
def test_box_lines_are_those_of_pillow(count):
    images = noise(224, 10)
    lines = resample_lines(images.permute(2, 0, 1, 3).contiguous(), count, "box")
    assert torch.equal(lines.permute(1, 2, 0, 3), by_pillow(images, (count, 10), Image.Resampling.BOX))


def test_the_same_size_is_left_alone():
    images = noise(24, 24)
    assert resize_like_pillow(images, (24, 24)) is images

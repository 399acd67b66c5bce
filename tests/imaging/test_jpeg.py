"""The JPEG round trip against Pillow's, byte for byte, for any image and quality; the transform against SciPy's."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dctn

from bench.imaging.compiled_jpeg import LANES, quantise
from bench.imaging.dct import forward_dct, inverse_dct
from bench.imaging.jpeg import by_products, in_whole_numbers, round_trip


def by_matrix_products(images, quality):
    """What a CUDA device does."""
    return in_whole_numbers(images, quality, by_products)


WAYS = (round_trip, in_whole_numbers, by_matrix_products)
EDGE_SHAPES = [(1, 1), (2, 2), (3, 5), (4, 16), (8, 6), (17, 33), (31, 31), (32, 32), (75, 100)]


def by_pillow(images, quality, **options):
    read = []
    for image in images.permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality, **options)
        read.append(np.array(Image.open(file).convert("RGB")))
    return torch.from_numpy(np.stack(read)).permute(0, 3, 1, 2)


def hard_images(height, width, photographs):
    """Noise, saturated noise, flat and black-and-white images, a ramp, and photographs of that size."""
    draw = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (2, 3, height, width), generator=draw, dtype=torch.uint8)
    saturated = torch.randint(0, 2, (2, 3, height, width), generator=draw, dtype=torch.uint8) * 255
    flat = torch.tensor([0, 1, 127, 254, 255], dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 3, height, width)
    ramp = (torch.arange(3 * height * width) * 7 % 256).to(torch.uint8).view(1, 3, height, width)
    small = [
        np.array(Image.fromarray(image).resize((width, height)))
        for image in photographs[:6].permute(0, 2, 3, 1).numpy()
    ]
    return torch.cat([noise, saturated, flat, ramp, torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2)])


@pytest.mark.parametrize("make", WAYS)
@pytest.mark.parametrize("quality", [7, 25, 85])
def test_bytes_are_those_of_pillow(make, quality, photographs):
    images = hard_images(224, 224, photographs)
    assert torch.equal(make(images, quality), by_pillow(images, quality, optimize=True))


@pytest.mark.parametrize("make", WAYS)
@pytest.mark.parametrize("shape", EDGE_SHAPES)
def test_sizes_that_are_not_whole_blocks(make, shape, photographs):
    images = hard_images(*shape, photographs)
    for quality in (1, 10, 50, 75, 100):
        assert torch.equal(make(images, quality), by_pillow(images, quality)), quality


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    quality=st.integers(1, 100),
    seed=st.integers(0, 2**31),
    spread=st.sampled_from([1, 20, 255]),
)
def test_any_image_and_quality(height, width, quality, seed, spread):
    draw = torch.Generator().manual_seed(seed)
    base = torch.randint(0, 256 - spread, (1, 3, 1, 1), generator=draw)
    images = (base + torch.randint(0, spread + 1, (1, 3, height, width), generator=draw)).to(torch.uint8)
    expected = by_pillow(images, quality)
    assert all(torch.equal(make(images, quality), expected) for make in WAYS)


def test_an_image_does_not_depend_on_its_batch(photographs):
    images = hard_images(64, 48, photographs)
    for make in WAYS:
        together = make(images, 40)
        assert all(torch.equal(make(image[None], 40)[0], whole) for image, whole in zip(images, together, strict=True))


def test_the_transform_is_the_discrete_cosine_transform():
    blocks = torch.randint(-128, 128, (50, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.int32)
    coefficients = forward_dct(blocks, row=2, column=1)
    exact = dctn(blocks.numpy(), axes=(1, 2), norm="ortho") * 8
    assert np.abs(coefficients.numpy() - exact).max() < 1.5
    rounded = torch.div(coefficients, 8, rounding_mode="floor")
    assert (inverse_dct(rounded, row=2, column=1) - blocks).abs().max() <= 4


def test_quantising_in_float32_is_division_of_whole_numbers():
    steps = np.arange(1, 256, dtype=np.int32)
    steps = np.append(steps, 255).reshape(4, 64)
    for values in np.arange(-(1 << 14), 1 << 14, dtype=np.int32).reshape(-1, LANES)[::7]:
        for row in steps:
            work = np.repeat(values[None], 64, 0).ravel()
            quantise(work, row, (1 / (8 * row)).astype(np.float32))
            sizes = (np.abs(values) + 4 * row[:, None]) // (8 * row[:, None]) * row[:, None]
            assert np.array_equal(work, (np.sign(values) * sizes).ravel())

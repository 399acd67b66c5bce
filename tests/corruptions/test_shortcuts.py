"""Planted shortcuts change the pixels they say, and no others."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from bench.corruptions.shortcuts import (
    background_of,
    blank,
    bounding_rectangle,
    paste_object,
    paste_tag,
    shuffle_patches,
    tag_mask,
    watermark_alpha,
    write_watermark,
)
from bench.errors import ConfigurationError, DataError


def picture(height=20, width=30, seed=0):
    return torch.randint(0, 256, (3, height, width), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_the_tag_covers_its_mask_and_nothing_else():
    images = torch.stack([picture(seed=1), picture(seed=2)])
    tagged, mask = paste_tag(images, 0.4), tag_mask(20, 30, 0.4)
    assert mask.sum() == 8 * 8
    assert mask[12:, 22:].all()
    assert torch.equal(tagged[:, :, ~mask], images[:, :, ~mask])
    assert torch.equal(tagged[0][:, mask], tagged[1][:, mask]), "the same on every image"
    assert tagged[0, :, 12, 22].tolist() == [255, 0, 255]
    assert tagged[0, :, 12, 24].tolist() == [0, 255, 0], "cells of two pixels"


def test_the_watermark_is_pillows_alpha_compositing():
    images = picture(64, 96)[None]
    alpha = watermark_alpha(64, 96, "Ag", None)
    ours = write_watermark(images, alpha, 0.5)[0]
    base = Image.fromarray(images[0].permute(1, 2, 0).numpy()).convert("RGBA")
    text = Image.new("RGBA", base.size, (255, 255, 255, 0))
    place = (0.01 * 96, 0.4 * 64)
    ImageDraw.Draw(text).text(place, "Ag", fill=(255, 255, 255, 128), font=ImageFont.load_default(64 / 6.22))
    theirs = torch.from_numpy(np.asarray(Image.alpha_composite(base, text).convert("RGB")).copy()).permute(2, 0, 1)
    assert (ours.int() - theirs.int()).abs().max() <= 2  # they composite in 8 bits
    assert not torch.equal(ours, images[0])


def test_the_watermark_stays_in_its_rectangle():
    alpha = watermark_alpha(64, 96, "Ag", None)
    mask = bounding_rectangle(alpha)
    assert mask.any()
    assert not alpha[~mask].any()
    rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
    for edge in (alpha[rows[0]], alpha[rows[-1]], alpha[:, columns[0]], alpha[:, columns[-1]]):
        assert edge.any(), "the smallest such rectangle"
    assert not bounding_rectangle(torch.zeros(4, 4)).any()


def test_a_font_that_is_none_is_refused(tmp_path):
    (tmp_path / "font.otf").write_text("none")
    with pytest.raises(ConfigurationError, match="not a font"):
        watermark_alpha(64, 64, "Ag", tmp_path / "font.otf")


def test_blank_pixels_have_the_mean_colour():
    images, mask = picture()[None], torch.zeros(1, 20, 30, dtype=torch.bool)
    mask[0, 5:9, 3:20] = True
    blanked = blank(images, mask)
    assert torch.equal(blanked[0][:, ~mask[0]], images[0][:, ~mask[0]])
    mean = images[0].double().mean(dim=(1, 2)).round().to(torch.uint8)
    assert (blanked[0][:, mask[0]] == mean[:, None]).all()


def test_the_background_is_the_largest_strip_tiled():
    image, mask = picture(20, 30), torch.zeros(20, 30, dtype=torch.bool)
    mask[2:18, 4:20] = True  # strips: 2 and 2 rows, 4 and 10 columns
    background = background_of(image, mask)
    assert torch.equal(background, torch.cat([image[:, :, 20:]] * 3, dim=2))
    assert torch.equal(background_of(image, torch.zeros_like(mask)), image), "no object, all background"
    assert background_of(image, torch.ones_like(mask)) is None
    mask[:, :28] = True
    assert background_of(image, mask) is None, "a strip of two columns shows nothing"


def test_an_object_keeps_its_pixels_on_another_background():
    image, ground, mask = picture(seed=1), picture(seed=2), torch.zeros(20, 30, dtype=torch.bool)
    mask[4:10, 6:12] = True
    pasted = paste_object(image, mask, ground)
    assert torch.equal(pasted[:, mask], image[:, mask])
    assert torch.equal(pasted[:, ~mask], ground[:, ~mask])


@given(st.integers(2, 5), st.integers(0, 2**62), st.integers(10, 23), st.integers(10, 23))
def test_shuffling_moves_whole_tiles(patches, seed, height, width):
    image = torch.arange(3 * height * width).reshape(3, height, width).to(torch.uint8)
    shuffled = shuffle_patches(image, patches, seed=seed)
    tall, wide = height // patches, width // patches

    def tiles(of):
        corners = [(row * tall, column * wide) for row in range(patches) for column in range(patches)]
        return [of[:, top : top + tall, left : left + wide].numpy().tobytes() for top, left in corners]

    assert sorted(tiles(shuffled)) == sorted(tiles(image))
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[: tall * patches, : wide * patches] = True
    assert torch.equal(shuffled[:, ~inside], image[:, ~inside])


def test_no_shuffle_leaves_the_image_as_it_was():
    image = picture()
    assert all(not torch.equal(shuffle_patches(image, 2, seed=seed), image) for seed in range(100))


def test_more_tiles_than_pixels_are_refused():
    with pytest.raises(DataError, match="cannot be cut"):
        shuffle_patches(picture(4, 4), 5, seed=0)

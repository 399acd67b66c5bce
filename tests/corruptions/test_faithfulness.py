"""The batched corruptions against the reference, draw for draw."""

import cv2
import imagecorruptions.corruptions
import imagenet_c_oracle as oracle
import numpy as np
import pytest
import torch
from agreement import agree, inject
from recorded_draws import _numba_integers

from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, SEVERITIES
from bench.corruptions.batched import BATCHED, corrupt
from bench.corruptions.blur import GLASS, glass_sources
from bench.corruptions.digital import _warp_affine
from bench.corruptions.draws import Setting
from bench.corruptions.reference import corrupt_reference
from bench.records import Condition

ALL = CORRUPTIONS + EXTRA_CORRUPTIONS
DIFFERENT = ("elastic_transform", "frost", "motion_blur", "snow")


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", ALL)
def test_same_draws_same_image_as_the_package(name, severity, photographs):
    reference = corrupt_reference(photographs, Condition(name, severity), range(len(photographs)))
    agree(inject(photographs, name, Setting(severity, "imagecorruptions")), reference, name)


@pytest.mark.parametrize("size", [(97, 131), (64, 33), (151, 257)])
@pytest.mark.parametrize("name", ALL)
def test_same_draws_same_image_at_odd_sizes(name, size, photographs):
    images = torch.nn.functional.interpolate(photographs[3:7], scale_factor=1.25, mode="nearest")
    images = images[..., : size[0], : size[1]].contiguous()
    for severity in (2, 5):
        reference = corrupt_reference(images, Condition(name, severity), range(len(images)))
        agree(inject(images, name, Setting(severity, "imagecorruptions")), reference, name)


def test_a_wrong_draw_is_noticed(photographs):
    """Negative control: one seed's draws against another's image."""
    reference = corrupt_reference(photographs, Condition("gaussian_noise", 1), range(1, 13))
    with pytest.raises(AssertionError):
        agree(inject(photographs, "gaussian_noise", Setting(1, "imagecorruptions")), reference, "gaussian_noise")


@pytest.mark.parametrize("severity", SEVERITIES)
def test_glass_blur_moves_exactly_the_pixels_that_the_package_moves(severity):
    setting = Setting(severity, "imagenet_c")
    _, reach, rounds = constants = setting.choose(GLASS)
    height, width, seed = 61, 48, 5
    indices = np.arange(height * width).reshape(height, width, 1).copy()
    shuffle = imagecorruptions.corruptions._shuffle_pixels_njit_glass_blur
    expected = shuffle(height, width, indices, tuple(float(value) for value in constants[:1]) + constants[1:], seed)
    shape = (rounds, height - 2 * reach, width - 2 * reach)
    pairs = _numba_integers(seed, int(np.prod(shape)), reach).reshape(*shape, 2)[:, ::-1, ::-1]
    steps = (pairs[..., 1] + reach) * 2 * reach + pairs[..., 0] + reach
    sources = glass_sources(torch.from_numpy(steps)[None], (height, width), setting)
    np.testing.assert_array_equal(sources[0].numpy(), expected.ravel())


@pytest.mark.parametrize("name", [name for name in ALL if name not in DIFFERENT])
def test_the_definitions_share_all_but_four_at_224(name, photographs):
    for severity in SEVERITIES:
        condition = Condition(name, severity)
        ours, package = (
            corrupt(photographs[:3], condition, [1, 2, 3], definition=definition)
            for definition in ("imagenet_c", "imagecorruptions")
        )
        assert torch.equal(ours, package)


@pytest.mark.parametrize("name", DIFFERENT)
def test_the_four_differ(name, photographs):
    ours, package = (
        corrupt(photographs[:3], Condition(name, 3), [1, 2, 3], definition=definition)
        for definition in ("imagenet_c", "imagecorruptions")
    )
    assert not torch.equal(ours, package)


ORACLES = {
    "motion_blur": lambda image, severity, draws: oracle.motion_blur(image, severity, float(draws["angle"])),
    "zoom_blur": lambda image, severity, draws: oracle.zoom_blur(image, severity),
    "snow": lambda image, severity, draws: oracle.snow(image, severity, draws["flakes"].numpy(), float(draws["angle"])),
    "frost": lambda image, severity, draws: oracle.frost(image, severity, *draws["corner"].tolist()),
    "fog": lambda image, severity, draws: oracle.fog(image, severity, draws["heights"].double().tolist()),
    "elastic_transform": lambda image, severity, draws: oracle.elastic_transform(
        image, severity, draws["points"].numpy(), draws["displacement"].numpy()
    ),
}


@pytest.mark.parametrize("size", [(224, 224), (181, 203)])
@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", ORACLES)
def test_same_draws_same_image_as_imagenet_c(name, severity, size, photographs):
    square = size[0] == size[1]
    images = photographs[
        : 4 if square and name not in ("fog", "zoom_blur") else 1, :, : size[0], : size[1]
    ].contiguous()
    setting = Setting(severity, "imagenet_c")
    draws = BATCHED[name].sample(images, setting, range(len(images)))
    ours = BATCHED[name].apply(images, draws, setting)
    expected = [
        ORACLES[name](image.permute(1, 2, 0).numpy(), severity, {key: value[row] for key, value in draws.items()})
        for row, image in enumerate(images)
    ]
    agree(ours, torch.from_numpy(np.stack(expected)).permute(0, 3, 1, 2), name)


def test_the_affine_map_is_that_of_opencv_itself(photographs):
    """An installed OpenCV may keep positions finer than the 1/32 pixel of the one that made ImageNet-C."""
    image, moves = photographs[2], np.array([[11.3, -7.1], [3.2, 8.4], [-5.5, 9.9]])
    ours = _warp_affine(image[None].float(), moves[None])[0].permute(1, 2, 0).numpy()
    matrix = oracle.affine_map((224, 224), moves)
    levels = image.permute(1, 2, 0).numpy().astype(np.float32)
    theirs = cv2.warpAffine(levels, matrix, (224, 224), borderMode=cv2.BORDER_REFLECT_101)
    assert np.abs(ours - theirs).mean() < 0.3
    assert np.abs(ours[:, :-1] - theirs[:, 1:]).mean() > 3  # a pixel's shift would show

"""Same seed, same bytes, whatever the batch, the chunk, the order, the threads and the size of the image."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, SEVERITIES
from bench.corruptions import batched as module
from bench.corruptions.batched import BATCHED, corrupt
from bench.corruptions.motion import motion_blur, motion_blur_at_once, motion_blur_each, motion_taps
from bench.errors import ConfigurationError, DataError
from bench.records import Condition
from tests.corruptions.deterministic import DETERMINISTIC

ALL = CORRUPTIONS + EXTRA_CORRUPTIONS


def random_images(count, height, width, seed=0):
    return torch.randint(
        0, 256, (count, 3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
    )


def test_every_corruption_is_there():
    assert tuple(BATCHED) == ALL


@given(
    name=st.sampled_from(ALL),
    severity=st.sampled_from(SEVERITIES),
    definition=st.sampled_from(["imagenet_c", "cifar10_c", "imagecorruptions"]),
    height=st.integers(32, 70),
    width=st.integers(32, 70),
    seeds=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=5, unique=True),
    order=st.randoms(use_true_random=False),
    chunk=st.integers(1, 6),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_the_batch_changes_nothing(name, severity, definition, height, width, seeds, order, chunk):
    size = (32, 32) if definition == "cifar10_c" else (height, width)
    images, condition = random_images(len(seeds), *size), Condition(name, severity)
    together = corrupt(images, condition, seeds, definition=definition)
    assert together.shape == images.shape
    assert together.dtype == torch.uint8
    alone = [
        corrupt(image[None], condition, [seed], definition=definition)
        for image, seed in zip(images, seeds, strict=True)
    ]
    assert torch.equal(together, torch.cat(alone))
    places = order.sample(range(len(seeds)), len(seeds))
    shuffled = corrupt(images[places], condition, [seeds[place] for place in places], definition=definition)
    assert torch.equal(shuffled, together[places])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCHED", {name: replace(BATCHED[name], chunk=chunk)})
        assert torch.equal(corrupt(images, condition, seeds, definition=definition), together)


@pytest.mark.parametrize("name", ALL)
def test_threads_and_memory_layout_change_nothing(name, photographs):
    images, condition, seeds = photographs[:3], Condition(name, 2), [3, 1, 2]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = corrupt(images, condition, seeds)
        torch.set_num_threads(3)
        assert torch.equal(corrupt(images, condition, seeds), one)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(corrupt(images.contiguous(memory_format=torch.channels_last), condition, seeds), one)


@pytest.mark.parametrize("definition", ["imagenet_c", "cifar10_c"])
@pytest.mark.parametrize("name", ALL)
def test_seeds_draw_anew_where_there_is_chance(name, definition, photographs, thumbnails):
    before = (thumbnails if definition == "cifar10_c" else photographs)[:1]
    images = before.clone().expand(2, -1, -1, -1)
    drawn = corrupt(images, Condition(name, 3), [1, 2], definition=definition)
    assert torch.equal(drawn[0], drawn[1]) == (name in DETERMINISTIC)
    assert not torch.equal(drawn, images)
    assert torch.equal(images[:1], before)


@pytest.mark.parametrize("definition", ["imagenet_c", "imagecorruptions"])
@pytest.mark.parametrize("size", [(32, 32), (33, 217), (260, 301), (640, 35)])
@pytest.mark.parametrize("name", ALL)
def test_any_size(name, size, definition):
    images = random_images(1, *size)
    for severity in (1, 5):
        corrupted = corrupt(images, Condition(name, severity), [2], definition=definition)
        assert corrupted.shape == images.shape
        assert not torch.equal(corrupted, images)


@pytest.mark.parametrize("name", ALL)
def test_a_stronger_corruption_is_further_from_the_image(name, photographs):
    """Not at every step (the definitions themselves are not monotone), but from the weakest to the strongest."""
    errors = [
        (corrupt(photographs, Condition(name, severity), range(12)).float() - photographs).square().mean()
        for severity in (1, 5)
    ]
    assert errors[0] > 1
    # saturate takes colour away at 1 and 2 and adds some at 3 to 5; elastic_transform moves furthest at 1 and 2
    if name not in ("saturate", "elastic_transform"):
        assert errors[1] > errors[0]


def test_black_and_white_survive():
    for level in (0, 255):
        images = torch.full((1, 3, 40, 40), level, dtype=torch.uint8)
        for name in ALL:
            assert corrupt(images, Condition(name, 3), [1]).shape == images.shape
    grey = torch.full((1, 3, 40, 40), 90, dtype=torch.uint8)
    assert torch.equal(corrupt(grey, Condition("contrast", 5), [1]), grey)
    assert (corrupt(grey, Condition("brightness", 1), [1]) == 115).all()  # 90 + 25.5, truncated
    black = torch.zeros(1, 3, 40, 40, dtype=torch.uint8)
    assert (corrupt(black, Condition("brightness", 3), [1]) == 76).all()  # 76.5, truncated


def test_an_empty_batch_stays_empty():
    assert corrupt(torch.empty(0, 3, 64, 64, dtype=torch.uint8), Condition("fog", 1), []).shape == (0, 3, 64, 64)


def test_a_wrong_request_says_what_is_wrong(photographs):
    with pytest.raises(ConfigurationError, match="did you mean 'imagenet_c'"):
        corrupt(photographs[:1], Condition("fog", 1), [1], definition="imagenet-c")
    with pytest.raises(ConfigurationError, match="motion_blur"):
        corrupt(photographs[:1], Condition("motionblur", 1), [1])
    with pytest.raises(ConfigurationError, match=r"severity 2\.5"):
        corrupt(photographs[:1], Condition("fog", 2.5), [1])
    with pytest.raises(DataError, match="seeds must lie"):
        corrupt(photographs[:1], Condition("fog", 1), [-1])
    with pytest.raises(DataError, match="shape"):
        corrupt(photographs[0], Condition("fog", 1), [1])


@pytest.mark.parametrize("radius", [5, 20])
@pytest.mark.parametrize("size", [(17, 40), (64, 64)])
def test_blurred_at_once_each_image_keeps_its_own_direction(radius, size):
    images = torch.rand(4, 2, *size, generator=torch.Generator().manual_seed(0)) * 255
    taps = [motion_taps(radius, radius / 2, angle) for angle in (-45.0, 10.0, 100.0, -135.0)]
    taps[1] = taps[1][:3]
    each = torch.stack([motion_blur(image, own) for image, own in zip(images, taps, strict=True)])
    assert torch.equal(motion_blur_each(images, taps), each)
    assert (motion_blur_at_once(images, taps) - each).abs().max() < 1e-3


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("definition", ["imagenet_c", "cifar10_c"])
@pytest.mark.parametrize("name", ALL)
def test_cuda_agrees_with_the_cpu_on_the_same_draws(name, definition, photographs, thumbnails):
    from bench.corruptions.draws import Setting

    setting, images = Setting(3, definition), thumbnails if definition == "cifar10_c" else photographs
    draws = BATCHED[name].sample(images, setting, range(12))
    on_host = BATCHED[name].apply(images, draws, setting)
    scalars = ("angle", "corner", "points")
    moved = {key: value if key in scalars else value.cuda() for key, value in draws.items()}
    on_device = BATCHED[name].apply(images.cuda(), moved, setting).cpu()
    assert ((on_host.int() - on_device.int()).abs() > 0).float().mean() < 0.005
    together = corrupt(images.cuda(), Condition(name, 3), range(12), definition=definition)
    alone = torch.cat(
        [
            corrupt(image[None].cuda(), Condition(name, 3), [seed], definition=definition)
            for seed, image in enumerate(images)
        ]
    )
    assert torch.equal(together, alone)

"""ImageNet-P frames against plain NumPy, scikit-image, Pillow and OpenCV, written from make_imagenet_p.py."""

import cv2
import numpy as np
import pytest
import torch
from imagenet_c_oracle import centred_zoom, magick_motion_blur
from PIL import Image
from scipy.stats import chisquare, kstest, poisson
from skimage.color import hsv2rgb, rgb2hsv
from torchvision.transforms.functional import affine, center_crop

from bench.corruptions.sequences import NOISE_SEQUENCES, PERTURBATIONS, SEQUENCES
from bench.rng import draw_normal
from bench.seeding import derive_seed

SEEDS = [3, 2**62]
LENGTHS = {name: 41 if name == "translate" else 31 for name in PERTURBATIONS}
LOOKED_AT = (0, 1, 7, 14, 15, 16, 29, 30)


@pytest.fixture(scope="session")
def pair(photographs):
    return photographs[:2]


def frames_of(name, images, seeds=SEEDS):
    return list(SEQUENCES[name](images, seeds))


def as_array(image):
    return image.permute(1, 2, 0).numpy()


def canvas_of(image):
    """The 256 x 256 picture whose centre crop is the image: a margin of 16 mirrored pixels."""
    return np.pad(as_array(image), ((16, 16), (16, 16), (0, 0)), mode="reflect")


def share_off(ours, theirs, levels=1):
    """Share of bytes that differ; none may differ by more than ``levels``."""
    difference = np.abs(as_array(ours).astype(int) - theirs)
    assert difference.max() <= levels
    return np.mean(difference > 0)


def test_the_ten_of_the_paper_in_its_order():
    assert PERTURBATIONS == (
        "gaussian_noise",
        "shot_noise",
        "motion_blur",
        "zoom_blur",
        "snow",
        "brightness",
        "translate",
        "rotate",
        "tilt",
        "scale",
    )
    assert {"gaussian_noise", "shot_noise"} == NOISE_SEQUENCES


@pytest.mark.parametrize("name", PERTURBATIONS)
@pytest.mark.parametrize("size", [(32, 32), (45, 61)])
def test_each_image_has_frames_of_its_own_that_the_batch_cannot_change(name, size):
    images = torch.randint(0, 256, (3, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    untouched, seeds = images.clone(), [5, 6, 7]
    together = [frame.clone() for frame in SEQUENCES[name](images, seeds)]
    assert torch.equal(images, untouched)
    assert len(together) == LENGTHS[name]
    assert all(frame.shape == images.shape and frame.dtype == torch.uint8 for frame in together)
    for place in range(3):
        alone = list(SEQUENCES[name](images[place : place + 1], seeds[place : place + 1]))
        assert all(torch.equal(one[0], many[place]) for one, many in zip(alone, together, strict=True))


def test_gaussian_noise_with_the_same_draws(pair):
    frames = frames_of("gaussian_noise", pair)
    assert torch.equal(frames[0], pair)
    for index in (1, 30):
        noise = draw_normal([derive_seed(SEEDS[1], index)], pair.shape[1:], pair.device)[0]
        levels = torch.clamp(pair[1].double() / 255 + 0.03 * noise.double(), 0, 1).mul(255).byte()
        assert share_off(frames[index][1], as_array(levels)) < 1e-4


def test_gaussian_noise_follows_its_law_and_no_two_frames_are_alike():
    grey = torch.full((1, 3, 64, 64), 128, dtype=torch.uint8)
    frames = frames_of("gaussian_noise", grey, [11])
    # each byte is the floor of the noisy level: adding a uniform draw makes it continuous again
    dither = np.random.default_rng(0).random(12288)
    levels = frames[5].numpy().ravel().astype(int) - 128 + dither
    expected = np.random.default_rng(1).normal(scale=0.03 * 255, size=200_000)
    expected = np.floor(expected) + np.random.default_rng(2).random(200_000)
    assert kstest(levels, expected).pvalue > 1e-3
    assert kstest(levels, expected * 1.2).pvalue < 1e-6
    assert len({frame.numpy().tobytes() for frame in frames}) == 31


@pytest.mark.parametrize("level", [0, 40, 200, 255])
def test_shot_noise_follows_the_poisson_law(level):
    constant = torch.full((1, 3, 96, 96), level, dtype=torch.uint8)
    frames = frames_of("shot_noise", constant, [4])
    assert torch.equal(frames[0], constant)
    mean = level / 255 * 300
    shown = np.uint8(255 * np.clip(np.arange(1000) / 300.0, 0, 1))
    chance = np.bincount(shown, weights=poisson.pmf(np.arange(1000), mean), minlength=256)
    observed = np.bincount(frames[9].numpy().ravel(), minlength=256)
    assert observed[chance < 1e-12].sum() == 0
    common = chance > 5 / observed.sum()
    expected = chance[common] / chance[common].sum() * observed[common].sum()
    assert level == 0 or len(expected) > 2
    assert chisquare(observed[common], expected).pvalue > 1e-3 or level == 0
    assert observed[common].sum() >= 0.99 * observed.sum()
    assert level == 0 or not torch.equal(frames[9], frames[10])


def test_motion_blur(pair):
    frames = frames_of("motion_blur", pair)
    for index in LOOKED_AT:
        theirs = magick_motion_blur(as_array(pair[0]), 10, 3, (index - 30) * 4)
        assert share_off(frames[index][0], theirs) < 0.005


def test_snow_with_the_same_flakes(pair):
    frames = frames_of("snow", pair)
    drawn = draw_normal(SEEDS, (75, 75), pair.device)[1].numpy()
    layer = np.zeros((224, 224))
    layer[74:149, 74:149] = drawn * 0.3 + 0.05
    layer = centred_zoom(layer[..., None], 3)[..., 0]
    layer[layer < 0.5] = 0
    picture = (np.clip(layer, 0, 1) * 255).astype(np.uint8)
    image = as_array(pair[1]) / 255.0
    grey = cv2.cvtColor(np.float32(image), cv2.COLOR_RGB2GRAY).reshape(224, 224, 1)
    scene = 0.85 * image + (1 - 0.85) * np.maximum(image, grey * 1.5 + 0.5)
    for index in LOOKED_AT:
        moving = magick_motion_blur(picture, 14, 4, index * 4 - 150)[..., np.newaxis] / 255.0
        theirs = np.uint8(np.clip(scene + moving + np.rot90(moving, k=2), 0, 1) * 255)
        assert share_off(frames[index][1], theirs, levels=2) < 0.005


def test_brightness(pair):
    frames = frames_of("brightness", pair)
    for index in LOOKED_AT:
        hsv = rgb2hsv(as_array(pair[0]) / 255.0)
        hsv[:, :, 2] = np.clip(hsv[:, :, 2] + (index - 15) * 2 / 100.0, 0, 1)
        assert share_off(frames[index][0], np.uint8(hsv2rgb(hsv) * 255)) < 0.005


def pillow_affine(image, **changes):
    values = {"angle": 0, "translate": [0, 0], "scale": 1.0, "shear": [0.0], **changes}
    return np.array(center_crop(affine(Image.fromarray(canvas_of(image)), **values), [224, 224]))


def test_translate_is_pillows(pair):
    frames = frames_of("translate", pair)
    for index in (0, 3, 4, 19, 20, 21, 36, 37, 40):
        assert np.array_equal(as_array(frames[index][0]), pillow_affine(pair[0], translate=[index - 20, 0]))
    assert torch.equal(frames[20], pair)
    assert not frames[40][:, :, :, :4].any()  # 20 pixels to the right: 16 of mirrored margin, then 4 black
    assert torch.equal(frames[36][:, :, :, :16], pair[:, :, :, 1:17].flip(3))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("rotate", lambda index: {"angle": index - 15}),
        ("scale", lambda index: {"scale": (index * 2.5 + 40) / 100}),
    ],
)
def test_rotate_and_scale_are_pillows(pair, name, change):
    from torchvision.transforms import InterpolationMode

    frames = frames_of(name, pair)
    for index in (*LOOKED_AT, 4, 24):
        theirs = pillow_affine(pair[1], interpolation=InterpolationMode.BILINEAR, **change(index))
        assert share_off(frames[index][1], theirs) < 1e-3
    unchanged = 15 if name == "rotate" else 24
    assert torch.equal(frames[unchanged], pair)


def test_zoom_blur_is_the_running_mean_of_pillows_zooms(pair):
    from torchvision.transforms import InterpolationMode

    frames = frames_of("zoom_blur", pair)
    total = pair[1].float() / 255
    assert torch.equal(frames[0], pair)
    for index in range(1, 31):
        zoomed = pillow_affine(pair[1], scale=1 + 0.004 * index, interpolation=InterpolationMode.BILINEAR)
        total += torch.from_numpy(zoomed).permute(2, 0, 1).float() / 255
        theirs = (total / (index + 1)).mul(255).byte()
        assert share_off(frames[index][1], as_array(theirs)) < 1e-3


def tilt_matrix(degrees):
    """Copied out in numbers: OpenCV's 3 x 3 matrix of make_imagenet_p.py for a 256 x 256 picture."""
    phi = theta = np.deg2rad(degrees)
    w = h = 256
    f = np.sqrt(w**2 + h**2)
    p1 = np.array([[1, 0, -w / 2], [0, 1, -h / 2], [0, 0, 1], [0, 0, 1]])
    rx = np.eye(4)
    rx[1:3, 1:3] = [[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]]
    ry = np.eye(4)
    ry[0, 0], ry[0, 2], ry[2, 0], ry[2, 2] = np.cos(phi), -np.sin(phi), np.sin(phi), np.cos(phi)
    t = np.eye(4)
    t[2, 3] = f
    p2 = np.array([[f, 0, w / 2, 0], [0, f, h / 2, 0], [0, 0, 1, 0]])
    return p2 @ t @ rx @ ry @ p1


def test_tilt_is_opencvs(pair):
    frames = frames_of("tilt", pair)
    for index in LOOKED_AT:
        theirs = cv2.warpPerspective(canvas_of(pair[0]), tilt_matrix(index - 15), (256, 256))[16:240, 16:240]
        # newer versions of OpenCV place pixels more finely than 1/32, so a few edges differ by a few levels
        difference = np.abs(as_array(frames[index][0]).astype(int) - theirs)
        assert difference.mean() < 0.5
        assert difference.max() < 16


def test_tilt_with_positions_of_a_32nd_pixel(pair):
    canvas, index = canvas_of(pair[0]).astype(float), 3
    back = np.linalg.inv(tilt_matrix(index - 15))
    frame = as_array(frames_of("tilt", pair)[index][0])
    off = 0
    for row, column in np.random.default_rng(0).integers(0, 224, (3000, 2)):
        x, y, w = back @ [column + 16, row + 16, 1]
        x, y = round(32 * x / w), round(32 * y / w)
        value = np.zeros(3)
        for i in (0, 1):
            for j in (0, 1):
                r, c = (y >> 5) + i, (x >> 5) + j
                if 0 <= r < 256 and 0 <= c < 256:
                    value += canvas[r, c] * abs(1 - i - (y & 31) / 32) * abs(1 - j - (x & 31) / 32)
        off += int((np.floor(value + 0.5) != frame[row, column]).any())
    assert off <= 3


@pytest.mark.parametrize("name", ["rotate", "tilt", "scale"])
def test_constant_areas_stay_whole_levels(name):
    constant = torch.arange(256, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 32, 32).contiguous()
    middle = slice(14, 18)
    for frame in frames_of(name, constant, [0] * 256):
        assert torch.equal(frame[:, :, middle, middle], constant[:, :, middle, middle])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", PERTURBATIONS)
def test_cuda(name, pair):
    frames = frames_of(name, pair.cuda())
    if name not in NOISE_SEQUENCES and name != "snow":  # devices draw differently
        for on_device, on_host in zip(frames, frames_of(name, pair), strict=True):
            assert ((on_device.cpu().int() - on_host.int()).abs() > 0).float().mean() < 0.005
    for place in (0, 1):
        alone = frames_of(name, pair[place : place + 1].cuda(), SEEDS[place : place + 1])
        assert all(torch.equal(one[0], many[place]) for one, many in zip(alone, frames, strict=True))

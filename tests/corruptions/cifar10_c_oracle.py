"""CIFAR-10-C in plain NumPy, SciPy, scikit-image, OpenCV and Pillow, one image at a time.

Written from make_cifar_c.py (hendrycks/robustness), independently of the batched code. Each corruption takes one
(32,32,3) uint8 image, a severity and a NumPy generator, draws from it in the order of the script, and returns
(32,32,3) uint8, truncated as the script does. ImageMagick's motion blur, OpenCV's affine warp of its time, the
clipped zoom and the plasma are those of the transcription of ImageNet-C.
"""

import io
from functools import lru_cache
from importlib.resources import files

import cv2
import numpy as np
from imagenet_c_oracle import affine_map, centred_zoom, fixed_point_warp, magick_motion_blur, plasma
from PIL import Image
from scipy.ndimage import map_coordinates
from skimage.color import hsv2rgb, rgb2hsv
from skimage.filters import gaussian

SIDE = 32


def generator(seed):
    return np.random.RandomState([seed % 2**32, seed >> 32])


def to_bytes(levels):
    """What np.uint8 makes of an image in [0,1] that the script has clipped and multiplied by 255."""
    return np.uint8(np.clip(levels, 0, 1) * 255)


def gaussian_noise(image, severity, random):
    scale = [0.04, 0.06, 0.08, 0.09, 0.10][severity - 1]
    levels = image / 255.0
    return to_bytes(levels + random.normal(size=levels.shape, scale=scale))


def shot_noise(image, severity, random):
    full = [500, 250, 100, 75, 50][severity - 1]
    return to_bytes(random.poisson(image / 255.0 * full) / full)


def impulse_noise(image, severity, random):
    """skimage.util.random_noise: which pixels are replaced, and which of those are white."""
    amount = [0.01, 0.02, 0.03, 0.05, 0.07][severity - 1]
    levels = image / 255.0
    replaced = random.uniform(size=levels.shape) <= amount
    salted = random.uniform(size=levels.shape) <= 0.5
    levels[replaced & salted] = 1
    levels[replaced & ~salted] = 0
    return to_bytes(levels)


def speckle_noise(image, severity, random):
    scale = [0.06, 0.1, 0.12, 0.16, 0.2][severity - 1]
    levels = image / 255.0
    return to_bytes(levels + levels * random.normal(size=levels.shape, scale=scale))


def gaussian_blur(image, severity, random):
    sigma = [0.4, 0.6, 0.7, 0.8, 1][severity - 1]
    return to_bytes(gaussian(image / 255.0, sigma=sigma, channel_axis=-1))


def glass_blur(image, severity, random):
    sigma, reach, rounds = [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)][severity - 1]
    pixels = np.uint8(gaussian(image / 255.0, sigma=sigma, channel_axis=-1) * 255)
    for _ in range(rounds):
        for row in range(SIDE - reach, reach, -1):
            for column in range(SIDE - reach, reach, -1):
                right, down = random.randint(-reach, reach, size=(2,))
                other = row + down, column + right
                # the script means to swap, but both sides are views: the second assignment copies back what it got
                pixels[row, column], pixels[other] = pixels[other], pixels[row, column]
    return to_bytes(gaussian(pixels / 255.0, sigma=sigma, channel_axis=-1))


def defocus_blur(image, severity, random):
    radius, edge = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)][severity - 1]
    across, down = np.meshgrid(np.arange(-8, 9), np.arange(-8, 9))
    disk = np.array(across**2 + down**2 <= radius**2, dtype=np.float32)
    disk = cv2.GaussianBlur(disk / np.sum(disk), ksize=(3, 3), sigmaX=edge)
    levels = image / 255.0
    return to_bytes(np.stack([cv2.filter2D(levels[..., channel], -1, disk) for channel in range(3)], -1))


def motion_blur(image, severity, random):
    radius, sigma = [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)][severity - 1]
    return magick_motion_blur(image, radius, sigma, random.uniform(-45, 45))


def zoom_blur(image, severity, random):
    factors = np.arange(1, [1.06, 1.11, 1.16, 1.21, 1.26][severity - 1], 0.01)
    levels = (image / 255.0).astype(np.float32)
    out = np.zeros_like(levels)
    for factor in factors:
        out += centred_zoom(levels, factor)
    return to_bytes((levels + out) / (len(factors) + 1))


def fog(image, severity, random):
    thickness, decay = [(0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)][severity - 1]
    levels = image / 255.0
    brightest = levels.max()
    heights = plasma(SIDE, decay, random.uniform(-1, 1, SIDE * SIDE - 1))
    return to_bytes((levels + thickness * heights[..., None]) * brightest / (brightest + thickness))


@lru_cache
def frost_picture(name):
    return cv2.imread(str(files("imagecorruptions") / "frost" / name))


def frost(image, severity, random):
    weight, frost_weight = [(1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)][severity - 1]
    name = ["frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg"][random.randint(5)]
    texture = frost_picture(name)[2::5, 2::5]  # where OpenCV's bilinear resize by 0.2 reads
    top, left = random.randint(0, texture.shape[0] - SIDE), random.randint(0, texture.shape[1] - SIDE)
    texture = texture[top : top + SIDE, left : left + SIDE, ::-1]
    return np.uint8(np.clip(weight * image + frost_weight * texture, 0, 255))


def snow(image, severity, random):
    mean, deviation, factor, threshold, radius, sigma, weight = [
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ][severity - 1]
    layer = random.normal(size=(SIDE, SIDE), loc=mean, scale=deviation)
    layer = centred_zoom(layer[..., None], factor)[..., 0]
    layer[layer < threshold] = 0
    layer = (np.clip(layer, 0, 1) * 255).astype(np.uint8)
    layer = magick_motion_blur(layer, radius, sigma, random.uniform(-135, -45))[..., None] / 255.0
    levels = image.astype(np.float32) / 255.0
    grey = cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)[..., None]
    levels = weight * levels + (1 - weight) * np.maximum(levels, grey * 1.5 + 0.5)
    return to_bytes(levels + layer + np.rot90(layer, k=2))


def spatter(image, severity, random):
    mean, deviation, smoothness, threshold, finish, muddy = [
        (0.62, 0.1, 0.7, 0.7, 0.5, 0),
        (0.65, 0.1, 0.8, 0.7, 0.5, 0),
        (0.65, 0.3, 1, 0.69, 0.5, 0),
        (0.65, 0.1, 0.7, 0.69, 0.6, 1),
        (0.65, 0.1, 0.5, 0.68, 0.6, 1),
    ][severity - 1]
    levels = image.astype(np.float32) / 255.0
    liquid = gaussian(random.normal(size=(SIDE, SIDE), loc=mean, scale=deviation), sigma=smoothness)
    liquid[liquid < threshold] = 0
    if muddy:
        mud = gaussian((liquid > threshold).astype(np.float32), sigma=finish)
        mud[mud < 0.8] = 0
        color = np.float32([63, 42, 20]) / np.float32(255)
        return to_bytes(levels * (1 - mud[..., None]) + color * mud[..., None])
    liquid = (liquid * 255).astype(np.uint8)
    distance = cv2.distanceTransform(255 - cv2.Canny(liquid, 50, 150), cv2.DIST_L2, 5)
    _, distance = cv2.threshold(distance, 20, 20, cv2.THRESH_TRUNC)
    distance = cv2.equalizeHist(cv2.blur(distance, (3, 3)).astype(np.uint8))
    distance = cv2.filter2D(distance, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
    water = liquid * cv2.blur(distance, (3, 3)).astype(np.float32)
    if water.max() > 0:  # the script divides by zero where there is no drop, about once in 10,000 images
        water = water / water.max()
    color = np.float32([175, 238, 238]) / np.float32(255)
    return to_bytes(levels + water[..., None] * np.float32(finish) * color)


def contrast(image, severity, random):
    factor = [0.75, 0.5, 0.4, 0.3, 0.15][severity - 1]
    levels = image / 255.0
    mean = np.mean(levels, axis=(0, 1), keepdims=True)
    return to_bytes((levels - mean) * factor + mean)


def brightness(image, severity, random):
    colors = rgb2hsv(image / 255.0)
    colors[..., 2] = np.clip(colors[..., 2] + [0.05, 0.1, 0.15, 0.2, 0.3][severity - 1], 0, 1)
    return to_bytes(hsv2rgb(colors))


def saturate(image, severity, random):
    factor, offset = [(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)][severity - 1]
    colors = rgb2hsv(image / 255.0)
    colors[..., 1] = np.clip(colors[..., 1] * factor + offset, 0, 1)
    return to_bytes(hsv2rgb(colors))


def jpeg_compression(image, severity, random):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=[80, 65, 58, 50, 40][severity - 1])
    return np.array(Image.open(stream))


def pixelate(image, severity, random):
    small = int(SIDE * [0.95, 0.9, 0.85, 0.75, 0.65][severity - 1])
    shrunk = Image.fromarray(image).resize((small, small), Image.Resampling.BOX)
    return np.array(shrunk.resize((SIDE, SIDE), Image.Resampling.BOX))


def elastic_transform(image, severity, random):
    strength, smoothness, reach = [
        (32 * 0, 32 * 0, 32 * 0.08),
        (32 * 0.05, 32 * 0.2, 32 * 0.07),
        (32 * 0.08, 32 * 0.06, 32 * 0.06),
        (32 * 0.1, 32 * 0.04, 32 * 0.05),
        (32 * 0.1, 32 * 0.03, 32 * 0.03),
    ][severity - 1]
    levels = image.astype(np.float32) / 255.0
    levels = fixed_point_warp(levels, affine_map((SIDE, SIDE), random.uniform(-reach, reach, size=(3, 2))))
    right, down = (
        (gaussian(random.uniform(-1, 1, size=(SIDE, SIDE)), smoothness, mode="reflect", truncate=3) * strength).astype(
            np.float32
        )
        for _ in range(2)
    )
    rows, columns = np.mgrid[:SIDE, :SIDE]
    places = rows + down, columns + right
    planes = [map_coordinates(levels[..., channel], places, order=1, mode="reflect") for channel in range(3)]
    return to_bytes(np.stack(planes, -1))


ORACLES = {
    function.__name__: function
    for function in (
        gaussian_noise, shot_noise, impulse_noise, defocus_blur, glass_blur, motion_blur, zoom_blur, snow, frost, fog,
        brightness, contrast, elastic_transform, pixelate, jpeg_compression,
        speckle_noise, gaussian_blur, spatter, saturate,
    )
}  # fmt: skip
"""Every corruption of the script by name."""


def corrupt(images, name, severity, seeds):
    """(N,32,32,3) uint8 images, each with a generator of its own."""
    return np.stack(
        [ORACLES[name](image, severity, generator(seed)) for image, seed in zip(images, seeds, strict=True)]
    )


def write_arrays(root, images, labels, names, seed=0):
    """The published layout: one array per corruption, its severities one after the other, and the labels likewise."""
    seeds = [seed + row for row in range(len(images))]
    for name in names:
        np.save(root / f"{name}.npy", np.concatenate([corrupt(images, name, level, seeds) for level in range(1, 6)]))
    np.save(root / "labels.npy", np.tile(np.asarray(labels, dtype=np.uint8), 5))

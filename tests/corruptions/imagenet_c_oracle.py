"""ImageNet-C's own definitions where they differ from the package's, in plain NumPy, SciPy and OpenCV.

Written from make_imagenet_c.py (hendrycks/robustness) and ImageMagick's MotionBlurImage, independently of the batched
code. Each function takes one (H,W,3) uint8 image and the random numbers, and returns (H,W,3) uint8.
"""

import math
from importlib.resources import files

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.ndimage import zoom as scipy_zoom


def magick_motion_blur(image, radius, sigma, angle):
    """8 bits in, 16 inside, 8 out; both conversions round."""
    height, width = image.shape[:2]
    steps = 2 * radius + 1
    kernel = [math.exp(-(i * i) / (2 * sigma * sigma)) for i in range(steps)]
    dx, dy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    total = np.zeros(image.shape)
    for i in range(steps):
        rows = np.clip(np.arange(height) + math.ceil(i * dy - 0.5), 0, height - 1)
        columns = np.clip(np.arange(width) + math.ceil(i * dx - 0.5), 0, width - 1)
        total += kernel[i] / sum(kernel) * 257.0 * image[rows][:, columns]
    quantum = np.floor(total + 0.5).astype(np.int64)
    return ((quantum + 128 - ((quantum + 128) >> 8)) >> 8).astype(np.uint8)


def motion_blur(image, severity, angle):
    radius, sigma = [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)][severity - 1]
    return magick_motion_blur(image, radius, sigma, angle)


def centred_zoom(image, factor):
    height, width = image.shape[:2]
    tall, wide = math.ceil(height / factor), math.ceil(width / factor)
    top, left = (height - tall) // 2, (width - wide) // 2
    larger = scipy_zoom(image[top : top + tall, left : left + wide], (factor, factor, 1), order=1)
    top, left = (larger.shape[0] - height) // 2, (larger.shape[1] - width) // 2
    return larger[top : top + height, left : left + width]


def zoom_blur(image, severity):
    end, step = [(1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)][severity - 1]
    levels = (image / 255.0).astype(np.float32)
    layers = [centred_zoom(levels, factor) for factor in np.arange(1, end, step)]
    out = np.zeros_like(levels)
    for layer in layers:
        out += layer
    return np.uint8(np.clip((levels + out) / (len(layers) + 1), 0, 1) * 255)


def snow(image, severity, flakes, angle):
    """``flakes``: standard normal draws of the part of the layer that the zoom keeps."""
    mean, deviation, factor, threshold, radius, sigma, weight = [
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ][severity - 1]
    height, width = image.shape[:2]
    layer = np.zeros((height, width))
    top, left = (height - flakes.shape[0]) // 2, (width - flakes.shape[1]) // 2
    layer[top : top + flakes.shape[0], left : left + flakes.shape[1]] = flakes * deviation + mean
    layer = centred_zoom(layer[..., None], factor)[..., 0]
    layer[layer < threshold] = 0
    layer = magick_motion_blur((np.clip(layer, 0, 1) * 255).astype(np.uint8), radius, sigma, angle) / 255.0
    levels = image.astype(np.float32) / 255.0
    grey = cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY)[..., None]
    levels = weight * levels + (1 - weight) * np.maximum(levels, grey * 1.5 + 0.5)
    layer = layer[..., None]
    return np.uint8(np.clip(levels + layer + np.rot90(layer, k=2), 0, 1) * 255)


def frost(image, severity, index, top, left):
    weight, frost_weight = [(1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)][severity - 1]
    name = ["frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg"][index]
    texture = cv2.imread(str(files("imagecorruptions") / "frost" / name))[..., ::-1]
    texture = texture[top : top + image.shape[0], left : left + image.shape[1]]
    return np.uint8(np.clip(weight * image + frost_weight * texture, 0, 255))


def plasma(size, decay, draws):
    """Diamond-square by its recipe, point by point; ``draws`` in [-1,1] in the order of drawing."""
    draws = iter(draws)
    heights = np.zeros((size, size))
    step, roughness = size, 100.0
    while step >= 2:
        half = step // 2

        def bump(*corners, roughness=roughness):
            return sum(heights[y % size, x % size] for y, x in corners) / 4 + roughness * roughness * next(draws)

        grid = [(y, x) for y in range(0, size, step) for x in range(0, size, step)]
        for y, x in grid:
            heights[y + half, x + half] = bump((y, x), (y + step, x), (y, x + step), (y + step, x + step))
        for y, x in grid:
            heights[y, x + half] = bump((y, x), (y, x + step), (y + half, x + half), (y - half, x + half))
        for y, x in grid:
            heights[y + half, x] = bump((y, x), (y + step, x), (y + half, x + half), (y + half, x - half))
        step, roughness = half, roughness / decay
    heights -= heights.min()
    return heights / heights.max()


def fog(image, severity, draws):
    thickness, decay = [(1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)][severity - 1]
    levels = image / 255.0
    brightest = levels.max()
    levels += thickness * plasma(256, decay, draws)[: image.shape[0], : image.shape[1], None]
    return np.uint8(np.clip(levels * brightest / (brightest + thickness), 0, 1) * 255)


def affine_map(shape, moves):
    """OpenCV's 2 x 3 matrix that carries the three points to their moved places."""
    centre = np.float32(shape) // 2
    arm = min(shape) // 3
    before = np.float32([centre + arm, [centre[0] + arm, centre[1] - arm], centre - arm])
    return cv2.getAffineTransform(before, before + moves.astype(np.float32))


def fixed_point_warp(image, matrix):
    """warpAffine of OpenCV 2 to 4 in float32: positions through 1/1024 to 1/32 pixel, BORDER_REFLECT_101."""
    height, width = image.shape[:2]
    back = cv2.invertAffineTransform(matrix)
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    x, y = (
        (np.rint(line[0] * columns * 1024).astype(int) + np.rint((line[1] * rows + line[2]) * 1024).astype(int) + 16)
        >> 5
        for line in back
    )
    result = np.zeros_like(image)
    for down in (0, 1):
        for right in (0, 1):
            share = np.abs(1 - down - (y & 31) / 32) * np.abs(1 - right - (x & 31) / 32)
            source = mirror((y >> 5) + down, height), mirror((x >> 5) + right, width)
            result += (share[..., None] * image[source]).astype(np.float32)
    return result


def mirror(index, size):
    index = np.abs(index) % (2 * size - 2)
    return np.minimum(index, 2 * size - 2 - index)


def elastic_transform(image, severity, moves, displacement):
    """``moves``: (3,2) in [-1,1]; ``displacement``: (2,H,W) in [-1,1], right and down."""
    alpha, sigma, reach = [
        (244 * 2, 244 * 0.7, 244 * 0.1),
        (244 * 2, 244 * 0.08, 244 * 0.2),
        (244 * 0.05, 244 * 0.01, 244 * 0.02),
        (244 * 0.07, 244 * 0.01, 244 * 0.02),
        (244 * 0.12, 244 * 0.01, 244 * 0.02),
    ][severity - 1]
    levels = image.astype(np.float32) / 255.0
    levels = fixed_point_warp(levels, affine_map(image.shape[:2], moves * reach))
    right, down = (
        (gaussian_filter(field.astype(np.float64), sigma, mode="reflect", truncate=3) * alpha).astype(np.float32)
        for field in displacement
    )
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    planes = [
        map_coordinates(levels[..., channel], (rows + down, columns + right), order=1, mode="reflect")
        for channel in range(3)
    ]
    return np.uint8(np.clip(np.stack(planes, -1), 0, 1) * 255)

"""What the imagecorruptions package or make_cifar_c.py draws for an image and a seed, as draws of the batched code."""

import numpy as np
import torch
from numba import njit
from torch import Tensor

from bench.corruptions.blur import GLASS
from bench.corruptions.draws import Draws, Setting
from bench.corruptions.lines import zoom_window
from bench.corruptions.noise import GAUSSIAN_SCALE, IMPULSE_AMOUNT, SHOT_PHOTONS, SPECKLE_SCALE
from bench.corruptions.spatter import SPATTER
from bench.corruptions.weather import SNOW, frost_texture
from bench.seeding import derive_seed


def record(name: str, image: Tensor, setting: Setting, seed: int) -> Draws:
    """Draws of one image (3,H,W), with a leading axis of one, in the order of the package or the script."""
    np.random.seed([seed % 2**32, seed >> 32])
    recorders = RECORDERS if setting.from_package else SCRIPT_RECORDERS
    recorder = recorders.get(name)
    drawn = recorder(image, setting, seed) if recorder else {}
    return {key: torch.as_tensor(np.asarray(value))[None] for key, value in drawn.items()}


def _channels_first(values):
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def _gaussian(image, setting, seed, scales=GAUSSIAN_SCALE):
    scale = setting.choose(scales)
    noise = np.random.normal(size=(*image.shape[1:], 3), scale=scale) / scale
    return {"noise": _channels_first(noise).astype(np.float32)}


def _speckle(image, setting, seed):
    return _gaussian(image, setting, seed, SPECKLE_SCALE)


def _shot(image, setting, seed):
    levels = image.permute(1, 2, 0).numpy() / 255.0
    photons = np.random.poisson(levels * setting.choose(SHOT_PHOTONS))
    return {"photons": _channels_first(photons).astype(np.int32)}


def _impulse(image, setting, seed):
    return _impulse_words(image, setting, np.random.default_rng(derive_seed(seed, bits=32)).random)


def _script_impulse(image, setting, seed):
    return _impulse_words(image, setting, np.random.random)


def _impulse_words(image, setting, draw):
    shape = (*image.shape[1:], 3)
    flipped = draw(shape) <= setting.choose(IMPULSE_AMOUNT)
    salted = draw(shape) <= 0.5
    pepper = round(setting.choose(IMPULSE_AMOUNT) * 2**32) - 1 - 2**31
    word = np.where(flipped, np.where(salted, -(2**31), pepper), 2**31 - 1)
    return {"word": _channels_first(word).astype(np.int32)}


@njit
def _numba_integers(seed, count, reach):
    np.random.seed(seed)
    pairs = np.empty((count, 2), dtype=np.int64)
    for row in range(count):
        pairs[row] = np.random.randint(-reach, reach, size=(2,))
    return pairs


def _glass(image, setting, seed):
    return _glass_steps(image, setting, lambda count, reach: _numba_integers(derive_seed(seed, bits=32), count, reach))


def _script_glass(image, setting, seed):
    return _glass_steps(
        image,
        setting,
        lambda count, reach: np.array([np.random.randint(-reach, reach, size=(2,)) for _ in range(count)]),
    )


def _glass_steps(image, setting, draw):
    _, reach, rounds = setting.choose(GLASS)
    height, width = image.shape[1] - 2 * reach, image.shape[2] - 2 * reach
    pairs = draw(rounds * height * width, reach)
    right, down = pairs.reshape(rounds, height, width, 2)[:, ::-1, ::-1].transpose(3, 0, 1, 2)
    return {"step": ((down + reach) * 2 * reach + right + reach).astype(np.int32)}


def _motion(image, setting, seed):
    return {"angle": np.random.uniform(-45, 45)}


def _snow(image, setting, seed):
    mean, deviation, zoom = setting.choose(SNOW)[:3]
    layer = (np.random.normal(size=tuple(image.shape[1:]), loc=mean, scale=deviation) - mean) / deviation
    (top, rows, _), (left, columns, _) = (zoom_window(size, zoom) for size in image.shape[1:])
    # float64: a flake is kept or cut at a threshold
    flakes = layer[top : top + rows, left : left + columns]
    return {"flakes": flakes, "angle": np.random.uniform(-135, -45)}


def _frost(image, setting, seed):
    height, width = image.shape[1:]
    index = np.random.randint(6 if setting.from_package else 5)
    _, tall, wide = frost_texture(index, height, width, setting.definition).shape
    return {"corner": [index, np.random.randint(0, tall - height), np.random.randint(0, wide - width)]}


def _fog(image, setting, seed):
    side = 1 << (max(image.shape[1:]) - 1).bit_length()
    return {"heights": np.random.uniform(-1, 1, side * side - 1).astype(np.float32)}


def _elastic(image, setting, seed):
    reach = image.shape[1] * 0.005
    fields = [np.random.uniform(-reach, reach, size=tuple(image.shape[1:])) for _ in range(2)]
    return {"displacement": (np.stack(fields) / reach).astype(np.float32)}


def _script_elastic(image, setting, seed):
    points = np.random.uniform(-1, 1, size=(3, 2))
    fields = [np.random.uniform(-1, 1, size=tuple(image.shape[1:])) for _ in range(2)]
    return {"points": points, "displacement": np.stack(fields).astype(np.float32)}


def _spatter(image, setting, seed):
    mean, deviation = setting.choose(SPATTER)[:2]
    liquid = np.random.normal(size=tuple(image.shape[1:]), loc=mean, scale=deviation)
    return {"liquid": ((liquid - mean) / deviation)}


RECORDERS = {
    "gaussian_noise": _gaussian,
    "speckle_noise": _speckle,
    "shot_noise": _shot,
    "impulse_noise": _impulse,
    "glass_blur": _glass,
    "motion_blur": _motion,
    "snow": _snow,
    "frost": _frost,
    "fog": _fog,
    "elastic_transform": _elastic,
    "spatter": _spatter,
}
SCRIPT_RECORDERS = RECORDERS | {
    "impulse_noise": _script_impulse,
    "glass_blur": _script_glass,
    "elastic_transform": _script_elastic,
}

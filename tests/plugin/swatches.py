"""A plug-in in one file: a data source of coloured squares, made when they are read."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from bench.data import Dataset, DataSource, LabelSpace, register_data_source

NAMES = ("red", "green", "blue")
SPACE = LabelSpace("swatches", 3, NAMES)
N = 12


@dataclass(frozen=True)
class Swatch:
    """Position -> a PNG file of one colour over noise; every fourth is of another colour than it is labelled."""

    def __call__(self, position):
        pixels = np.random.default_rng(position).integers(0, 100, (40, 40, 3), dtype=np.uint8)
        colour = position % 3 if position % 4 else (position + 1) % 3
        pixels[:, :, colour] += np.uint8(10 + 5 * position)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        return file.getvalue()


def load(config):
    ids = tuple(f"swatch_{position}" for position in range(N))
    return Dataset("swatches", ids, np.arange(N) % 3, SPACE, Swatch(), "swatches-1")


register_data_source("swatches", DataSource(load, lambda config: None, classes=lambda config: (SPACE, NAMES)))

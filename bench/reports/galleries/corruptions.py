"""Every corruption and severity on one image, as one picture."""

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from bench.benchmarks import Batch
from bench.benchmarks.corruption import Corruption
from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, SEVERITIES
from bench.records import Condition

GAP, LABEL, TOP = 6, 170, 32
"""Pixels: gap between images, width of the corruptions' names, height of the headings."""


def draw_sheet(image: Tensor, image_id: str, *, seed: int) -> Image.Image:
    """One row per corruption and one column per severity, the clean image first, under the published protocol.

    Args:
        image: ``(1,3,H,W)`` uint8.
        image_id: its name, from which the seeds are derived as in a sweep.
        seed: the sweep's seed.
    """
    names = (*CORRUPTIONS, *EXTRA_CORRUPTIONS)
    height, width = image.shape[2:]
    size = (LABEL + (len(SEVERITIES) + 1) * (width + GAP), TOP + len(names) * (height + GAP))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=18)
    for column, title in enumerate(["clean", *(f"severity {severity}" for severity in SEVERITIES)]):
        pen.text((LABEL + column * (width + GAP), 6), title, fill="black", font=font)
    benchmark, label, ids = Corruption(), torch.zeros(1, dtype=torch.int64), np.array([image_id])
    for row, name in enumerate(names):
        top = TOP + row * (height + GAP)
        pen.text((6, top + height // 2), name, fill="black", font=font)
        conditions = [Condition(name, float(severity)) for severity in SEVERITIES]
        made = [benchmark.shown(Batch(image, label, ids, condition=item), item, seed=seed) for item in conditions]
        for column, picture in enumerate([image, *made]):
            sheet.paste(_to_pil(picture[0]), (LABEL + column * (width + GAP), top))
    return sheet


def _to_pil(picture: Tensor) -> Image.Image:
    return Image.fromarray(picture.permute(1, 2, 0).to(torch.uint8).numpy())

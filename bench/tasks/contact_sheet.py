"""``task=contact_sheet``: every corruption and severity on one image, as a picture to look at."""

import logging

import numpy as np
import torch
from omegaconf import DictConfig
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from bench.benchmarks import Batch
from bench.benchmarks.corruption import Corruption
from bench.benchmarks.protocol import IMAGENET_C_CROP
from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, SEVERITIES
from bench.data import check_data, load_dataset
from bench.errors import ConfigurationError
from bench.records import Condition
from bench.sweep.images import open_images
from bench.tasks.support.config import read_settings, report_folder

logger = logging.getLogger(__name__)
GAP, LABEL, TOP = 6, 170, 32


def check(config: DictConfig) -> None:
    """Refuse missing images, and a position that is not one of them."""
    settings = read_settings(config)
    check_data(settings.data)
    count = len(load_dataset(settings.data))
    if not 0 <= int(config.position) < count:
        raise ConfigurationError(f"position={config.position} is not one of the {count} images, 0 to {count - 1}")


def run(config: DictConfig) -> None:
    """Write ``reports/<name>/corruptions.png``."""
    settings = read_settings(config)
    crops = open_images(settings.data, IMAGENET_C_CROP, settings.runtime, None)
    position = int(config.position)
    out = report_folder(config) / "corruptions.png"
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet = draw_sheet(crops.read([position]), str(crops.image_ids[position]), seed=settings.seed)
    sheet.save(out, optimize=True)
    logger.info("wrote %s", out)


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

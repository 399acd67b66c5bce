"""``task=contact_sheet``: every corruption and severity on one image, as a picture to look at."""

import logging

from omegaconf import DictConfig

from bench.benchmarks.protocol import IMAGENET_C_CROP
from bench.data import check_data, load_dataset
from bench.errors import ConfigurationError
from bench.reports.galleries.corruptions import draw_sheet
from bench.sweep.images import open_images
from bench.tasks.support.config import read_settings, report_folder

logger = logging.getLogger(__name__)


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

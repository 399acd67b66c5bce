"""``task=images``: pictures of what the classifiers were shown, with their answers: reports/<name>/images.html."""

import logging

from omegaconf import DictConfig

from bench.reports.images.write import write_images
from bench.results import Store
from bench.tasks.support.config import check_max_images, check_report_folder, read_settings, report_folder

logger = logging.getLogger(__name__)


def check(config: DictConfig) -> None:
    """Refuse a negative number of images, and a folder that cannot be written to."""
    read_settings(config)
    check_report_folder(config)
    check_max_images(config)


def run(config: DictConfig) -> None:
    """Write the page, where the images and settings of the configuration are those of the store.

    Raises:
        DataError: the store is empty or damaged.
    """
    settings = read_settings(config)
    folder, most = report_folder(config), int(config.max_images)
    page = write_images(Store(settings.store), folder, settings.benchmarks, settings.runtime, most)
    if page is None:
        logger.warning(
            "no pictures: the images or settings at hand are not those of the store; give the data=... and suite=... of"
            " the sweep"
        )
    else:
        logger.info("wrote %s", page)

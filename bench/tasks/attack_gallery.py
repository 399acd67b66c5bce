"""``task=attack_gallery``: what each attack of the suite does to some images, as a picture to look at."""

import logging

from omegaconf import DictConfig

from bench.errors import ConfigurationError
from bench.reports.galleries.attacks import attack_gallery, attacks_among
from bench.reports.galleries.files import ATTACKS
from bench.reports.galleries.input import open_gallery_input
from bench.tasks.support.config import read_settings, report_folder
from bench.tasks.support.job_check import check_job

logger = logging.getLogger(__name__)


def check(config: DictConfig) -> None:
    """Refuse what ``task=evaluate`` refuses, and a suite without an attack."""
    check_job(config)
    settings = read_settings(config)
    if not attacks_among(settings.benchmarks):
        raise ConfigurationError(f"none of {', '.join(settings.benchmarks)} is an attack: choose another suite")
    if int(config.images) < 1:
        raise ConfigurationError(f"images={config.images}: a gallery shows at least one")


def run(config: DictConfig) -> None:
    """Write the gallery of the classifier to ``reports/<name>/galleries/``, where the next report finds it.

    Raises:
        DataError: no image is classified correctly.
    """
    settings = read_settings(config)
    inputs = open_gallery_input(settings)
    picture = attack_gallery(inputs, attacks_among(settings.benchmarks), int(config.images))
    logger.info("wrote %s", inputs.save(picture, report_folder(config), ATTACKS))

"""``task=audit_gallery``: what a classifier looks at in some images, as overlays to compare between classifiers."""

import logging

from omegaconf import DictConfig

from bench.reports.galleries.audit import audit_gallery
from bench.reports.galleries.explainer import Explainer
from bench.reports.galleries.files import AUDIT
from bench.reports.galleries.input import open_gallery_input
from bench.tasks.support.audit import check_audit
from bench.tasks.support.config import read_settings, report_folder

logger = logging.getLogger(__name__)


def check(config: DictConfig) -> None:
    """Refuse images, models, regions and methods that do not exist."""
    check_audit(config)


def run(config: DictConfig) -> None:
    """Write the strip of the classifier to ``reports/<name>/galleries/``, where the next report finds it."""
    settings = read_settings(config)
    inputs = open_gallery_input(settings)
    picture = audit_gallery(Explainer(inputs, str(config.method)), settings.data.regions, int(config.images))
    logger.info("wrote %s", inputs.save(picture, report_folder(config), AUDIT))

"""``task=audit_clusters``: unknown shortcuts, as groups of images that are decided on in the same way."""

import logging

from omegaconf import DictConfig

from bench.errors import ConfigurationError
from bench.explain.clusters import spectral_clusters
from bench.reports.galleries.clusters import draw_clusters
from bench.reports.galleries.explainer import Explainer, describe_decisions
from bench.reports.galleries.files import CLUSTERS
from bench.reports.galleries.input import open_gallery_input
from bench.tasks.support.audit import check_audit
from bench.tasks.support.config import read_settings, report_folder

logger = logging.getLogger(__name__)
CHOICES = {"of": ("wrong", "all"), "by": ("map", "features")}


def check(config: DictConfig) -> None:
    """Refuse what ``task=audit_gallery`` refuses, and unknown choices."""
    check_audit(config)
    for key, valid in CHOICES.items():
        if config[key] not in valid:
            raise ConfigurationError(f"{key} is {' or '.join(valid)}, not {config[key]!r}")
    if config.clusters is not None and int(config.clusters) < 1:
        raise ConfigurationError(f"clusters={config.clusters}: at least 1, or null")


def run(config: DictConfig) -> None:
    """Write the sheet of the classifier to ``reports/<name>/galleries/``, where the next report finds it.

    Raises:
        DataError: too few images of the chosen kind.
    """
    settings = read_settings(config)
    inputs = open_gallery_input(settings)
    explainer = Explainer(inputs, str(config.method))
    rows, points = describe_decisions(explainer, of=config.of, by=config.by, label=config.class_index)
    clusters = spectral_clusters(points, clusters=config.clusters, seed=settings.seed)
    picture = draw_clusters(explainer, clusters, rows, settings.data.regions, n_images=int(config.images))
    path = inputs.save(picture, report_folder(config), CLUSTERS)
    if config.clusters is None and not clusters.labels.any():
        logger.info("no group stands out among %d images; clusters=N divides them all the same", len(rows))
    logger.info("%d images in %d clusters; wrote %s", len(rows), clusters.labels.max() + 1, path)

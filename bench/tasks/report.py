"""``task=report``: tables, plots and the leaderboard page from the store; no classifier is loaded."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from bench.reports import write_report
from bench.results import Store
from bench.tasks.live import publish_report

logger = logging.getLogger(__name__)


def run(config: DictConfig) -> None:
    """Write ``reports/<name>/`` from everything in the store.

    Raises:
        DataError: the store is empty or damaged.
    """
    folder = Path(str(config.reports)) / str(config.name)
    for path in write_report(Store(str(config.store)), folder):
        logger.info("wrote %s", path)
    publish_report(config, folder)

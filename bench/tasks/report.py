"""``task=report``: tables, plots and the leaderboard page from the store; no classifier is loaded."""

import logging

from omegaconf import DictConfig

from bench.data.groups import check_groups, read_groups
from bench.reports import write_report
from bench.reports.exports import check_exports
from bench.results import Store
from bench.tasks.support.config import check_report_folder, report_folder
from bench.tasks.support.live import publish_report

logger = logging.getLogger(__name__)


def check(config: DictConfig) -> None:
    """Refuse unknown export formats, groups that are not there, and a folder that cannot be written to."""
    check_exports(_exports(config))
    check_report_folder(config)
    if config.data.groups is not None:
        check_groups(str(config.data.groups))


def run(config: DictConfig) -> None:
    """Write ``reports/<name>/`` from everything in the store.

    Raises:
        DataError: the store is empty or damaged.
    """
    folder = report_folder(config)
    groups = None if config.data.groups is None else read_groups(str(config.data.groups))
    for path in write_report(Store(str(config.store)), folder, _exports(config), groups):
        logger.info("wrote %s", path)
    publish_report(config, folder)


def _exports(config: DictConfig) -> list[str]:
    return [str(name) for name in config.exports]

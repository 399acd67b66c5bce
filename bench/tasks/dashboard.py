"""``task=dashboard``: make the W&B workspace of a project."""

import importlib.util
import logging

from omegaconf import DictConfig

from bench.errors import ConfigurationError, DataError
from bench.reports.columns import standard_columns
from bench.tasks.support.config import read_tracker

logger = logging.getLogger(__name__)


def check(config: DictConfig) -> None:
    """Refuse a dashboard that cannot be made.

    Raises:
        ConfigurationError: no entity, or the package is not installed.
    """
    if read_tracker(config).entity is None:
        raise ConfigurationError("task=dashboard needs tracker.entity=USER_OR_TEAM")
    if importlib.util.find_spec("wandb_workspaces") is None:
        raise ConfigurationError("task=dashboard needs the package: pip install 'snowwolf[dashboard]'")


def run(config: DictConfig) -> None:
    """Save the workspace and say where it is.

    Raises:
        DataError: the server does not answer, or refuses.
    """
    check(config)
    from bench.tracking.dashboard import dashboard

    tracker = read_tracker(config)
    workspace = dashboard(tracker.project, str(tracker.entity), figures_by_axis())
    try:
        workspace.save()
    except Exception as error:  # the client raises many kinds; the cause is the server or the account
        raise DataError(f"W&B did not take the dashboard: {type(error).__name__}: {error}") from error
    logger.info("saved %s", workspace.url)


def figures_by_axis() -> dict[str, list[str]]:
    """Axis -> names of the leaderboard's figures."""
    axes: dict[str, list[str]] = {}
    for column in standard_columns():
        axes.setdefault(column.axis, []).append(column.name)
    return axes

"""Open the tracker that a config names."""

import importlib.util
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from bench.configs import TrackerConfig
from bench.errors import ConfigurationError, nearest_names
from bench.tracking.jsonl import JsonLines
from bench.tracking.tracker import Backend, Run, Tracker, error_line

logger = logging.getLogger(__name__)


def _jsonl(config: TrackerConfig, run: Run) -> Backend:
    return JsonLines(Path(config.folder), run)


def _wandb(config: TrackerConfig, run: Run) -> Backend:
    from bench.tracking.weights_and_biases import WeightsAndBiases

    return WeightsAndBiases(Path(config.folder), run, project=config.project, entity=config.entity, mode=_mode(config))


def _mode(config: TrackerConfig) -> Literal["online", "offline"] | None:
    match config.mode:
        case None | "online" | "offline" as mode:
            return mode
    raise ConfigurationError(f"tracker.mode is 'online' or 'offline', not {config.mode!r}")


TRACKERS: Mapping[str, Callable[[TrackerConfig, Run], Backend]] = {"jsonl": _jsonl, "wandb": _wandb}


def check_tracker(config: TrackerConfig) -> None:
    """Refuse, before any work, a tracker that cannot be there.

    Raises:
        ConfigurationError: unknown name or mode, or wandb is not installed.
    """
    if config.name not in ("none", *TRACKERS):
        raise ConfigurationError(f"unknown tracker {config.name!r}: {nearest_names(config.name, ['none', *TRACKERS])}")
    _mode(config)
    if config.name == "wandb" and importlib.util.find_spec("wandb") is None:
        raise ConfigurationError("tracker=wandb needs the package: pip install 'snowwolf[wandb]'")


def open_tracker(config: TrackerConfig, run: Run) -> Tracker:
    """The tracker of one run; use as a context manager. One that does not open is a warning, and says what it lost."""
    check_tracker(config)
    if config.name == "none":
        return Tracker(None, config.name)
    try:
        return Tracker(TRACKERS[config.name](config, run), config.name)
    except Exception as error:  # a disk or a service that is not there is no reason to lose a sweep
        lost = f"tracker={config.name} is not used: {error_line(error)}"
        logger.warning("%s", lost)
        return Tracker(None, config.name, lost=lost)

"""Find the module of a task, and run it."""

import importlib
import sys
import traceback

from omegaconf import DictConfig

from bench.conf_files import choices
from bench.errors import ConfigurationError, DataError, TrackingError, nearest_names
from bench.plugins import load_plugins
from bench.tasks import Task
from bench.tasks.support.config import plugin_files


def load_task(name: str) -> Task:
    """The module of a task.

    Raises:
        ConfigurationError: there is no such task.
    """
    names = choices("task")
    if name not in names:
        raise ConfigurationError(f"unknown task {name!r}: {nearest_names(name, names)}")
    module: Task = importlib.import_module(f"bench.tasks.{name}")
    return module


def run_task(config: DictConfig) -> None:
    """Run the task that a configuration names; an error that the user can fix ends in one line and an exit code."""
    try:
        load_plugins(plugin_files(config))
        load_task(str(config.task)).run(config)
    except (ConfigurationError, DataError, TrackingError) as error:
        print(f"snowwolf: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)
    except Exception as error:
        report_failure(error)
        sys.exit(1)


def report_failure(error: Exception) -> None:
    """Print the traceback of an unexpected error, and the error itself as the last line."""
    traceback.print_exception(error)
    print(f"snowwolf: {type(error).__name__}: {one_line(error)}", file=sys.stderr)


def one_line(error: BaseException) -> str:
    """The message of ``error`` without line breaks."""
    return " ".join(str(error).split())

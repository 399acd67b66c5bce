"""After a sweep: say what failed, rebuild the report, set the exit code."""

import json
import logging
import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console

from bench.errors import ConfigurationError, DataError
from bench.results import Store
from bench.tasks.evaluate import SUMMARY

logger = logging.getLogger(__name__)


class SweepEnd(Callback):
    """Hydra callback: works for every launcher, since it reads the summaries the jobs left on disk."""

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        """A single job."""
        del kwargs
        if config.task == "evaluate":
            finish(config, [Path(config.hydra.run.dir)])

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """A sweep: one numbered folder a job."""
        del kwargs
        if config.task == "evaluate":
            folders = [path for path in Path(config.hydra.sweep.dir).iterdir() if path.name.isdigit()]
            finish(config, sorted(folders, key=lambda path: int(path.name)))


def finish(config: DictConfig, folders: list[Path]) -> None:
    """Report on the jobs that ran in ``folders``; exits 1 when anything failed."""
    failed = _failures(folders)
    try:
        if not failed or Store(str(config.store)).files.tree():  # where all failed, the reasons are enough
            from bench.tasks.report import run as report

            report(config)
    except (ConfigurationError, DataError) as error:
        failed.append(("report", str(error)))
    except Exception as error:  # Hydra makes a warning of what a callback raises, and would exit 0
        logger.exception("the report failed")
        failed.append(("report", f"{type(error).__name__}: {error}"))
    if failed:
        console = Console(stderr=True)
        console.print(f"{len(failed)} failed; everything else is stored, and the same command tries these again:")
        for what, reason in failed:
            console.print(f"  {what}: {reason}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)


def _failures(folders: list[Path]) -> list[tuple[str, str]]:
    failed = []
    for folder in folders:
        path = folder / SUMMARY
        try:
            summary = json.loads(path.read_text())
        except (OSError, ValueError):
            failed.append((f"job {folder.name}", f"ended without a summary; see {folder}"))
            continue
        failed += [(f"{summary['classifier']} {cell}", error) for cell, error in summary["failed"].items()]
    return failed

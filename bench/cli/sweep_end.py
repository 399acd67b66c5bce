"""After a sweep: rebuild the report, say what is missing or doubtful, set the exit code."""

import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from bench.cli.compose import expand_jobs
from bench.errors import ConfigurationError, DataError, TrackingError
from bench.tasks.support.config import report_folder
from bench.tasks.support.job_summary import summary_file

logger = logging.getLogger(__name__)
LONGEST_REASON = 300


@dataclass(frozen=True)
class Gap:
    """Something that the sweep was to make and did not."""

    what: str
    """What is missing."""
    reasons: Mapping[str, str]
    """Why, in one line for each of its parts; the part's name is empty where it is the whole."""

    @property
    def reason(self) -> str:
        """The first reason, which is often the reason of all."""
        part, reason = next(iter(self.reasons.items()))
        return f"{part}: {reason}" if part else reason


class SweepEnd(Callback):
    """Hydra callback: works for every launcher, since it reads the summaries the jobs left on disk.

    Hydra makes a warning of what a callback raises, and would exit 0; so nothing but ``SystemExit`` leaves these.
    """

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:
        """A single job."""
        del kwargs
        if config.task == "evaluate":
            end(config, several=False)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """A sweep."""
        del kwargs
        if config.task == "evaluate":
            end(config, several=True)


def end(config: DictConfig, *, several: bool) -> None:
    """Rebuild the report; the last line on standard error says what is missing, or makes a figure doubtful.

    Args:
        config: of the sweep, with Hydra's section.
        several: whether it was a sweep or a single job.

    Raises:
        SystemExit: with code 1, where anything is missing.
    """
    gaps: list[Gap] = []
    warnings: list[str] = []
    try:
        gaps, warnings = _read_summaries(config, several=several)
        gaps += _report(config, worth=not gaps)
    except Exception as error:
        logger.exception("the sweep did not end well")
        gaps.append(Gap("the end of the sweep", {"": _line(error)}))
    if warnings:
        print(f"snowwolf: warning: {'; '.join(warnings)}", file=sys.stderr)
    if gaps:
        for gap in gaps:
            for part, reason in gap.reasons.items():
                print(f"  {gap.what}: {part + ': ' if part else ''}{reason}", file=sys.stderr)
        named = "; ".join(f"{gap.what} ({gap.reason[:LONGEST_REASON]})" for gap in gaps)
        missing = f"missing: {named}. All else is stored, and the same command tries these again"
        print(f"snowwolf: {missing}", file=sys.stderr)
        sys.exit(1)


def _read_summaries(config: DictConfig, *, several: bool) -> tuple[list[Gap], list[str]]:
    """What the jobs did not do, and what is doubtful in what they did."""
    jobs = range(len(list(expand_jobs(config.hydra.overrides.task)))) if several else [None]
    gaps, warnings = [], []
    for job in jobs:
        path = summary_file(config.hydra, job)
        what = "the job" if job is None else f"job {job}"
        try:
            for summary in json.loads(path.read_text()):
                gaps += _gaps_of(summary)
                warnings += [f"{summary['classifier']}: {warning}" for warning in summary["warnings"]]
        except (OSError, ValueError, TypeError, KeyError) as error:
            gaps.append(Gap(what, {"": f"it ended without a summary at {path} ({_line(error)}); its log says more"}))
    return gaps, warnings


def _gaps_of(summary: Mapping[str, Any]) -> list[Gap]:
    name, n_cells, n_missing = summary["classifier"], summary["n_cells"], summary["n_missing"]
    reasons = {**({"": summary["error"]} if summary["error"] else {}), **summary["failed"]}
    gaps = []
    if n_cells == 0:
        gaps.append(Gap(f"every cell of {name}", reasons or {"": "the suite has none"}))
    elif n_missing:
        gaps.append(Gap(f"{n_missing} of {n_cells} cells of {name}", reasons))
    elif reasons:
        gaps.append(Gap(f"the end of {name}'s job", reasons))
    if summary["tracker"]:
        gaps.append(Gap(f"live figures of {name}", {"": summary["tracker"]}))
    return gaps


def _report(config: DictConfig, *, worth: bool) -> list[Gap]:
    """Make the report; where jobs failed (not ``worth``) and nothing at all is stored, their reasons are enough."""
    from bench.results import Store

    store = Store(str(config.store))
    try:
        if worth or store.files.tree():
            from bench.cli.leaderboard import leaderboard_text
            from bench.tasks.report import run as report

            gaps = _images(config)  # before the report, whose page links to them
            report(config)
            print(leaderboard_text(store, report_folder(config) / "leaderboard.html"))
            return gaps
    except (ConfigurationError, DataError) as error:
        return [Gap("the report", {"": str(error)})]
    except TrackingError as error:
        return [Gap("the report in the tracker", {"": str(error)})]
    except Exception as error:
        logger.exception("the report failed")
        return [Gap("the report", {"": _line(error)})]
    return []


def _images(config: DictConfig) -> list[Gap]:
    """Write the images page; where the sweep was over images or benchmarks, it cannot know which, and says so."""
    from bench.tasks.images import run as images

    try:
        if config.max_images:
            images(config)
    except (ConfigurationError, DataError) as error:
        logger.warning("no images page: %s; task=images writes one", error)
    except Exception as error:
        logger.exception("the images page failed")
        return [Gap("the images page", {"": _line(error)})]
    return []


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"

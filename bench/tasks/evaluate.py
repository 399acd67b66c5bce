"""``task=evaluate``: run a job's classifiers through a suite, and write a summary for the end of the sweep."""

import time
from dataclasses import replace

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from bench.sweep.evaluate import error_line
from bench.tasks.support.config import read_settings, read_tracker
from bench.tasks.support.job import evaluate
from bench.tasks.support.job_check import check_job
from bench.tasks.support.job_summary import JobSummary, summary_file, write_summaries
from bench.tasks.support.live import tracked_run
from bench.tracking import open_tracker

check = check_job  # the hook that tasks have for what is refused before any work


def run(config: DictConfig) -> None:
    """Run the job and write its summary; failures are recorded there, never raised."""
    settings = read_settings(config)
    hydra: DictConfig = HydraConfig.get()  # type: ignore[assignment]
    path = summary_file(hydra, hydra.job.num if hydra.mode == RunMode.MULTIRUN else None)
    path.unlink(missing_ok=True)  # of an earlier run of the same command in the same folder
    began = time.perf_counter()
    names = [model.stated_name for model in settings.models]
    summaries = [JobSummary(classifier=name) for name in names]
    try:
        with open_tracker(read_tracker(config), tracked_run(config, "+".join(names), "job")) as tracker:
            summaries = evaluate(settings, tracker)
    except Exception as error:
        line = error_line(", ".join(names), error)
        summaries = [replace(summary, error=line) for summary in summaries]
    else:
        summaries = [replace(summary, tracker=tracker.lost) for summary in summaries]
    seconds = time.perf_counter() - began
    write_summaries(path, [replace(summary, seconds=seconds) for summary in summaries])

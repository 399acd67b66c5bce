"""``task=evaluate``: run one classifier through a suite, and write a summary for the end of the sweep."""

import time
from dataclasses import replace

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from bench.models import load_classifier
from bench.reports.chance import cell_warnings
from bench.results import Store
from bench.sweep import Settings
from bench.sweep.evaluate import error_line, run_suite, set_threads
from bench.sweep.job import describe_defense, open_suite
from bench.tasks.support.command import command_line
from bench.tasks.support.config import read_settings, read_tracker
from bench.tasks.support.job_check import check_job
from bench.tasks.support.job_summary import JobSummary, summary_file, write_summary
from bench.tasks.support.live import CellFollower, summarise_job, tracked_run
from bench.tracking import Tracker, open_tracker

check = check_job  # the hook that tasks have for what is refused before any work


def run(config: DictConfig) -> None:
    """Run the job and write its summary; failures are recorded there, never raised."""
    settings = read_settings(config)
    hydra: DictConfig = HydraConfig.get()  # type: ignore[assignment]
    path = summary_file(hydra, hydra.job.num if hydra.mode == RunMode.MULTIRUN else None)
    path.unlink(missing_ok=True)  # of an earlier run of the same command in the same folder
    began = time.perf_counter()
    summary = JobSummary(classifier=settings.name)
    try:
        with open_tracker(read_tracker(config), tracked_run(config, settings.name, "job")) as tracker:
            summary = _evaluate(settings, tracker)
    except Exception as error:
        summary = replace(summary, error=error_line(settings.name, error))
    else:
        summary = replace(summary, tracker=tracker.lost)
    summary = replace(summary, seconds=time.perf_counter() - began)
    write_summary(path, summary)


def _evaluate(settings: Settings, tracker: Tracker) -> JobSummary:
    set_threads(settings.runtime)
    classifier = load_classifier(settings.model)
    suite = open_suite(settings.benchmarks, classifier, settings.runtime)
    store = Store(settings.store)
    done = run_suite(
        classifier,
        suite,
        store,
        runtime=settings.runtime,
        seed=settings.seed,
        defense=settings.defense,
        command=command_line(),
        follower=CellFollower(tracker, store),
        auxiliary=settings.auxiliary,
        workers_from=settings,
        budget=settings.budget,
    )
    error = done.error
    try:
        if not error:
            summarise_job(tracker, store, classifier.weights_digest, describe_defense(settings.defense))
    except Exception as failure:
        error = error_line(classifier.name, failure)
    return JobSummary(
        classifier=classifier.name,
        n_cells=len(done.cells),
        n_stored=done.n_stored,
        n_missing=done.n_missing,
        failed=done.failed,
        error=error,
        skipped={crops.name: crops.skipped for _, crops in suite.values() if crops.skipped},
        warnings=tuple(cell_warnings([cell.spec for cell in done.cells], store)),
    )

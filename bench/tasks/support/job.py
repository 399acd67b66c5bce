"""A job of ``task=evaluate``: its classifiers, loaded, run and summarised."""

from collections.abc import Mapping

from bench.models import load_classifier
from bench.reports.chance import cell_warnings
from bench.results import Store
from bench.sweep import Settings
from bench.sweep.evaluate import Subject, error_line, run_suites, set_threads
from bench.sweep.job import describe_defense, open_suite
from bench.sweep.part import SuiteRun
from bench.sweep.ranked import run_until_ranked
from bench.sweep.sampling import Sizes
from bench.tasks.support.command import command_line
from bench.tasks.support.job_summary import JobSummary
from bench.tasks.support.live import CellFollower, summarise_job
from bench.tracking import Tracker


def evaluate(settings: Settings, tracker: Tracker) -> list[JobSummary]:
    """Take the classifiers of a job through its suite.

    Args:
        settings: of the job.
        tracker: gets live figures.

    Returns:
        What was done with each, those that could not be loaded last.
    """
    set_threads(settings.runtime)
    subjects, failed = [], []
    for model in settings.models:
        try:
            classifier = load_classifier(model)
            subjects.append(Subject(classifier, open_suite(settings.benchmarks, classifier, settings.runtime)))
        except Exception as error:  # the other classifiers are run
            name = model.stated_name
            failed.append(JobSummary(classifier=name, error=error_line(name, error)))
    store = Store(settings.store)
    runs = _run(settings, subjects, store, tracker) if subjects else {}
    several = len(subjects) > 1
    done = [_summary(settings, subject, runs[subject.classifier.name], store, tracker, several) for subject in subjects]
    return [*done, *failed]


def _run(settings: Settings, subjects: list[Subject], store: Store, tracker: Tracker) -> dict[str, SuiteRun]:
    ranked = settings.budget.until == "ranked"

    def run_samples(sizes: Mapping[str, Sizes] | None = None) -> dict[str, SuiteRun]:
        return run_suites(
            subjects,
            store,
            runtime=settings.runtime,
            seed=settings.seed,
            defense=settings.defense,
            command=command_line(),
            follower=CellFollower(tracker, store, several=len(subjects) > 1),
            auxiliary=settings.auxiliary,
            workers_from=settings,
            budget=None if ranked else settings.budget,
            sizes=sizes,
        )

    if not ranked:
        return run_samples()
    settings.budget.check_classifiers(len(subjects))  # one may have failed to load
    names = [subject.classifier.name for subject in subjects]
    return run_until_ranked(
        names, list(settings.benchmarks), run_samples, store, indifference=settings.budget.indifference
    )


def _summary(
    settings: Settings, subject: Subject, done: SuiteRun, store: Store, tracker: Tracker, several: bool
) -> JobSummary:
    classifier, error = subject.classifier, done.error
    try:
        if not error:
            prefix = f"{classifier.name}/" if several else ""
            summarise_job(tracker, store, classifier.weights_digest, describe_defense(settings.defense), prefix)
    except Exception as failure:
        error = error_line(classifier.name, failure)
    return JobSummary(
        classifier=classifier.name,
        n_cells=len(done.cells),
        n_stored=done.n_stored,
        n_missing=done.n_missing,
        failed=done.failed,
        error=error,
        skipped={crops.name: crops.skipped for _, crops in subject.suite.values() if crops.skipped},
        warnings=tuple(cell_warnings([cell.spec for cell in done.cells], store)),
    )

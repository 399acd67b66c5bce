"""``task=evaluate``: take one classifier through a suite, store every outcome, go on after failures."""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from bench.benchmarks import Benchmark
from bench.data import CropRecipe, DataConfig, LabelSpace, check_data, check_labels, label_kind_of
from bench.errors import ConfigurationError, DataError
from bench.models import Classifier, ModelConfig, check_input_size, check_model, load_classifier
from bench.records import Parameter, Provenance
from bench.reports.chance import chance_warning
from bench.reports.exports import check_exports
from bench.results import Store, missing_ranges
from bench.sweep import Cell, UnitResult, WorkUnit, open_pool, plan_cells, plan_units, run_local, run_pool
from bench.tasks.config import Settings, check_report_folder, read_settings
from bench.tasks.job import open_job, open_suite, prepare
from bench.tasks.live import CellFollower, summarise_job, tracked_run
from bench.tasks.progress import SweepProgress
from bench.tasks.provenance import describe_run
from bench.tracking import Tracker, check_tracker, open_tracker

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class JobSummary:
    """What one job did, left on disk for whoever started the sweep."""

    classifier: str
    """Display name."""
    n_cells: int = 0
    """Cells of the suite; 0 where the job failed before they were known."""
    n_stored: int = 0
    """Cells that needed no work."""
    n_missing: int = 0
    """Cells that are not whole in the store at the job's end."""
    seconds: float = 0.0
    """Wall time."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Failed cells and their errors in one line."""
    error: str = ""
    """Why the job ended before its time; empty where it did not."""
    tracker: str = ""
    """Why the tracker lacks figures; empty where it does not."""
    skipped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Unreadable images that ``data.on_error=skip`` left out, by dataset."""
    warnings: tuple[str, ...] = ()
    """What makes its figures doubtful: a clean accuracy that guessing reaches."""


def summary_file(hydra: DictConfig, job: int | None) -> Path:
    """Where a job leaves its summary, whatever the job's own folder is called.

    Args:
        hydra: Hydra's section of the config.
        job: its number in a sweep; None for a single job.
    """
    if job is None:
        return Path(hydra.runtime.cwd, hydra.run.dir, "summary.json")
    return Path(hydra.runtime.cwd, hydra.sweep.dir, "summaries", f"{job}.json")


def check(config: DictConfig) -> None:
    """Refuse, before any work, what cannot be run.

    Raises:
        ConfigurationError: naming what is wrong and the nearest valid names.
    """
    settings = read_settings(config)
    model = check_model(settings.model)
    classes = model.label_space
    settings.runtime.check()
    settings.engine.check()
    check_tracker(settings.tracker)
    check_exports(config.exports)
    check_report_folder(config)
    Store(settings.store).files.check_place()
    if not settings.benchmarks:
        raise ConfigurationError("the suite has no benchmark: choose another, or name one with benchmark=NAME")
    for name, (benchmark, data) in settings.benchmarks.items():
        benchmark.check()
        benchmark.check_conditions(name)
        _check_images(config, name, settings, data, classes)
        benchmark.check_classifier(classes)
        _check_shown_size(settings.model, name, benchmark, model.crop)
        if benchmark.label_kind != label_kind_of(data):
            raise ConfigurationError(
                f"benchmark {name!r} needs images labelled with {benchmark.label_kind}, and data.source={data.source}"
                " labels them otherwise: data.source=categories reads folders of the 16 categories"
            )


def _check_shown_size(model: ModelConfig, name: str, benchmark: Benchmark, crop: CropRecipe) -> None:
    size = benchmark.shown_size(crop)
    if size != (crop.height, crop.width):
        try:
            check_input_size(model, size)
        except ConfigurationError as error:
            raise ConfigurationError(f"{name} shows images without a resize: {error}; set its resize=own") from error


def _check_images(config: DictConfig, name: str, settings: Settings, data: DataConfig, classes: LabelSpace) -> None:
    try:
        check_data(data)
        check_labels(data, classes)
    except (ConfigurationError, DataError) as error:
        if data is settings.data:
            raise
        own = "benchmark" if config.get("benchmark") is not None else f"benchmarks.{name}"
        raise ConfigurationError(f"{name} has images of its own, set with {own}.data: {error}") from error


def run(config: DictConfig) -> None:
    """Run the job and leave its summary; failures are recorded there, never raised."""
    settings = read_settings(config)
    hydra: DictConfig = HydraConfig.get()  # type: ignore[assignment]
    path = summary_file(hydra, hydra.job.num if hydra.mode == RunMode.MULTIRUN else None)
    path.unlink(missing_ok=True)  # of an earlier run of the same command in the same folder
    began = time.perf_counter()
    summary = JobSummary(classifier=settings.name)
    try:
        with open_tracker(settings.tracker, tracked_run(config, settings.name, "job")) as tracker:
            summary = _evaluate(settings, tracker)
    except Exception as error:
        summary = replace(summary, error=_reason(settings.name, error))
    else:
        summary = replace(summary, tracker=tracker.lost)
    summary = replace(summary, seconds=time.perf_counter() - began)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(summary), indent=1))
    except OSError as error:  # the end of the sweep misses it, and says so
        logger.error("the summary of %s cannot be written: %s", settings.name, error)


def _reason(name: str, error: Exception) -> str:
    """The error in one line; in the log with its traceback, unless its message is the whole story."""
    if isinstance(error, ConfigurationError | DataError):
        logger.error("%s: %s", name, error)
        return str(error)
    logger.error("%s failed", name, exc_info=error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _evaluate(settings: Settings, tracker: Tracker) -> JobSummary:
    began = time.perf_counter()
    if settings.runtime.threads is not None:
        torch.set_num_threads(settings.runtime.threads)
    classifier = load_classifier(settings.model)
    suite = open_suite(settings, classifier)
    store = Store(settings.store)
    cells = plan_cells(classifier, suite, seed=settings.seed, defense=settings.defense, auxiliary=settings.auxiliary)
    units = plan_units(cells, store, chunk=settings.runtime.chunk)
    done = _Done(units)
    n_open = done.n_missing
    logger.info("%s: %d cells, %d already in %s", classifier.name, len(cells), len(cells) - n_open, settings.store)
    error = ""
    try:
        if units:
            _compute(classifier, units, store, settings, tracker, done)
        summarise_job(tracker, store, classifier.weights_digest, settings.defense_identity)
    except Exception as failure:
        error = _reason(classifier.name, failure)
    seconds = time.perf_counter() - began
    logger.info("%s: %d cells computed in %.1f s", classifier.name, n_open - done.n_missing, seconds)
    return JobSummary(
        classifier=classifier.name,
        n_cells=len(cells),
        n_stored=len(cells) - n_open,
        n_missing=done.n_missing,
        failed=done.failed,
        error=error,
        skipped={crops.name: crops.skipped for _, crops in suite.values() if crops.skipped},
        warnings=_chance_warnings(cells, store),
    )


def _chance_warnings(cells: Sequence[Cell], store: Store) -> tuple[str, ...]:
    """Of the cells of clean images that are whole in the store."""
    clean = [cell.spec for cell in cells if cell.benchmark.name == "clean"]
    whole = [spec for spec in clean if not missing_ranges(store.covered(spec), spec.n_images)]
    return tuple(filter(None, (chance_warning(store.correct(spec), spec) for spec in whole)))


class _Done:
    """What has become of the work units so far."""

    def __init__(self, units: Sequence[WorkUnit]) -> None:
        self.failed: dict[str, str] = {}
        self._left = Counter(unit.cell.spec.cell_id for unit in units)

    @property
    def n_missing(self) -> int:
        """Cells that lack a unit."""
        return sum(left > 0 for left in self._left.values())

    def take(self, result: UnitResult) -> None:
        """A unit is in the store, outcomes or failure."""
        if result.outcomes is None:
            self.failed[_label(result.unit.cell)] = result.error
        else:
            self._left[result.unit.cell.spec.cell_id] -= 1


def _compute(
    classifier: Classifier,
    units: list[WorkUnit],
    store: Store,
    settings: Settings,
    tracker: Tracker,
    done: _Done,
) -> None:
    """Run ``units`` and store each as it is done."""
    store.files.check_writable()
    provenance = describe_run(
        settings.runtime.torch_device(),
        list(HydraConfig.get().overrides.task),
        settings={**_runtime(settings), "engine": settings.engine.name},
        cost=classifier.cost(),
    )
    images = sum(len(unit) for unit in units)
    passes = sum(len(unit) * unit.cell.benchmark.passes for unit in units)
    follower = CellFollower(tracker, store, units)
    with SweepProgress(classifier.name, images, passes, on_line=tracker.log) as progress:

        def count(unit: WorkUnit, n: int) -> None:
            progress.advance(n, _label(unit.cell), n * unit.cell.benchmark.passes)

        with closing(_results(classifier, units, settings, count)) as results:  # whatever ends it, workers end too
            for result in results:
                _store_result(result, store, provenance)
                done.take(result)
                follower.stored(result)
                if result.outcomes is None:
                    logger.error("%s %s failed: %s", classifier.name, _label(result.unit.cell), result.error)


def _results(
    classifier: Classifier, units: list[WorkUnit], settings: Settings, count: Callable[[WorkUnit, int], None]
) -> Generator[UnitResult, None, None]:
    """What the engine makes of ``units``."""
    engine = settings.engine
    if engine.name == "local":
        network = prepare(classifier, settings)
        yield from run_local(network, units, settings.runtime, seed=settings.seed, on_batch=count)
        return
    wanted = frozenset(unit.cell.spec.cell_id for unit in units)
    pool = open_pool(engine, partial(open_job, settings, wanted), settings.runtime.device)
    logger.info("%s: engine=%s, %d workers", classifier.name, engine.name, min(pool.size, len(units)))
    yield from run_pool(
        units,
        pool,
        timeout=engine.timeout,
        start_timeout=engine.start_timeout,
        retries=engine.retries,
        on_batch=count,
    )


def _runtime(settings: Settings) -> dict[str, Parameter]:
    return {key: value for key, value in asdict(settings.runtime).items() if key != "cache_dir"}


def _store_result(result: UnitResult, store: Store, provenance: Provenance) -> None:
    unit, spec = result.unit, result.unit.cell.spec
    started = datetime.now(UTC) - timedelta(seconds=result.seconds)
    stamped = replace(
        provenance,
        started=started.isoformat(timespec="seconds"),
        seconds=result.seconds,
        device=result.device or provenance.device,
        host=result.host or provenance.host,
    )
    if result.outcomes is not None:
        store.write_part(spec, result.outcomes, unit.start, stamped)
        return
    image_ids = unit.cell.crops.image_ids[unit.start : unit.stop].tolist()
    store.write_failure(spec, image_ids, unit.start, stamped, error=result.error, traceback=result.traceback)


def _label(cell: Cell) -> str:
    return f"{cell.spec.title} {cell.spec.condition.key}"

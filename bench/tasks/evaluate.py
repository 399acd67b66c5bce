"""``task=evaluate``: take one classifier through a suite, store every outcome, go on after failures."""

import json
import logging
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from bench.benchmarks import Benchmark
from bench.data import CropRecipe, DataConfig, LabelSpace, check_data, check_labels, label_kind_of
from bench.errors import ConfigurationError, DataError
from bench.models import Classifier, ModelConfig, check_input_size, check_model, load_classifier
from bench.records import Parameter, Provenance
from bench.reports.exports import check_exports
from bench.results import Store
from bench.sweep import Cell, UnitResult, WorkUnit, open_pool, plan_cells, plan_units, run_local, run_pool
from bench.tasks.config import Settings, read_settings
from bench.tasks.job import open_job, open_suite, prepare
from bench.tasks.live import CellFollower, summarise_job, tracked_run
from bench.tasks.progress import SweepProgress
from bench.tasks.provenance import describe_run
from bench.tracking import Tracker, check_tracker, open_tracker

logger = logging.getLogger(__name__)
SUMMARY = "summary.json"


@dataclass(frozen=True)
class JobSummary:
    """What one job did, left in its output folder for whoever started the sweep."""

    classifier: str
    """Display name."""
    n_cells: int
    """Cells of the suite."""
    n_stored: int
    """Cells that needed no work."""
    seconds: float
    """Wall time."""
    failed: Mapping[str, str]
    """Failed cells and their errors in one line; the job itself under ``job``."""
    skipped: Mapping[str, tuple[str, ...]]
    """Unreadable images that ``data.on_error=skip`` left out, by dataset."""


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
    Store(settings.store)
    for name, (benchmark, data) in settings.benchmarks.items():
        benchmark.check()
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
    except ConfigurationError as error:
        if data is settings.data:
            raise
        own = "benchmark" if config.get("benchmark") is not None else f"benchmarks.{name}"
        raise ConfigurationError(f"{name} has images of its own, set with {own}.data: {error}") from error


def run(config: DictConfig) -> None:
    """Run the job and leave its summary; failures are recorded there, never raised."""
    settings = read_settings(config)
    began = time.perf_counter()
    try:
        with open_tracker(settings.tracker, tracked_run(config, settings.name, "job")) as tracker:
            summary = _evaluate(settings, tracker)
    except (ConfigurationError, DataError) as error:
        logger.error("%s: %s", settings.name, error)  # the message is the whole story
        summary = _failed_job(settings, str(error), time.perf_counter() - began)
    except Exception as error:
        logger.exception("%s failed", settings.name)
        summary = _failed_job(settings, f"{type(error).__name__}: {error}", time.perf_counter() - began)
    folder = Path(HydraConfig.get().runtime.output_dir)
    (folder / SUMMARY).write_text(json.dumps(asdict(summary), indent=1))


def _failed_job(settings: Settings, error: str, seconds: float) -> JobSummary:
    return JobSummary(settings.name, 0, 0, seconds, {"job": error}, {})


def _evaluate(settings: Settings, tracker: Tracker) -> JobSummary:
    began = time.perf_counter()
    if settings.runtime.threads is not None:
        torch.set_num_threads(settings.runtime.threads)
    device = settings.runtime.torch_device()
    classifier = load_classifier(settings.model)
    suite = open_suite(settings, classifier)
    store = Store(settings.store)
    cells = plan_cells(classifier, suite, seed=settings.seed, defense=settings.defense_identity)
    units = plan_units(cells, store, chunk=settings.runtime.chunk)
    open_cells = {unit.cell.spec.cell_id for unit in units}
    n_stored = len(cells) - len(open_cells)
    logger.info("%s: %d cells, %d already in %s", classifier.name, len(cells), n_stored, settings.store)
    failed = {}
    if units:
        store.files.check_writable()
        provenance = describe_run(
            device,
            list(HydraConfig.get().overrides.task),
            settings={**_runtime(settings), "engine": settings.engine.name},
            cost=classifier.cost(),
        )
        failed = _compute(classifier, units, store, settings, provenance, tracker)
    summarise_job(tracker, store, classifier.weights_digest, settings.defense_identity)
    seconds = time.perf_counter() - began
    logger.info("%s: %d cells computed in %.1f s", classifier.name, len(open_cells) - len(failed), seconds)
    skipped = {crops.name: crops.skipped for _, crops in suite.values() if crops.skipped}
    return JobSummary(classifier.name, len(cells), n_stored, seconds, failed, skipped)


def _compute(
    classifier: Classifier,
    units: list[WorkUnit],
    store: Store,
    settings: Settings,
    provenance: Provenance,
    tracker: Tracker,
) -> dict[str, str]:
    """Run ``units`` and store each as it is done; the failed cells with their errors."""
    failed: dict[str, str] = {}
    images = sum(len(unit) for unit in units)
    passes = sum(len(unit) * unit.cell.benchmark.passes for unit in units)
    follower = CellFollower(tracker, store, units)
    with SweepProgress(classifier.name, images, passes, on_line=tracker.log) as progress:

        def count(unit: WorkUnit, n: int) -> None:
            progress.advance(n, _label(unit.cell), n * unit.cell.benchmark.passes)

        with closing(_results(classifier, units, settings, count)) as results:  # whatever ends it, workers end too
            for result in results:
                _store_result(result, store, provenance)
                follower.stored(result)
                if result.outcomes is None:
                    failed[_label(result.unit.cell)] = result.error
                    logger.error("%s %s failed: %s", classifier.name, _label(result.unit.cell), result.error)
    return failed


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
    return f"{cell.spec.entry} {cell.spec.condition.key}"

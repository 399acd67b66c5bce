"""Take classifiers through a suite: store every outcome, go on after failures, say what is missing."""

import logging
import time
from collections.abc import Callable, Generator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import torch

from bench.configs import BudgetConfig, EngineConfig, RuntimeConfig
from bench.errors import ConfigurationError, DataError
from bench.models import Classifier, Defense
from bench.records import Parameter, Provenance
from bench.results import Store
from bench.sweep.dispatch import run_pool
from bench.sweep.engine import run_local
from bench.sweep.engines import open_pool
from bench.sweep.job import Suite, open_job, prepare
from bench.sweep.messages import UnitResult
from bench.sweep.part import Part, SuiteRun, label
from bench.sweep.plan import WorkUnit, plan_cells
from bench.sweep.progress import SweepProgress
from bench.sweep.provenance import describe_run
from bench.sweep.sampling import Sizes
from bench.sweep.settings import Settings
from bench.sweep.sharing import in_step

logger = logging.getLogger(__name__)


class Follower:
    """Is called as a suite runs; this one does nothing."""

    def planned(self, units: Sequence[WorkUnit]) -> None:
        """These units are about to run."""

    def line(self, figures: Mapping[str, float]) -> None:
        """Images done, images a second and seconds left, every ten seconds."""

    def stored(self, result: UnitResult[WorkUnit]) -> None:
        """One unit is in the store, outcomes or failure."""


@dataclass(frozen=True)
class Subject:
    """One classifier with its suite."""

    classifier: Classifier
    """What is evaluated."""
    suite: Suite
    """What ``bench.sweep.job.open_suite`` returned for it."""


def run_suites(
    subjects: Sequence[Subject],
    store: Store,
    *,
    runtime: RuntimeConfig,
    seed: int,
    defense: Defense | None = None,
    auxiliary: Set[str] = frozenset(),
    command: str = "",
    follower: Follower | None = None,
    workers_from: Settings | None = None,
    budget: BudgetConfig | None = None,
    sizes: Mapping[str, Sizes] | None = None,
) -> dict[str, SuiteRun]:
    """Compute what ``store`` lacks of every suite and store it; failures are recorded, never raised.

    Several classifiers run side by side: images that all of them are shown are read and corrupted once
    (``bench.sweep.sharing``), and their networks are in memory together.

    Args:
        subjects: classifiers of different names, each with its suite.
        store: where outcomes go.
        runtime: device, batch size, threads.
        seed: the sweep's seed.
        defense: what stands in front of every classifier.
        auxiliary: entries of the suites whose images are not the main ones.
        command: what was called, for the provenance.
        follower: is called as the run goes on.
        workers_from: the settings that other processes build the same job from, and the engine that starts them; left
            out, everything runs in this process.
        budget: how many images are shown under each condition; left out, all.
        sizes: the same by classifier and entry of the suite, in place of a budget.

    Returns:
        What was done, by the classifier's name.

    Raises:
        ConfigurationError: a budget that is too small for the suite; nothing was computed.
    """
    began = time.perf_counter()
    parts = [
        Part(
            subject.classifier,
            plan_cells(subject.classifier, subject.suite, seed=seed, defense=defense, auxiliary=auxiliary),
            store,
            runtime.chunk,
            budget,
            None if sizes is None else sizes[subject.classifier.name],
        )
        for subject in subjects
    ]
    for part in parts:
        part.plan()
        n_cells = len(part.cells)
        logger.info("%s: %d cells, %d already in %s", part.name, n_cells, n_cells - part.n_open, store.root)
    error, title = "", _title([part.name for part in parts])
    try:
        run = _Run(parts, store, runtime, seed, defense, command, follower or Follower(), workers_from)
        run.compute(in_step([part.units for part in parts]))
        while sum(part.plan_round() for part in parts):  # each of them, not the first that goes on
            run.compute(in_step([part.units for part in parts]))
    except Exception as failure:
        error = error_line(title, failure)
    n_computed = sum(part.done.n_cells - part.done.n_missing for part in parts)
    logger.info("%s: %d cells computed in %.1f s", title, n_computed, time.perf_counter() - began)
    return {part.name: part.summary(error) for part in parts}


def _title(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) < _MANY else f"{len(names)} classifiers"


_MANY = 4


def error_line(name: str, error: Exception) -> str:
    """The error in one line; in the log with its traceback, unless its message is the whole story."""
    if isinstance(error, ConfigurationError | DataError):
        logger.error("%s: %s", name, error)
        return str(error)
    logger.error("%s failed", name, exc_info=error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


@dataclass(frozen=True)
class _Run:
    """The run of some classifiers, which computes its units in one go, or round by round."""

    parts: Sequence[Part]
    store: Store
    runtime: RuntimeConfig
    seed: int
    defense: Defense | None
    command: str
    follower: Follower
    workers_from: Settings | None

    def compute(self, units: list[WorkUnit]) -> None:
        """Run ``units`` and store each as it is done."""
        if not units:
            return
        self.store.files.check_writable()
        parts = {part.name: part for part in self.parts if part.units}
        provenance = {name: self._provenance(part.classifier) for name, part in parts.items()}
        images = sum(len(unit) for unit in units)
        passes = sum(len(unit) * unit.cell.benchmark.passes for unit in units)
        self.follower.planned(units)
        with SweepProgress(_title(list(parts)), images, passes, on_line=self.follower.line) as progress:

            def count(unit: WorkUnit, n: int) -> None:
                progress.advance(n, label(unit.cell), n * unit.cell.benchmark.passes)

            with closing(self._start(units, count)) as results:  # whatever ends it, workers end too
                for result in results:
                    name = result.unit.cell.spec.classifier
                    _store_result(result, self.store, provenance[name])
                    parts[name].done.take(result)
                    self.follower.stored(result)
                    if result.outcomes is None:
                        logger.error("%s %s failed: %s", name, label(result.unit.cell), result.error)

    def _start(
        self, units: list[WorkUnit], count: Callable[[WorkUnit, int], None]
    ) -> Generator[UnitResult[WorkUnit], None, None]:
        """Run the units in this process, or on the workers of an engine."""
        runtime, settings = self.runtime, self.workers_from
        if settings is None or settings.engine.name == "local":
            networks = {part.name: prepare(part.classifier, runtime, self.defense) for part in self.parts if part.units}
            yield from run_local(networks, units, runtime, seed=self.seed, on_batch=count)
            return
        engine = settings.engine
        needed = frozenset(unit.cell.spec.cell_id for unit in units)
        pool = open_pool(engine, partial(open_job, settings, needed), runtime.device)
        logger.info("engine=%s, %d workers", engine.name, min(pool.size, len(units)))
        yield from run_pool(
            units,
            pool,
            timeout=engine.timeout,
            start_timeout=engine.start_timeout,
            retries=engine.retries,
            on_batch=count,
        )

    def _provenance(self, classifier: Classifier) -> Provenance:
        engine = EngineConfig() if self.workers_from is None else self.workers_from.engine
        return describe_run(
            self.runtime.torch_device(),
            self.command,
            settings={**_plain(self.runtime), "engine": engine.name},
            cost=classifier.cost(),
            published=classifier.published,
        )


def _plain(runtime: RuntimeConfig) -> dict[str, Parameter]:
    return {key: value for key, value in asdict(runtime).items() if key != "cache_dir"}


def set_threads(runtime: RuntimeConfig) -> None:
    """Give torch the threads that ``runtime`` asks for."""
    if runtime.threads is not None:
        torch.set_num_threads(runtime.threads)


def _store_result(result: UnitResult[WorkUnit], store: Store, provenance: Provenance) -> None:
    unit, spec = result.unit, result.unit.cell.spec
    started = datetime.now(UTC) - timedelta(seconds=result.seconds)
    stamped = replace(
        provenance,
        started=started.isoformat(timespec="seconds"),
        seconds=result.seconds,
        device=result.device or provenance.device,
        host=result.host or provenance.host,
        sample=unit.sample,
    )
    if result.outcomes is not None:
        store.write_part(spec, result.outcomes, unit.start, stamped, positions=unit.positions)
        return
    image_ids = unit.cell.crops.image_ids[unit.positions].tolist()
    store.write_failure(spec, image_ids, unit.start, stamped, error=result.error, traceback=result.traceback)

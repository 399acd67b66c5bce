"""Take one classifier through a suite: store every outcome, go on after failures, say what is missing."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial

import torch

from bench.configs import BudgetConfig, EngineConfig, RuntimeConfig
from bench.errors import ConfigurationError, DataError
from bench.models import Classifier, Defense
from bench.records import Parameter, Provenance
from bench.results import Store
from bench.results.aliases import copy_from_aliases
from bench.sweep.dispatch import run_pool
from bench.sweep.engine import run_local
from bench.sweep.engines import open_pool
from bench.sweep.job import Suite, open_job, prepare
from bench.sweep.messages import UnitResult
from bench.sweep.plan import Cell, WorkUnit, plan_cells, plan_units
from bench.sweep.progress import SweepProgress
from bench.sweep.provenance import describe_run
from bench.sweep.rounds import Rounds
from bench.sweep.sampling import Sizes, first_sizes
from bench.sweep.settings import Settings

logger = logging.getLogger(__name__)


class Follower:
    """Is called as a suite runs; this one does nothing."""

    def planned(self, units: Sequence[WorkUnit]) -> None:
        """These units are about to run."""

    def line(self, figures: Mapping[str, float]) -> None:
        """Images done, images a second and seconds left, every ten seconds."""

    def stored(self, result: UnitResult[WorkUnit]) -> None:
        """One unit is in the store, outcomes or failure."""


@dataclass(frozen=True, kw_only=True)
class SuiteRun:
    """What a run of a suite did."""

    cells: Sequence[Cell]
    """Every cell of the suite."""
    n_stored: int
    """Cells that needed no work."""
    n_missing: int
    """Cells that are not whole in the store at the end."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Failed cells and their errors in one line."""
    error: str = ""
    """Why the run ended before its time; empty where it did not."""


def run_suite(
    classifier: Classifier,
    suite: Suite,
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
    sizes: Sizes | None = None,
) -> SuiteRun:
    """Compute what ``store`` lacks of ``suite`` and store it; failures are recorded, never raised.

    Args:
        classifier: what is evaluated.
        suite: what ``bench.sweep.job.open_suite`` returned for it.
        store: where outcomes go.
        runtime: device, batch size, threads.
        seed: the sweep's seed.
        defense: what stands in front of the classifier.
        auxiliary: entries of the suite whose images are not the main ones.
        command: what was called, for the provenance.
        follower: is called as the run goes on.
        workers_from: the settings that other processes build the same job from, and the engine that starts them; left
            out, everything runs in this process.
        budget: how many images are shown under each condition; left out, all.
        sizes: the same by entry of the suite, in place of a budget.

    Raises:
        ConfigurationError: a budget that is too small for the suite; nothing was computed.
    """
    began = time.perf_counter()
    cells = plan_cells(classifier, suite, seed=seed, defense=defense, auxiliary=auxiliary)
    if budget is not None and not budget.full:
        sizes = first_sizes(cells, budget)
    for name in sorted(copy_from_aliases(store, [cell.spec for cell in cells])):
        logger.info("%s: results copied from %s, which has the same weights", classifier.name, name)
    units = plan_units(cells, store, chunk=runtime.chunk, sizes=sizes)
    done = _Done(units)
    n_open = done.n_missing
    logger.info("%s: %d cells, %d already in %s", classifier.name, len(cells), len(cells) - n_open, store.root)
    error = ""
    try:
        run = _Run(classifier, store, runtime, seed, defense, command, follower or Follower(), workers_from)
        run.compute(units, done)
        rounds = None if budget is None or sizes is None or not budget.until_narrow else Rounds(cells, store, budget)
        while rounds is not None and sizes is not None and not done.failed:
            sizes = rounds.next_sizes(sizes)
            units = plan_units(cells, store, chunk=runtime.chunk, sizes=sizes)
            if not units:
                break
            done.expect(units)
            run.compute(units, done)
    except Exception as failure:
        error = error_line(classifier.name, failure)
    seconds = time.perf_counter() - began
    logger.info("%s: %d cells computed in %.1f s", classifier.name, done.n_cells - done.n_missing, seconds)
    return SuiteRun(
        cells=cells, n_stored=len(cells) - n_open, n_missing=done.n_missing, failed=done.failed, error=error
    )


def error_line(name: str, error: Exception) -> str:
    """The error in one line; in the log with its traceback, unless its message is the whole story."""
    if isinstance(error, ConfigurationError | DataError):
        logger.error("%s: %s", name, error)
        return str(error)
    logger.error("%s failed", name, exc_info=error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


class _Done:
    """What has become of the work units so far."""

    def __init__(self, units: Sequence[WorkUnit]) -> None:
        self.failed: dict[str, str] = {}
        self._left: Counter[str] = Counter()
        self.expect(units)

    def expect(self, units: Sequence[WorkUnit]) -> None:
        """These units are to be computed too."""
        self._left.update(unit.cell.spec.cell_id for unit in units)

    @property
    def n_cells(self) -> int:
        """Cells that had units to compute."""
        return len(self._left)

    @property
    def n_missing(self) -> int:
        """Cells that lack a unit."""
        return sum(left > 0 for left in self._left.values())

    def take(self, result: UnitResult[WorkUnit]) -> None:
        """A unit is in the store, outcomes or failure."""
        if result.outcomes is None:
            self.failed[_label(result.unit.cell)] = result.error
        else:
            self._left[result.unit.cell.spec.cell_id] -= 1


OnBatch = Callable[[WorkUnit, int], None]
Start = Callable[[OnBatch], Generator[UnitResult[WorkUnit], None, None]]
"""Runs the units; is given what to call after each batch."""


@dataclass(frozen=True)
class _Run:
    """A classifier's run, which computes its units in one go, or round by round."""

    classifier: Classifier
    store: Store
    runtime: RuntimeConfig
    seed: int
    defense: Defense | None
    command: str
    follower: Follower
    workers_from: Settings | None

    def compute(self, units: list[WorkUnit], done: "_Done") -> None:
        """Run ``units`` and store each as it is done."""
        if not units:
            return
        self.store.files.check_writable()
        start = _starter(self.classifier, units, self.runtime, self.seed, self.defense, self.workers_from)
        name, provenance = self.classifier.name, self._provenance()
        images = sum(len(unit) for unit in units)
        passes = sum(len(unit) * unit.cell.benchmark.passes for unit in units)
        self.follower.planned(units)
        with SweepProgress(name, images, passes, on_line=self.follower.line) as progress:

            def count(unit: WorkUnit, n: int) -> None:
                progress.advance(n, _label(unit.cell), n * unit.cell.benchmark.passes)

            with closing(start(count)) as results:  # whatever ends it, workers end too
                for result in results:
                    _store_result(result, self.store, provenance)
                    done.take(result)
                    self.follower.stored(result)
                    if result.outcomes is None:
                        logger.error("%s %s failed: %s", name, _label(result.unit.cell), result.error)

    def _provenance(self) -> Provenance:
        engine = EngineConfig() if self.workers_from is None else self.workers_from.engine
        return describe_run(
            self.runtime.torch_device(),
            self.command,
            settings={**_plain(self.runtime), "engine": engine.name},
            cost=self.classifier.cost(),
            published=self.classifier.published,
        )


def _starter(
    classifier: Classifier,
    units: list[WorkUnit],
    runtime: RuntimeConfig,
    seed: int,
    defense: Defense | None,
    workers_from: Settings | None,
) -> Start:
    """How the units run: in this process, or on the workers of an engine."""

    def here(count: OnBatch) -> Generator[UnitResult[WorkUnit], None, None]:
        yield from run_local(prepare(classifier, runtime, defense), units, runtime, seed=seed, on_batch=count)

    if workers_from is None or workers_from.engine.name == "local":
        return here
    settings, engine = workers_from, workers_from.engine

    def on_workers(count: OnBatch) -> Generator[UnitResult[WorkUnit], None, None]:
        needed = frozenset(unit.cell.spec.cell_id for unit in units)
        pool = open_pool(engine, partial(open_job, settings, needed), runtime.device)
        logger.info("%s: engine=%s, %d workers", classifier.name, engine.name, min(pool.size, len(units)))
        yield from run_pool(
            units,
            pool,
            timeout=engine.timeout,
            start_timeout=engine.start_timeout,
            retries=engine.retries,
            on_batch=count,
        )

    return on_workers


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


def _label(cell: Cell) -> str:
    return f"{cell.spec.title} {cell.spec.condition.key}"

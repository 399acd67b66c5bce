"""The local engine: one process, one device, work units in order, images through a DataLoader."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch.utils.data import DataLoader, Dataset

from bench.benchmarks import Batch, Shown
from bench.configs import RuntimeConfig
from bench.models import check_precision
from bench.records import Outcomes
from bench.sweep.batch_size import automatic_batch
from bench.sweep.memory import keep_freed_memory
from bench.sweep.messages import BatchDone, UnitResult
from bench.sweep.plan import WorkUnit
from bench.sweep.runner import Failed, Networks, Runner, failed, precision_of
from bench.sweep.sharing import repeats

_Made = dict[int, Batch | Failed]
"""What a unit shows and the next one too, by place."""


@dataclass
class _OpenUnit:
    outcomes: list[Outcomes] = field(default_factory=list)
    failed: Failed | None = None


_Read = tuple[int, int, int, Shown | Failed | None]
"""Number of a unit, first place and one past the last, and the images; None where the unit before had the same."""


class _UnitBatches(Dataset[_Read]):
    """Every batch of every unit, read (and corrupted, where the benchmark does so) in DataLoader workers."""

    def __init__(self, units: Sequence[WorkUnit], repeated: Sequence[bool], batch_size: int, seed: int) -> None:
        self.units = units
        self.repeated = repeated
        self.seed = seed
        self.ranges = [
            (index, start, min(start + batch_size, unit.stop))
            for index, unit in enumerate(units)
            for start in range(unit.start, unit.stop, batch_size)
        ]

    def __len__(self) -> int:
        return len(self.ranges)

    def __getitem__(self, item: int) -> _Read:
        index, start, stop = self.ranges[item]
        if self.repeated[index]:
            return index, start, stop, None
        cell = self.units[index].cell
        try:
            positions = cell.order[start:stop].tolist()
            shown = cell.benchmark.read(cell.crops, positions, cell.spec.condition, seed=self.seed)
        except Exception as error:  # any failure becomes a record of its cell
            return index, start, stop, failed(error)
        return index, start, stop, shown


def run_local(
    networks: Networks,
    units: Sequence[WorkUnit],
    runtime: RuntimeConfig,
    *,
    seed: int,
    on_batch: Callable[[WorkUnit, int], None] | None = None,
) -> Iterator[UnitResult[WorkUnit]]:
    """Run ``units`` in order, yielding each result as soon as it is complete.

    After a failure the other units of that cell are not tried; they stay missing. Units next to each other that show
    the same images to different classifiers share them (``bench.sweep.sharing``).

    Args:
        networks: the classifiers of the units, on ``runtime.torch_device()``.
        units: what to run.
        runtime: device, batch size, workers.
        seed: the sweep's seed.
        on_batch: called with the unit and the number of images done, after each batch.
    """
    for event in run_events(networks, units, runtime, seed=seed):
        if isinstance(event, UnitResult):
            yield event
        elif on_batch is not None:
            on_batch(event.unit, event.n)


def run_events(
    networks: Networks, units: Sequence[WorkUnit], runtime: RuntimeConfig, *, seed: int
) -> Iterator[UnitResult[WorkUnit] | BatchDone[WorkUnit]]:
    """What ``run_local`` does, each batch an event too."""
    device = runtime.torch_device()
    for network in networks.values():
        check_precision(precision_of(network), device)
    if runtime.keep_memory:
        keep_freed_memory()
    repeated = repeats(units)
    runner = Runner(networks, runtime, device, seed)
    loader = _loader(units, repeated, runtime, device, seed, shared_batch(networks, runtime, device))
    failed_cells: set[str] = set()
    made: _Made = {}
    for index, batches in itertools.groupby(loader, key=lambda item: item[0]):
        unit, is_shared = units[index], any(repeated[index + 1 : index + 2])
        if not repeated[index]:
            made.clear()
        began = time.perf_counter()
        state = _OpenUnit()
        for _, start, stop, shown in batches:
            is_needed = state.failed is None and unit.cell.spec.cell_id not in failed_cells
            if shown is not None and (is_needed or is_shared):
                made[start] = runner.make(unit, start, shown)
            images = made.get(start) if is_shared else made.pop(start, None)
            if is_needed and images is not None:
                _advance(state, runner, unit, images)
            yield BatchDone(unit, stop - start)
        seconds = time.perf_counter() - began
        if state.failed is not None:
            failed_cells.add(unit.cell.spec.cell_id)
            yield UnitResult(unit, None, seconds, state.failed.error, state.failed.traceback)
        elif state.outcomes:
            yield UnitResult(unit, Outcomes.concatenate(state.outcomes), seconds)


def shared_batch(networks: Networks, runtime: RuntimeConfig, device: torch.device) -> int:
    """The batch size of classifiers that run together: that of the one whose images take the most memory."""
    return runtime.batch_size or min(automatic_batch(network, device) for network in networks.values())


def _loader(
    units: Sequence[WorkUnit],
    repeated: Sequence[bool],
    runtime: RuntimeConfig,
    device: torch.device,
    seed: int,
    batch_size: int,
) -> DataLoader[_Read]:
    batches = _UnitBatches(units, repeated, batch_size, seed)
    workers = automatic_workers(len(batches)) if runtime.workers is None else runtime.workers
    return DataLoader(
        batches,
        batch_size=None,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        prefetch_factor=4 if workers else None,
    )


def automatic_workers(n_batches: int) -> int:
    """DataLoader workers for a run of ``n_batches``: none for a handful, else the cores but one, at most 8."""
    cores = torch.get_num_threads() if n_batches >= 8 else 0
    return max(0, min(8, cores - 1))


def _advance(state: _OpenUnit, runner: "Runner", unit: WorkUnit, made: Batch | Failed) -> None:
    if isinstance(made, Failed):
        state.failed = made
        return
    try:
        state.outcomes.append(runner.run(unit, made))
    except Exception as error:  # any failure becomes a record of its cell
        state.failed = failed(error)

"""The local engine: one process, one device, work units in order, images through a DataLoader."""

import itertools
import time
import traceback as traceback_module
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, Dataset

from bench.benchmarks import Batch, Shown
from bench.configs import RuntimeConfig
from bench.models import check_precision, numerics, restrict
from bench.records import Outcomes
from bench.sweep.batch_size import automatic_batch
from bench.sweep.memory import keep_freed_memory
from bench.sweep.messages import BatchDone, UnitResult
from bench.sweep.plan import WorkUnit

NO_GROUP = -1
"""Prediction of a classifier that decides for none of the coarse classes, and label of an image of no class."""


@dataclass(frozen=True)
class _Failed:
    """An exception on its way from a DataLoader worker, with the batch it belongs to."""

    error: str
    traceback: str


@dataclass
class _OpenUnit:
    outcomes: list[Outcomes] = field(default_factory=list)
    failed: _Failed | None = None


class _UnitBatches(Dataset[tuple[int, int, int, Shown | _Failed]]):
    """Every batch of every unit, read (and corrupted, where the benchmark does so) in DataLoader workers."""

    def __init__(self, units: Sequence[WorkUnit], batch_size: int, seed: int) -> None:
        self.units = units
        self.seed = seed
        self.ranges = [
            (index, start, min(start + batch_size, unit.stop))
            for index, unit in enumerate(units)
            for start in range(unit.start, unit.stop, batch_size)
        ]

    def __len__(self) -> int:
        return len(self.ranges)

    def __getitem__(self, item: int) -> tuple[int, int, int, Shown | _Failed]:
        index, start, stop = self.ranges[item]
        cell = self.units[index].cell
        try:
            positions = cell.order[start:stop].tolist()
            shown = cell.benchmark.read(cell.crops, positions, cell.spec.condition, seed=self.seed)
        except Exception as error:  # any failure becomes a record of its cell
            return index, start, stop, _failed(error)
        return index, start, stop, shown


def run_local(
    classifier: nn.Module,
    units: Sequence[WorkUnit],
    runtime: RuntimeConfig,
    *,
    seed: int,
    on_batch: Callable[[WorkUnit, int], None] | None = None,
) -> Iterator[UnitResult[WorkUnit]]:
    """Run ``units`` in order, yielding each result as soon as it is complete.

    After a failure the other units of that cell are not tried; they stay missing.

    Args:
        classifier: frozen, in eval mode, on ``runtime.torch_device()``.
        units: what to run.
        runtime: device, batch size, workers.
        seed: the sweep's seed.
        on_batch: called with the unit and the number of images done, after each batch.
    """
    for event in run_events(classifier, units, runtime, seed=seed):
        if isinstance(event, UnitResult):
            yield event
        elif on_batch is not None:
            on_batch(event.unit, event.n)


def run_events(
    classifier: nn.Module, units: Sequence[WorkUnit], runtime: RuntimeConfig, *, seed: int
) -> Iterator[UnitResult[WorkUnit] | BatchDone[WorkUnit]]:
    """What ``run_local`` does, each batch an event too."""
    device, precision = runtime.torch_device(), getattr(classifier, "precision", "float32")
    check_precision(precision, device)
    with numerics(precision, deterministic=runtime.deterministic, benchmark=runtime.cudnn_benchmark):
        yield from _run_events(classifier, units, runtime, device, seed)


def _run_events(
    classifier: nn.Module, units: Sequence[WorkUnit], runtime: RuntimeConfig, device: torch.device, seed: int
) -> Iterator[UnitResult[WorkUnit] | BatchDone[WorkUnit]]:
    if runtime.keep_memory:
        keep_freed_memory()
    runner = _Runner(classifier, device, seed)
    loader = _loader(units, runtime, device, seed, runtime.batch_size or automatic_batch(classifier, device))
    failed_cells: set[str] = set()
    for index, batches in itertools.groupby(loader, key=lambda item: item[0]):
        unit = units[index]
        began = time.perf_counter()
        state = _OpenUnit()
        for _, start, stop, shown in batches:
            if state.failed is None and unit.cell.spec.cell_id not in failed_cells:
                _advance(state, runner, unit, start, shown)
            yield BatchDone(unit, stop - start)
        seconds = time.perf_counter() - began
        if state.failed is not None:
            failed_cells.add(unit.cell.spec.cell_id)
            yield UnitResult(unit, None, seconds, state.failed.error, state.failed.traceback)
        elif state.outcomes:
            yield UnitResult(unit, Outcomes.concatenate(state.outcomes), seconds)


def _loader(
    units: Sequence[WorkUnit], runtime: RuntimeConfig, device: torch.device, seed: int, batch_size: int
) -> DataLoader[tuple[int, int, int, Shown | _Failed]]:
    batches = _UnitBatches(units, batch_size, seed)
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


def _advance(state: _OpenUnit, runner: "_Runner", unit: WorkUnit, start: int, shown: Shown | _Failed) -> None:
    if isinstance(shown, _Failed):
        state.failed = shown
        return
    try:
        state.outcomes.append(runner.run(unit, start, shown))
    except Exception as error:  # any failure becomes a record of its cell
        state.failed = _failed(error)


def _failed(error: BaseException) -> _Failed:
    message = " ".join(str(error).split())
    return _Failed(f"{type(error).__name__}: {message}"[:500], traceback_module.format_exc())


class _Runner:
    """Runs batches on the device, in ever smaller pieces while memory runs out."""

    def __init__(self, classifier: nn.Module, device: torch.device, seed: int) -> None:
        self.classifier = classifier
        self.device = device
        self.seed = seed
        self.limit: dict[str, int] = {}  # by benchmark that ran out of memory: the largest batch that may still fit

    def run(self, unit: WorkUnit, start: int, shown: Shown) -> Outcomes:
        """Outcomes of the images at place ``start`` and after."""
        crops = unit.cell.crops
        rows = unit.cell.order[start : start + len(shown.images)]
        labels, class_ids = crops.labels[rows], crops.class_ids
        if class_ids is not None:
            column = {class_id: index for index, class_id in enumerate(class_ids)}
            labels = np.array([column.get(int(label), NO_GROUP) for label in labels])
        batch = Batch(
            shown.images.to(self.device, non_blocking=True),
            torch.as_tensor(labels).to(self.device),
            crops.image_ids[rows],
            condition=unit.cell.spec.condition,
            input_size=unit.cell.input_size,
            class_ids=class_ids,
            groups=crops.groups,
            accepted=_padded(crops.accepted, rows, self.device),
            side=shown.side,
        )
        classifier = restrict(self.classifier, class_ids, crops.groups).to(self.device)
        outcomes = Outcomes.concatenate(list(self._pieces(unit, classifier, batch)))
        if class_ids is None and crops.groups is None:
            return outcomes
        n_groups = 0 if crops.groups is None else len(crops.groups.columns)
        numbers = [*range(n_groups), NO_GROUP] if class_ids is None else [*class_ids, NO_GROUP]
        return _renumbered(outcomes, np.asarray(numbers), unit.cell.benchmark.class_columns)

    def _pieces(self, unit: WorkUnit, classifier: nn.Module, batch: Batch) -> Iterator[Outcomes]:
        name = unit.cell.spec.entry
        limit = self.limit.get(name, len(batch))
        if len(batch) > limit:
            for start in range(0, len(batch), limit):
                yield from self._pieces(unit, classifier, batch.part(start, start + limit))
            return
        try:
            outcomes = unit.cell.benchmark.run(classifier, batch, unit.cell.spec.condition, seed=self.seed)
        except RuntimeError as error:
            if not _is_out_of_memory(error) or len(batch) == 1:
                raise
            self.limit[name] = len(batch) // 2
        else:
            yield outcomes
            return
        if self.device.type != "cpu":
            torch.get_device_module(self.device).empty_cache()
        for half in batch.halves():
            yield from self._pieces(unit, classifier, half)


_OUT_OF_MEMORY = ("DefaultCPUAllocator", "out of memory", "_STATUS_ALLOC_FAILED", "CUFFT_ALLOC_FAILED")
"""What the CPU's allocator says, the CUDA driver outside torch's allocator, and cuBLAS, cuDNN and cuFFT."""


def _is_out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY)


def _padded(
    accepted: Sequence[Sequence[int]] | None, positions: NDArray[np.int64], device: torch.device
) -> torch.Tensor | None:
    """The accepted classes of some images as ``Batch.accepted`` has them."""
    if accepted is None:
        return None
    chosen = [accepted[position] for position in positions]
    longest = max(map(len, chosen))
    return torch.tensor([[*own, *[-1] * (longest - len(own))] for own in chosen], device=device)


def _renumbered(outcomes: Outcomes, numbers: np.ndarray, class_columns: Sequence[str]) -> Outcomes:
    """The outcomes with each class replaced by its entry of ``numbers``: the classifier's column, or ``NO_GROUP``."""
    extra = {name: numbers[column] if name in class_columns else column for name, column in outcomes.extra.items()}
    return replace(outcomes, label=numbers[outcomes.label], prediction=numbers[outcomes.prediction], extra=extra)

"""One batch on the device: the images made once, then each classifier on them, in pieces that fit in memory."""

import traceback as traceback_module
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.benchmarks import Batch, Shown
from bench.configs import RuntimeConfig
from bench.models import numerics, restrict
from bench.records import Outcomes
from bench.sweep.plan import WorkUnit

T = TypeVar("T")
Networks = Mapping[str, nn.Module]
"""Classifier's name -> what is run: frozen, in eval mode, on the device, defense included."""
NO_GROUP = -1
"""Prediction of a classifier that decides for none of the coarse classes, and label of an image of no class."""


@dataclass(frozen=True)
class Failed:
    """An exception on its way from a DataLoader worker, with the batch it belongs to."""

    error: str
    traceback: str


def failed(error: BaseException) -> Failed:
    """The exception that is being handled, as it is recorded."""
    message = " ".join(str(error).split())
    return Failed(f"{type(error).__name__}: {message}"[:500], traceback_module.format_exc())


def precision_of(network: nn.Module) -> str:
    """The precision that a classifier computes in, as of ``ModelConfig``."""
    return str(getattr(network, "precision", "float32"))


class Runner:
    """Runs batches on the device, in ever smaller pieces while memory runs out."""

    def __init__(self, networks: Networks, runtime: RuntimeConfig, device: torch.device, seed: int) -> None:
        self.networks = networks
        self.runtime = runtime
        self.device = device
        self.seed = seed
        # by benchmark and classifier that ran out of memory: the largest batch that may still fit
        self.limit: dict[tuple[str, str], int] = {}

    def make(self, unit: WorkUnit, start: int, shown: Shown | Failed) -> Batch | Failed:
        """The images at place ``start`` and after, as every classifier is shown them."""
        if isinstance(shown, Failed):
            return shown
        benchmark, condition = unit.cell.benchmark, unit.cell.spec.condition
        try:
            batch = self._batch(unit, start, shown)
            with self._numerics("float32"):  # whatever the classifiers' is: all are shown the same images
                parts = list(
                    self._pieces(
                        (unit.cell.spec.entry, ""), batch, lambda it: benchmark.make(it, condition, seed=self.seed)
                    )
                )
        except Exception as error:  # any failure becomes a record of its cell
            return failed(error)
        if len(parts) == 1:
            return parts[0]
        return replace(batch, images=torch.cat([part.images for part in parts]), made=parts[0].made)

    def run(self, unit: WorkUnit, made: Batch) -> Outcomes:
        """Outcomes of the images that ``make`` returned, for this unit or for another that shows the same."""
        cell, crops = unit.cell, unit.cell.crops
        network = self.networks[cell.spec.classifier]
        classifier = restrict(network, crops.class_ids, crops.groups).to(self.device)
        batch = replace(made, input_size=cell.input_size)
        with self._numerics(precision_of(network)):
            pieces = self._pieces(
                (cell.spec.entry, cell.spec.classifier),
                batch,
                lambda it: cell.benchmark.run(classifier, it, cell.spec.condition, seed=self.seed),
            )
            outcomes = Outcomes.concatenate(list(pieces))
        if crops.class_ids is None and crops.groups is None:
            return outcomes
        n_groups = 0 if crops.groups is None else len(crops.groups.columns)
        numbers = [*range(n_groups), NO_GROUP] if crops.class_ids is None else [*crops.class_ids, NO_GROUP]
        return _renumbered(outcomes, np.asarray(numbers), cell.benchmark.class_columns)

    def _numerics(self, precision: str) -> AbstractContextManager[None]:
        return numerics(precision, deterministic=self.runtime.deterministic, benchmark=self.runtime.cudnn_benchmark)

    def _batch(self, unit: WorkUnit, start: int, shown: Shown) -> Batch:
        crops = unit.cell.crops
        rows = unit.cell.order[start : start + len(shown.images)]
        labels, class_ids = crops.labels[rows], crops.class_ids
        if class_ids is not None:
            column = {class_id: index for index, class_id in enumerate(class_ids)}
            labels = np.array([column.get(int(label), NO_GROUP) for label in labels])
        return Batch(
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

    def _pieces(self, key: tuple[str, str], batch: Batch, work: Callable[[Batch], T]) -> Iterator[T]:
        """What ``work`` returns for the batch, or for its parts where the whole does not fit in memory."""
        limit = self.limit.get(key, len(batch))
        if len(batch) > limit:
            for start in range(0, len(batch), limit):
                yield from self._pieces(key, batch.part(start, start + limit), work)
            return
        try:
            result = work(batch)
        except RuntimeError as error:
            if not _is_out_of_memory(error) or len(batch) == 1:
                raise
            self.limit[key] = len(batch) // 2
        else:
            yield result
            return
        if self.device.type != "cpu":
            torch.get_device_module(self.device).empty_cache()
        for half in batch.halves():
            yield from self._pieces(key, half, work)


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

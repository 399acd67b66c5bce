"""What every benchmark is: conditions, what is shown, and the outcome of each image."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.benchmarks.metric import Metric
from bench.benchmarks.words import describe_condition
from bench.configs import DataConfig
from bench.data import CropRecipe, Crops, LabelSpace
from bench.data.dataset import DecisionGroups
from bench.errors import ConfigurationError, DataError
from bench.imaging.division import bytes_to_pixels
from bench.records import Condition, Outcomes, Parameter, ThreatModel


class NonFiniteLogitsError(ArithmeticError):
    """The classifier answered NaN or infinity: it has no prediction, so the cell has no outcome."""


@dataclass(frozen=True)
class Shown:
    """Some images as a benchmark shows them, on the CPU, before they go to the classifier's device."""

    images: Tensor
    """``(B,3,H,W)`` uint8."""
    side: Mapping[str, Tensor] = field(default_factory=dict)
    """What belongs to each image beside its pixels, by name, each ``(B,...)``: the object's mask, say."""

    def pin_memory(self) -> "Shown":
        """In page-locked memory, for a copy to a GPU that does not wait; called by torch's DataLoader."""
        return Shown(self.images.pin_memory(), self.side)


@dataclass(frozen=True)
class Batch:
    """Some images of a dataset, as a benchmark shows them."""

    images: Tensor
    """``(B,3,H,W)`` uint8 on the classifier's device."""
    labels: Tensor
    """``(B,)`` int64 logit columns, on the same device."""
    image_ids: NDArray[np.str_]
    """``(B,)`` names, from which per-image seeds are derived."""
    condition: Condition | None = None
    """The condition that ``Benchmark.read`` was called with; None where the images did not go through it."""
    input_size: tuple[int, int] | None = None
    """Height and width in pixels that the classifier takes; None where the images have that size already."""
    class_ids: tuple[int, ...] | None = None
    """Where decisions are restricted to some classes: the logit column, in the whole classifier, of each class that
    labels number; a benchmark that asks another classifier restricts that one to the same."""
    groups: DecisionGroups | None = None
    """Where decisions are made among coarse classes: these, in the whole classifier's logit columns."""
    accepted: Tensor | None = None
    """``(B,A)`` int64 on the device of ``labels``: every class that counts as right, -1 for none; None where that is
    the label alone."""
    side: Mapping[str, Tensor] = field(default_factory=dict)
    """``Shown.side`` of the images, on the CPU."""
    made: bool = False
    """Whether ``Benchmark.make`` has changed the images already."""

    def pixels(self) -> Tensor:
        """``(B,3,H,W)`` float32 in [0,1]."""
        return bytes_to_pixels(self.images)

    def __len__(self) -> int:
        return len(self.image_ids)

    def halves(self) -> tuple["Batch", "Batch"]:
        """The batch in two, for when it does not fit in memory."""
        middle = len(self) // 2
        return self.part(0, middle), self.part(middle, len(self))

    def part(self, start: int, stop: int) -> "Batch":
        """Images ``start .. stop`` of the batch."""
        return self.rows(slice(start, stop))

    def rows(self, rows: slice | NDArray[np.int64]) -> "Batch":
        """Images at these positions of the batch."""
        return replace(
            self,
            images=self.images[rows],
            labels=self.labels[rows],
            image_ids=self.image_ids[rows],
            accepted=None if self.accepted is None else self.accepted[rows],
            side={name: values[rows] for name, values in self.side.items()},
        )


class Benchmark(ABC):
    """A frozen dataclass of parameters that knows its conditions and how to run one batch of one.

    A subclass is one module and one yaml (``conf/benchmark``); its fields are the yaml's keys.
    """

    name: ClassVar[str]
    """The name in the store and on the leaderboard."""
    version: ClassVar[str]
    """Bumped when outcomes change: results of different versions are never mixed."""
    axis: ClassVar[str] = ""
    """Heading over its columns of the leaderboard; its name when left out."""
    citation: ClassVar[str] = ""
    """The paper that it follows; empty where there is none."""
    licence: ClassVar[str] = ""
    """Licence of the code, parameters or data of others that it uses, and whose; empty where it uses none."""
    metrics: ClassVar[tuple[Metric, ...]] = ()
    """Its figures, in the order of the leaderboard."""
    several: ClassVar[bool] = False
    """Whether a suite may hold several entries of it, each a measurement of its own (PGD and FGSM are both attacks):
    reports then find them by the suite's entry, and not by the benchmark's name."""
    entry_titles: ClassVar[Mapping[str, str]] = {}
    """Of ``several``: the usual entries, whose ``always`` metrics are on every leaderboard, with their titles."""
    own_images: ClassVar[bool] = False
    """Whether it always brings the images that its name stands for. The figures of other benchmarks on images beside
    the main ones are named by the suite's entry."""
    compared_with: ClassVar[str] = "clean"
    """Of an accuracy on a set of its own: the benchmark that measures the accuracy on ordinary images of the same
    classes."""
    needs_clean: ClassVar[bool] = False
    """Whether its figures are compared with those of the clean images, which a complete run then has too."""
    calibrated: ClassVar[bool] = False
    """Whether calibration is reported under its conditions: those of images that occur, not of attacked ones."""
    stated_parameters: ClassVar[tuple[str, ...]] = ()
    """Parameters that the leaderboard states in columns of their own: ``corruption_source``."""
    strength_unit: ClassVar[str]
    """What a condition's strength counts, as reports name it (``gamma 0.5``): ``severity``, ``epsilon``, ...; empty
    where conditions have no strength, or where ``unit`` says it of each condition."""
    condition_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that only list conditions, and so are no part of a cell's identity."""
    unlabelled: ClassVar[bool] = False
    """Whether its images show no class that the classifier knows: no prediction is right, and none is wrong."""
    pictured: ClassVar[bool] = False
    """Whether ``make`` returns what every classifier is shown, but for the resize to its input: reports then have
    pictures of it. Not so where ``run`` changes the images, as attacks do."""
    class_columns: ClassVar[tuple[str, ...]] = ()
    """Extra columns of its outcomes that hold classes, numbered as the labels of the batch are."""

    @abstractmethod
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition, each one cell."""

    @property
    def default_entry(self) -> str:
        """What it is called where a suite gives it no name."""
        return self.name

    @classmethod
    def complete_conditions(cls) -> tuple[Condition, ...]:
        """Conditions that a complete run has, whichever of them a suite lists."""
        return ()

    @classmethod
    def entry_title(cls, entry: str) -> str:
        """What headings call an entry of a suite."""
        return cls.entry_titles.get(entry, entry.replace("_", " "))

    @classmethod
    def describe(cls, condition: Condition, unit: str, known: Collection[Parameter] = ()) -> str:
        """A condition in words: ``snow severity 3``.

        Args:
            condition: one of ``conditions()``.
            unit: what its strength counts, as of ``unit``.
            known: words that the reader knows already: a condition of that name is its strength alone.
        """
        return describe_condition(condition, unit, (cls.name, *known))

    @classmethod
    def budget(cls, parameters: Mapping[str, Parameter]) -> Mapping[str, Parameter]:
        """Which of its parameters a summary at one strength names: how hard it tries."""
        del parameters
        return {}

    @classmethod
    def cautions(cls, parameters: Mapping[str, Parameter]) -> Sequence[str]:
        """Sentences for the page: what keeps figures under these parameters from being compared with published ones."""
        del parameters
        return ()

    def unit(self, condition: Condition) -> str:
        """What the strength of ``condition`` counts; empty where it has none."""
        del condition
        return self.strength_unit

    @property
    def image_protocol(self) -> str:
        """``published`` or ``native``, where it changes images and knows both ways to show them; empty elsewhere."""
        return ""

    @property
    def threat(self) -> ThreatModel | None:
        """What an attack may do and see; None where it is none."""
        return None

    def surrogate(self, condition: Condition) -> str:
        """Name of the other classifier that the images of ``condition`` are made against; empty where there is none."""
        del condition
        return ""

    @property
    def departure(self) -> str:
        """How it departs from the published standard that its name stands for, in words; empty where it does not."""
        return ""

    @property
    def passes(self) -> int:
        """Forward passes an image costs, roughly (a backward pass counts as two): for the time left and for budgets."""
        return 1

    def make(self, batch: Batch, condition: Condition, *, seed: int) -> Batch:
        """The batch with its images changed in the way that is the same for every classifier: corrupted, say.

        Classifiers that run together share the result. It has other ``images`` than ``batch``, and ``made``; a batch
        that was made already is returned as it is. Without such a change, nothing needs to be done.

        Args:
            batch: what ``read`` returned, on the classifier's device.
            condition: one of ``conditions()``.
            seed: the sweep's seed.
        """
        del condition, seed
        return batch

    @abstractmethod
    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """The outcome of each image of ``batch``; must not depend on which other images are in it.

        Args:
            classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``; frozen, in eval mode.
            batch: what ``read`` or ``make`` returned, on the classifier's device.
            condition: one of ``conditions()``.
            seed: the sweep's seed.
        """

    @property
    def label_kind(self) -> str:
        """What its images must be labelled with: ``classes`` (logit columns), the 16 ``categories``, or ``sets``."""
        return "classes"

    def data_of(self, main: DataConfig) -> DataConfig:
        """Its images, where a suite gives it none of its own: the main ones, or some of them.

        Args:
            main: the main images.
        """
        return main

    def prepared(self, crop: CropRecipe, cache_dir: Path) -> Self:
        """The benchmark for one classifier, once, before it is planned: parameters that depend on it are filled in.

        Args:
            crop: the classifier's own recipe.
            cache_dir: where digests of files are kept.
        """
        del crop, cache_dir
        return self

    def recipe(self, crop: CropRecipe) -> CropRecipe:
        """How its images are resized and cropped: the classifier's own way, unless a protocol says otherwise.

        It may depend on the classifier's ``crop`` and on what ``parameters`` holds, and on nothing else: both are in a
        cell's identity, and the recipe is not.
        """
        return crop

    def shown_size(self, crop: CropRecipe) -> tuple[int, int]:
        """Height and width of what reaches a classifier of that ``crop``: its own, unless nothing is resized to it."""
        return crop.height, crop.width

    def check(self) -> None:  # noqa: B027  # a hook that most benchmarks leave empty
        """Refuse, before any work, what cannot be run: missing folders, say."""

    def check_conditions(self, entry: str) -> None:
        """Refuse, before any work, a benchmark with nothing to run, or with the same thing twice.

        Args:
            entry: what the suite calls it, for messages.

        Raises:
            ConfigurationError: naming the empty list, or the condition that is listed twice.
        """
        conditions = self.conditions()
        if not conditions:
            empty = [name for name in self.condition_fields if not getattr(self, name)]
            raise ConfigurationError(f"benchmark {entry!r} runs nothing: give at least one of {', '.join(empty)}")
        twice = [condition.key for condition, count in Counter(conditions).items() if count > 1]
        if twice:
            raise ConfigurationError(f"benchmark {entry!r} lists {', '.join(twice)} more than once: leave one out")

    def check_classifier(self, label_space: LabelSpace) -> None:  # noqa: B027  # as above
        """Refuse, before any work, a classifier whose logit columns mean ``label_space``."""

    def check_without_gradient(self, classifier: str) -> None:  # noqa: B027  # as above
        """Refuse, before any work, a classifier that runs forward passes alone, where a gradient is needed.

        Args:
            classifier: its name, for the message.
        """

    def read(self, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int) -> Shown:
        """The images to show, and what belongs to them; called in DataLoader workers: CPU work belongs here."""
        del condition, seed
        return Shown(crops.read(positions))

    def parameters(self) -> Mapping[str, Parameter]:
        """What identifies a cell beside its condition: every field that is not a list of conditions."""
        return {
            own.name: getattr(self, own.name)
            for own in fields(self)  # type: ignore[arg-type]
            if own.name not in self.condition_fields
        }


def check_was_read(batch: Batch, condition: Condition) -> None:
    """Refuse a batch whose images ``Benchmark.read`` did not make for ``condition``: they would count as corrupted.

    Raises:
        DataError: see above.
    """
    if batch.condition != condition:
        made = "were not made by read" if batch.condition is None else f"are those of {batch.condition.key}"
        raise DataError(f"{condition.key}: the images of the batch {made}; pass what read returned, and its condition")


def check_finite(logits: Tensor, batch: Batch) -> None:
    """Refuse logits ``(B,K)`` that are NaN or infinite.

    Raises:
        NonFiniteLogitsError: naming an image that has some.
    """
    finite = torch.isfinite(logits).all(dim=1)
    if not bool(finite.all()):
        named = batch.image_ids[int((~finite).nonzero()[0])]
        raise NonFiniteLogitsError(
            f"{int((~finite).sum())} of {len(batch)} images have NaN or Inf logits, e.g. {named}"
        )


def judge(logits: Tensor, batch: Batch, extra: Mapping[str, NDArray[Any]] | None = None) -> Outcomes:
    """Outcomes of the images whose ``logits`` these are.

    Where several classes count as right, the label of an image is the predicted one if it is among them, else the
    first.

    Args:
        logits: ``(B,K)`` before softmax.
        batch: the images' labels and names.
        extra: the benchmark's own ``(B,)`` columns.

    Raises:
        NonFiniteLogitsError: a logit is NaN or infinite.
        DataError: a label that the classifier has no logit for.
    """
    lowest, highest = int(batch.labels.min()), int(batch.labels.max())
    if lowest < 0 or highest >= logits.shape[1]:
        label = lowest if lowest < 0 else highest
        raise DataError(f"label {label} has no logit: the classifier has {logits.shape[1]} classes")
    check_finite(logits, batch)
    confidence, prediction = logits.float().softmax(dim=1).max(dim=1)
    labels = batch.labels
    if batch.accepted is not None:
        labels = torch.where((batch.accepted == prediction[:, None]).any(dim=1), prediction, labels)
    return Outcomes(
        image_id=batch.image_ids,
        label=labels.cpu().numpy(),
        prediction=prediction.cpu().numpy(),
        confidence=confidence.cpu().numpy(),
        extra=extra or {},
    )

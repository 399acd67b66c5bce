"""The nouns every layer shares: conditions, outcomes, run identity, provenance and estimates."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError

SEED_LIMIT = 2**63
"""Seeds are below it: tables hold them as 64-bit integers."""

Parameter = str | int | float | bool | None | Sequence["Parameter"] | Mapping[str, "Parameter"]
"""A JSON value: what a benchmark's parameters may hold."""


@dataclass(frozen=True, order=True)
class Condition:
    """What is done to the images, and how strongly."""

    name: str
    """The field's name for it: ``gaussian_noise``, ``pgd``, ``clean``."""
    strength: float = 0.0
    """Severity 1-5, epsilon in [0,1] pixel units, ...: ``Benchmark.unit`` says which; 0 = untouched."""

    @property
    def key(self) -> str:
        """Text that identifies the condition: ``gaussian_noise@3``."""
        return f"{self.name}@{self.strength:.10g}"


@dataclass(frozen=True)
class Outcomes:
    """What happened to each image under one condition: columns of equal length ``N``, one entry per image."""

    image_id: NDArray[np.str_]
    """``(N,)`` names, unique within a dataset."""
    label: NDArray[np.int64]
    """``(N,)`` true class, as a logit column of the classifier."""
    prediction: NDArray[np.int64]
    """``(N,)`` predicted class, as a logit column."""
    confidence: NDArray[np.float32]
    """``(N,)`` softmax probability of the prediction, in [0,1]."""
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Further ``(N,)`` columns of the benchmark: ``distance``, ``queries``, ``shape_decision``, ..."""

    def __post_init__(self) -> None:
        lengths = {name: len(column) for name, column in self.columns().items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"outcome columns differ in length: {lengths}")

    def __len__(self) -> int:
        return len(self.image_id)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """``(N,)`` whether the prediction equals the label."""
        return np.equal(self.prediction, self.label)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Every column by name, the benchmark's own last."""
        fixed = {
            "image_id": self.image_id,
            "label": self.label,
            "prediction": self.prediction,
            "confidence": self.confidence,
        }
        clash = fixed.keys() & self.extra.keys()
        if clash:
            raise ValueError(f"extra outcome columns shadow fixed ones: {sorted(clash)}")
        return {**fixed, **self.extra}

    @staticmethod
    def concatenate(parts: Sequence["Outcomes"]) -> "Outcomes":
        """The rows of ``parts`` in order; they must share their extra columns.

        Raises:
            ValueError: no parts, or parts with different columns.
        """
        if not parts:
            raise ValueError("no outcomes to concatenate: an empty set has no accuracy")
        names = set(parts[0].extra)
        if any(set(part.extra) != names for part in parts):
            raise ValueError("outcomes of one cell differ in their columns")
        join = {name: np.concatenate([part.columns()[name] for part in parts]) for name in parts[0].columns()}
        extra = {name: join.pop(name) for name in parts[0].extra}
        return Outcomes(**join, extra=extra)


def describe_entry(entry: str, departure: str) -> str:
    """What people call an entry of a suite: one that departs from its standard never goes by its name alone."""
    return f"{entry} ({departure})" if departure else entry


@dataclass(frozen=True)
class ThreatModel:
    """What an attack may do and what it sees: what reports compare attacks by."""

    norm: str
    """Norm of epsilon: ``linf``, ``l2``, ``l1``, ``l0`` or ``pixels``."""
    access: str
    """What it sees of the classifier, of ``bench.attacks.declaration``: ``gradient``, ``scores``, ``decisions``, ..."""
    minimal_norm: bool
    """Whether it seeks the smallest perturbation, so that one run answers every epsilon; else it has a budget."""
    targeted: bool
    """Whether an image counts as broken only where a chosen class is reached."""
    control: bool
    """Whether it is no attack but random noise, which every attack must beat."""
    single_step: bool
    """Whether it takes one step along the gradient, which may be too long."""
    stops_at_success: bool
    """Whether an image leaves at its first success, so that its query count says when it fell."""
    cascade: bool
    """Whether it is a cascade, whose outcomes name the stage that broke each image."""
    steps: int
    """Steps of a search; 0 where it has none."""
    family: str
    """Digest of all but the number and length of its steps: runs of one family differ in their steps alone."""


@dataclass(frozen=True)
class RunSpec:
    """The identity of a cell: everything that may change its outcomes, and nothing else."""

    classifier: str
    """Display name of the classifier, unique within a store together with its digest."""
    weights_digest: str
    """Digest over every tensor of the loaded state dict."""
    crop: str
    """The classifier's own recipe from file to pixels (resize, crop, interpolation). A benchmark that shows other
    pixels says so in its parameters."""
    defense: str
    """Name and parameters of the wrapped defense; empty for none."""
    dataset: str
    """Name of the dataset."""
    dataset_digest: str
    """Digest over image ids, labels and file contents."""
    n_images: int
    """Images in the dataset after ``limit`` and skips."""
    label_space: str
    """What labels and predictions number: ``imagenet``, ``imagenet_r``, ``cifar10``, ``the 16 categories``, ...;
    ``10 classes`` where they have no names."""
    n_classes: int
    """Classes that a decision is made among."""
    benchmark: str
    """The benchmark's own name, by which reports find it: ``corruption``, ``attack``."""
    entry: str
    """What the suite calls it, by which people do: ``corruption``, ``pgd``. A suite may have several entries of one
    benchmark, with other parameters each."""
    version: str
    """The benchmark's version; a change of outcomes bumps it."""
    parameters: Mapping[str, Parameter]
    """The benchmark's own parameters, conditions left out."""
    condition: Condition
    """What is done to the images."""
    strength_unit: str
    """What the condition's strength counts: ``severity``, ``epsilon``, ``pixels``, ...; empty where it has none."""
    seed: int
    """The sweep's seed, from 0 and below 2**63."""
    precision: str
    """Numeric precision of the forward pass: ``float32``, ``bfloat16``, ..."""
    image_size: tuple[int, int]
    """Height and width in pixels of the images that the benchmark reads: those that are corrupted or attacked."""
    departure: str = ""
    """How it departs from the published standard that the benchmark's name stands for, in words: ``reduced: queries 50
    of 5000``; empty where it does not, or where there is none."""
    image_protocol: str = ""
    """How changed images are made and shown, where a benchmark knows several ways: ``published`` or ``native``; empty
    elsewhere."""
    threat: ThreatModel | None = None
    """Of an attack."""
    auxiliary: bool = False
    """Whether the images are the benchmark's own, beside the main images that the classifier's row is about."""
    surrogate: str = ""
    """Of a transfer attack: name of the classifier that the images were made against."""
    adaptive_defense: str = ""
    """Where attacks are given the defense's own gradient, which may be useless: ``defense`` as it reads for the same
    defense with an adaptive gradient. Empty elsewhere."""
    decision_maker: str = ""
    """Of imported decisions, which nothing here computed: ``human`` or ``network``; empty elsewhere."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < SEED_LIMIT:
            raise ValueError(f"seed {self.seed} is not from 0 and below 2**63: tables could not hold it")

    def to_json(self) -> str:
        """Canonical JSON: equal specs give equal text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @staticmethod
    def from_json(text: str) -> "RunSpec":
        """Read what ``to_json`` wrote.

        Raises:
            DataError: the identity of another version of Snowwolf, which has other fields.
        """
        values = json.loads(text)
        unlike = values.keys() ^ {item.name for item in fields(RunSpec)}
        if unlike:
            raise DataError(
                f"written by another version of Snowwolf (its identity differs in {', '.join(sorted(unlike))})"
            )
        threat = values["threat"]
        typed = {
            "condition": Condition(**values["condition"]),
            "image_size": tuple(values["image_size"]),
            "threat": None if threat is None else ThreatModel(**threat),
        }
        return RunSpec(**{**values, **typed})

    @property
    def title(self) -> str:
        """The entry, and how it departs from its standard: ``autoattack (reduced: queries 50 of 5000)``."""
        return describe_entry(self.entry, self.departure)

    @cached_property
    def outcome_id(self) -> str:
        """24 hex digits of everything but the classifier's display name: equal ids mean equal outcomes."""
        return _digest(replace(self, classifier="").to_json())[:24]

    @cached_property
    def cell_id(self) -> str:
        """32 hex digits naming the cell in the store: ``outcome_id``, then 8 digits of the classifier's name.

        Cells of the same weights under two names share their first digits, so that one can take the outcomes of the
        other.
        """
        return self.outcome_id + _digest(self.classifier)[:8]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Provenance:
    """How a part came to be: recorded beside the identity, never hashed."""

    commit: str
    """Commit of the code, or the package version outside a checkout."""
    dirty: bool
    """Whether the checkout had uncommitted changes."""
    packages: Mapping[str, str]
    """Versions of the packages that can move an outcome."""
    device: str
    """Device the classifier ran on, in words."""
    host: str
    """Name of the machine."""
    settings: Mapping[str, Parameter]
    """Batch size, workers, fast paths: what may not change an outcome beyond rounding."""
    cost: Mapping[str, float]
    """Cost of the classifier: parameters and GMACs."""
    command: str
    """The command that reproduces the run."""
    started: str
    """UTC time, ISO 8601."""
    seconds: float
    """Wall time of the work unit."""
    published: str = ""
    """What tables of published figures call the classifier's weights; empty where they have none."""
    plugins: Mapping[str, str] = field(default_factory=dict)
    """Plug-ins that were loaded, by name, with their versions; of a file, a digest of its text."""
    sample: int = 0
    """How many images of the cell were wanted at least when the part was computed; 0 for all."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its uncertainty."""

    value: float
    """The point estimate."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    n: int
    """Images it rests on."""

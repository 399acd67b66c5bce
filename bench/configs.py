"""The typed sections of the configuration: what a user may set, without a library that takes seconds to import.

The command line reads them before it knows what will be run, so this module imports neither torch nor pandas.
"""

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.errors import ConfigurationError, nearest_names

if TYPE_CHECKING:
    import torch

ENGINES = ("local", "processes", "ray")


@dataclass
class ModelConfig:
    """Which classifier to load (``conf/model``)."""

    name: str = "lite0"
    """A packaged model, a timm architecture with or without tag (``resnet50.a1_in1k``), ``hf-hub:owner/model``, or a
    source and a name: ``torchvision:resnet50/IMAGENET1K_V1``, ``hf:google/vit-base-patch16-224``,
    ``openclip:ViT-B-32/laion2b_s34b_b79k``, ``python:my_package.models:build``, ``onnx:FILE``, ``export:FILE``, ..."""
    source: str | None = None
    """Where the model comes from, in place of a prefix of the name: ``timm``, ``torchvision``, ``hf``, ``openclip``,
    ``robustbench``, ``python``, ``onnx``, ``export``, or a plug-in's."""
    alias: str | None = None
    """Display name; the name, or the checkpoint's stem after it, when left out."""
    checkpoint: str | None = None
    """A local file of weights instead of the published ones: ``.safetensors``, or a state dict or training checkpoint
    as torch saves them."""
    weights: str = "pretrained"
    """``pretrained``, or ``random`` for an untrained network (seeded)."""
    num_classes: int | None = None
    """Logits of a checkpoint whose head is not the architecture's usual one."""
    options: Any = None
    """A mapping of what else the source takes, such as the keyword arguments of a Python function (docs/models.md)."""
    label_space: str | None = None
    """What its logit columns mean, where nothing says it: ``imagenet``, ``cifar10``, or a file of one class name per
    line, in the order of the columns."""
    mean: list[float] | None = None
    """Per channel, in [0,1] units, in place of what the source says."""
    std: list[float] | None = None
    """Per channel, in [0,1] units, in place of what the source says."""
    input_size: Any = None
    """Side of the crop in pixels, or ``[height, width]``, in place of what the source says."""
    crop_pct: float | None = None
    """Share of the resized image's side that the crop keeps, in (0,1], in place of what the source says: 0.875 resizes
    to 256 and crops 224."""
    interpolation: str | None = None
    """Of the resize, in place of what the source says: ``bilinear``, ``bicubic``, ``nearest``, ``lanczos``."""
    precision: str = "float32"
    """``float32``, which is true float32 on every device; ``tf32``, on NVIDIA GPUs; ``bfloat16`` or ``float16``."""

    @property
    def stated_name(self) -> str:
        """What messages call the classifier before it is loaded."""
        return self.alias or self.name

    def __post_init__(self) -> None:
        if not isinstance(self.options or {}, Mapping):
            raise ConfigurationError(f"model.options={self.options}: give a mapping, {{NAME: VALUE}}")
        self.options = dict(self.options or {})


DEFAULT_SPLIT = "validation"


@dataclass
class DataConfig:
    """Which images to use (``conf/data``)."""

    name: str | None = None
    """What reports call the dataset; the last part of ``root`` when left out."""
    source: str = "folder"
    """``auto`` (what ``root`` is, is found out), ``folder``, ``categories`` (16 folders named after the categories of
    Geirhos et al.), ``variants`` (class folders in several folders), ``flat_imagenet``, ``list``, ``arrays``,
    ``cifar10``, ``cifar100``, ``tar``, ``webdataset``, ``huggingface``, ``tfds``, ``samples``,
    ``cue_conflict_samples``, ``unlabelled`` (sets of images that show no class), ``ood_samples``; docs/images.md
    has a table."""
    root: str | None = None
    """Where the images lie: a folder or a file."""
    labels: str | None = None
    """File of labels, for images whose folders do not say them: see ``flat_imagenet`` and ``arrays``. For
    ``unlabelled``: image lists in OpenOOD's form, a file or a folder of ``test_<set>.txt``."""
    dataset: str | None = None
    """Name of a data set of the Hugging Face hub, or of TFDS."""
    split: str = DEFAULT_SPLIT
    """Split, where there are several; for ``webdataset`` also a pattern of shards, ``val-*.tar``."""
    class_map: str | None = None
    """CSV or JSON file: class name -> logit column, for names that the classifier's classes do not have."""
    label_space: str | None = None
    """What the classes are, where their names do not say it: ``imagenet``, ``cifar10``; ``imagenet_a``,
    ``imagenet_r`` or ``imagenet_o`` to restrict decisions to those 200 classes; ``columns`` where class numbers are
    logit columns."""
    class_groups: str | None = None
    """Coarse classes, each made of some of the classifier's: ``objectnet``, ``imagenet_9``, ``imagenet_d``,
    ``laion_c``, or a JSON file (docs/labels.md)."""
    group_rule: str | None = None
    """How a coarse class is decided on: ``argmax`` (the class of the largest logit of all, then its group), ``max``
    (the largest logit of the groups' members), ``mean`` (the largest mean probability); as published when left out."""
    other_classes: str = "refuse"
    """Images of classes that are none of ``label_space`` or ``class_groups``: ``refuse``, or ``leave_out``."""
    list: str | None = None
    """File with the name of one image per line: these images alone. ``robustbench``: the 5,000 of RobustBench's
    ImageNet leaderboard, where its package is installed."""
    groups: str | None = None
    """For reports, groups of images to slice results by: a CSV or Parquet file of ``image_id`` and any columns, or
    ``imagenet_x``, where its package is installed."""
    limit: int | None = None
    """Images of a seeded, class-balanced subset; at most as many as there are. Images of classes outside
    ``label_space`` are left out of that subset."""
    limit_seed: int = 0
    """Which subset."""
    regions: str | None = None
    """Where the labelled objects are, for audits: ``samples``, a folder of bounding-box XML or of mask PNGs, or a
    COCO-style JSON file."""
    on_error: str = "refuse"
    """``refuse`` to start, or ``skip``, when a file does not decode."""


@dataclass
class BudgetConfig:
    """How much of a sweep is run; without a limit, all images under every condition (docs/budgets.md)."""

    forwards: int | None = None
    """Forward passes per classifier, roughly; a backward pass counts as two."""
    half_width: float | None = None
    """Half the length of the 95 % interval that each entry's first figure shall have, in points: percent, or mCE."""
    half_widths: dict[str, float] = field(default_factory=dict)
    """The same for some entries of the suite: ``pgd: 3``."""
    until: str | None = None
    """``ranked``: until every two classifiers of the job are told apart in every entry's first figure, or are known to
    differ by less than ``indifference``."""
    indifference: float = 1.0
    """Points below which two classifiers count as alike."""

    def __post_init__(self) -> None:
        self._check_until()
        if self.forwards is not None and self.forwards < 1:
            raise ConfigurationError(f"budget.forwards={self.forwards}: give a number of forward passes, from 1")
        widths = {"half_width": self.half_width, **{f"half_widths.{key}": it for key, it in self.half_widths.items()}}
        for name, width in widths.items():
            if width is not None and not 0 < width < 100:
                raise ConfigurationError(f"budget.{name}={width}: give points above 0 and below 100")

    def _check_until(self) -> None:
        if self.until not in (None, "ranked"):
            raise ConfigurationError(f"budget.until={self.until}: give ranked, or leave it out")
        if self.until is not None and (self.forwards is not None or self.until_narrow):
            raise ConfigurationError(
                "budget.until=ranked chooses the number of images: leave out the forward passes and the half-widths"
            )
        if not self.indifference > 0:
            raise ConfigurationError(
                f"budget.indifference={self.indifference}: give points above 0, or equal classifiers never end"
            )

    def check_classifiers(self, count: int) -> None:
        """Refuse a budget that so many classifiers cannot have.

        Raises:
            ConfigurationError: ``until=ranked`` of a single one.
        """
        if self.until == "ranked" and count < 2:  # a pair
            raise ConfigurationError(
                "budget.until=ranked compares the classifiers of one job: give at least two, models=[ONE,TWO]"
            )

    @property
    def full(self) -> bool:
        """Whether all images are run under every condition."""
        return self.forwards is None and not self.until_narrow and self.until is None

    @property
    def until_narrow(self) -> bool:
        """Whether samples grow until intervals are narrow enough."""
        return self.half_width is not None or bool(self.half_widths)

    def wanted(self, entry: str) -> float | None:
        """The half-width that an entry's first figure shall have; None where none is asked for."""
        return self.half_widths.get(entry, self.half_width)


_MOST_PER_CORE = 16
"""Processes that a user may ask for, per core: more are a slip of the keyboard, and take the machine down."""


def available_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_processes(key: str, count: int | None) -> None:
    cores = os.cpu_count() or 1
    if count is not None and count > _MOST_PER_CORE * cores:
        raise ConfigurationError(
            f"{key}={count} on {cores} cores: give at most {_MOST_PER_CORE * cores}, or leave it out"
        )


@dataclass
class RuntimeConfig:
    """How to run (``conf/runtime``); nothing here may change an outcome beyond rounding."""

    device: str = "auto"
    """``auto`` (CUDA, else MPS, else CPU), or a torch device."""
    batch_size: int | None = None
    """Images per step; found automatically when left out, halved when it does not fit in memory."""
    workers: int | None = None
    """DataLoader processes; automatic when left out."""
    threads: int | None = None
    """Torch threads of this process; torch's default when left out."""
    chunk: int = 1024
    """Images a work unit: the most a crash can lose of a cell."""
    cache_dir: str = "~/.cache/snowwolf/crops"
    """Where decoded crops are kept."""
    cache_gb: float = 50.0
    """Bound on that folder."""
    fast: bool = True
    """Batch norms folded into convolutions, the faster memory format: equal in prediction."""
    deterministic: bool = True
    """On a GPU, only algorithms of cuDNN that give the same bits every time."""
    cudnn_benchmark: bool = False
    """On a GPU, time cuDNN's algorithms for each shape and keep the fastest, which may be another in each run."""
    keep_memory: bool = True
    """On the CPU, keep freed memory for the next activation instead of returning it to the kernel."""

    def check(self) -> None:
        """Refuse what cannot be run.

        Raises:
            ConfigurationError: a device that does not exist on this machine, or a number out of range.
        """
        self.torch_device()
        for name, least in (("batch_size", 1), ("workers", 0), ("threads", 1), ("chunk", 1), ("cache_gb", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigurationError(f"runtime.{name} is at least {least}, not {value:g}")
        _check_processes("runtime.workers", self.workers)

    def torch_device(self) -> "torch.device":
        """The device to run on.

        Raises:
            ConfigurationError: it does not exist on this machine.
        """
        import torch

        if self.device == "auto":
            found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
            return found or torch.device("cpu")
        try:
            return torch.empty(0, device=self.device).device
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigurationError(f"runtime.device={self.device} is not usable here: {reason}") from error


@dataclass
class EngineConfig:
    """Who runs the work units (``conf/engine``); outcomes are the same on one type of device."""

    name: str = "local"
    """``local``, ``processes`` or ``ray``."""
    workers: int | None = None
    """Processes or actors; one a GPU when left out, or as many as ``threads`` lets the CPU cores hold."""
    threads: int | None = None
    """Torch threads of each; when left out, the machine's cores over its workers, or 1 for an actor."""
    timeout: float = 3600.0
    """Seconds without a finished batch, after which a worker counts as hanging and is replaced."""
    start_timeout: float = 3600.0
    """Seconds that a worker has to become ready, which do not count towards ``timeout``."""
    retries: int = 2
    """How often a unit is tried again whose worker died or hung; then it is a failure of its cell."""
    address: str | None = None
    """``ray``: the cluster to join (``auto``, ``ray://host:port``); one on this machine when left out."""
    gpus: float = 1.0
    """``ray``: GPUs an actor holds; 0.25 lets four small classifiers share one."""

    def check(self) -> None:
        """Refuse what cannot be run.

        Raises:
            ConfigurationError: an unknown engine, a value out of range, or Ray asked for and not installed.
        """
        if self.name not in ENGINES:
            raise ConfigurationError(f"unknown engine {self.name!r}: {nearest_names(self.name, ENGINES)}")
        counts = [count for count in (self.workers, self.threads) if count is not None]
        if min(counts, default=1) < 1 or min(self.timeout, self.start_timeout) <= 0 or self.retries < 0:
            raise ConfigurationError(
                "engine.workers and engine.threads are at least 1, engine.timeout and engine.start_timeout above 0,"
                " engine.retries at least 0"
            )
        if self.gpus <= 0 or (self.gpus > 1 and self.gpus != int(self.gpus)):
            raise ConfigurationError(f"engine.gpus={self.gpus:g}: a fraction of a GPU, or a whole number of them")
        if self.name == "processes":
            _check_processes("engine.workers", self.workers)
        if self.name == "local" and self.workers is not None and self.workers > 1:
            raise ConfigurationError(f"engine=local is one process: engine=processes runs {self.workers}")
        if self.name != "ray" and self.address is not None:
            raise ConfigurationError(f"engine.address is for engine=ray, not engine={self.name}")
        if self.name == "ray" and importlib.util.find_spec("ray") is None:
            raise ConfigurationError("engine=ray needs Ray: pip install 'snowwolf[ray]'")


@dataclass
class TrackerConfig:
    """Where live figures go (``conf/tracker``)."""

    name: str = "none"
    """``none``, ``jsonl`` or ``wandb``."""
    folder: str = "outputs/tracking"
    """For the tracker's files."""
    project: str = "snowwolf"
    """W&B project."""
    entity: str | None = None
    """W&B user or team."""
    mode: str | None = None
    """W&B: ``online`` or ``offline`` (sent later by ``wandb sync``); ``WANDB_MODE``, else online, when left out."""
    group: str | None = None
    """Of the runs; the sweep's output folder when left out."""
    store: bool = True
    """Keep the results store as an artifact at the sweep's end, where it is a local folder."""


@dataclass
class Recipe:
    """How to train (``conf/recipe``). Without attack steps it is plain training; with them, adversarial training."""

    name: str = "fast_fgsm"
    """What the recipe is called."""
    steps: int = 1
    """Attack steps on every batch; 0 trains on the images as they are, 1 is fast FGSM, more is PGD."""
    epsilon: str = "8/255"
    """Radius of the Linf ball, in [0,1] pixel units or as a fraction."""
    step_size: float = 1.25
    """Size of an attack step as a share of epsilon."""
    epochs: int = 15
    """Passes over the images."""
    batch_size: int = 128
    """Images per step."""
    learning_rate: float = 0.2
    """Peak of the one-cycle schedule."""
    momentum: float = 0.9
    """Of stochastic gradient descent."""
    weight_decay: float = 5e-4
    """L2 penalty on every parameter."""
    crop_shift: float = 0.125
    """Zero padding of the random crop as a share of the side: 4 pixels of 32, 28 of 224."""
    flip: bool = True
    """Mirror every second image."""
    holdout: int = 250
    """Images kept out of training, class-balanced, on which every epoch is judged."""
    new_head: int | None = None
    """Logits of a fresh classification layer in place of the network's own."""

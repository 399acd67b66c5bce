"""From a data config to a dataset, and the checks that read no image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.data.categories import CATEGORY_NUMBERS
from bench.data.cifar10 import check_cifar10, load_cifar10
from bench.data.dataset import Dataset, balanced_subset
from bench.data.folder import check_folder, load_folder
from bench.data.label_spaces import LABEL_SPACES
from bench.data.readers import ReaderSource, check_reader, load_reader
from bench.data.samples import load_samples
from bench.errors import ConfigurationError, nearest_names


@dataclass
class DataConfig:
    """Which images to use (``conf/data``)."""

    name: str | None = None
    """What reports call the dataset; the last part of ``root`` when left out."""
    source: str = "folder"
    """``folder``, ``categories`` (16 folders named after the categories of Geirhos et al.), ``samples``,
    ``cue_conflict_samples``, ``cifar10``, or a timm reader: ``tar``, ``hfds``, ``wds``, ``tfds``."""
    root: str | None = None
    """Folder of class folders, tar file, or the reader's data folder."""
    dataset: str | None = None
    """Name of the dataset for ``hfds`` and ``tfds``."""
    split: str = "validation"
    """Split for ``hfds``, ``tfds`` and ``cifar10``; split or shard pattern (``val-{0000..0049}.tar``) for ``wds``."""
    class_map: str | None = None
    """CSV or JSON file: class folder -> logit column; ``cifar10`` is built in. Needless for wnid or index folders."""
    labels: str | None = None
    """``imagenet_a`` or ``imagenet_r`` to restrict decisions to those 200 classes."""
    limit: int | None = None
    """Images of a seeded, class-balanced subset."""
    limit_seed: int = 0
    """Which subset."""
    regions: str | None = None
    """Where the labelled objects are, for audits: ``samples``, a folder of bounding-box XML or of mask PNGs, or a
    COCO-style JSON file."""
    on_error: str = "refuse"
    """``refuse`` to start, or ``skip``, when a file does not decode."""


@dataclass(frozen=True)
class _Source:
    load: Callable[[DataConfig], Dataset]
    check: Callable[[DataConfig], None]
    label_space: str = "classes"
    """``classes``, or ``categories``: the 16 of Geirhos et al."""


def _reader_source(config: DataConfig) -> ReaderSource:
    return ReaderSource(config.source, config.root, config.dataset, config.split, config.class_map)


def _no_check(config: DataConfig) -> None:
    del config


def _check_categories(config: DataConfig) -> None:
    if config.class_map is not None:
        raise ConfigurationError(
            "data.class_map means nothing to data.source=categories: the benchmark's own class_map says which classes"
            " make up a category"
        )
    check_folder(config.root, None)


CUE_CONFLICT_SAMPLES = Path(__file__).parent / "cue_conflict_samples"
"""A small cue-conflict set made by ``task=stylize``; its recipe lies beside it."""

SOURCES: Mapping[str, _Source] = {
    "folder": _Source(
        lambda config: load_folder(_name(config), str(config.root), config.class_map),
        lambda config: check_folder(config.root, config.class_map),
    ),
    "cifar10": _Source(
        lambda config: load_cifar10(_name(config), str(config.root), config.split, config.class_map),
        lambda config: check_cifar10(config.root, config.split, config.class_map),
    ),
    "categories": _Source(
        lambda config: load_folder(_name(config), str(config.root), None, categories=CATEGORY_NUMBERS),
        _check_categories,
        "categories",
    ),
    "samples": _Source(lambda config: load_samples(_name(config)), _no_check),
    "cue_conflict_samples": _Source(
        lambda config: load_folder(_name(config), str(CUE_CONFLICT_SAMPLES), None, categories=CATEGORY_NUMBERS),
        _no_check,
        "categories",
    ),
    **{
        scheme: _Source(
            lambda config: load_reader(_name(config), _reader_source(config)),
            lambda config: check_reader(_reader_source(config)),
        )
        for scheme in ("tar", "hfds", "wds", "tfds")
    },
}


def check_data(config: DataConfig) -> None:
    """Refuse, before any work, images that cannot be there.

    Raises:
        ConfigurationError: unknown source or option, missing folder or file; the message names the nearest ones.
    """
    if config.source not in SOURCES:
        raise ConfigurationError(f"unknown data.source {config.source!r}: {nearest_names(config.source, SOURCES)}")
    if config.on_error not in ("refuse", "skip"):
        raise ConfigurationError(f"data.on_error is 'refuse' or 'skip', not {config.on_error!r}")
    if config.limit is not None and config.limit < 1:
        raise ConfigurationError(f"data.limit is at least 1, not {config.limit}")
    if config.labels is not None and config.labels not in LABEL_SPACES:
        raise ConfigurationError(f"unknown data.labels {config.labels!r}: {nearest_names(config.labels, LABEL_SPACES)}")
    SOURCES[config.source].check(config)


def label_space_of(config: DataConfig) -> str:
    """What the labels of ``config``'s images number: ``classes`` or ``categories``; the source is known."""
    return SOURCES[config.source].label_space


def load_dataset(config: DataConfig) -> Dataset:
    """List the images of ``config``; none is decoded.

    Raises:
        ConfigurationError: as ``check_data``, and for class folders whose class is unknown.
        DataError: no images, or one listed twice.
    """
    check_data(config)
    dataset = SOURCES[config.source].load(config)
    if config.labels is not None:
        dataset = replace(dataset, class_ids=LABEL_SPACES[config.labels]())
    if config.limit is not None and config.limit < len(dataset):
        positions = balanced_subset(dataset.labels, config.limit, seed=config.limit_seed)
        dataset = dataset.subset(positions, f"{config.limit}-{config.limit_seed}")
    return dataset


def _name(config: DataConfig) -> str:
    if config.name:
        return config.name
    return (config.dataset or str(config.root)).rstrip("/").rpartition("/")[2]

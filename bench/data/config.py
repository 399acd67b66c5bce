"""From a data config to a dataset, and the checks that read no image."""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.configs import DataConfig
from bench.data.categories import CATEGORY_SPACE
from bench.data.cifar10 import check_cifar10, cifar10_classes, load_cifar10
from bench.data.dataset import Dataset, balanced_subset
from bench.data.folder import check_folder, filled_class_folders, load_folder
from bench.data.label_spaces import LabelSpace, look_up_classes, own_label_space
from bench.data.matching import Declared, in_label_space, match_classes
from bench.data.readers import ReaderSource, check_reader, load_reader, reader_classes
from bench.data.samples import load_samples, sample_classes
from bench.errors import ConfigurationError, nearest_names


@dataclass(frozen=True)
class DataSource:
    """How the images of one ``data.source`` are listed and checked."""

    load: Callable[[DataConfig], Dataset]
    """Lists the images; none is decoded."""
    check: Callable[[DataConfig], None]
    """Refuses, before any work, what cannot be read."""
    label_kind: str = "classes"
    """``classes``, or ``categories``: the 16 of Geirhos et al."""
    classes: Callable[[DataConfig], tuple[LabelSpace, Sequence[str]] | None] = lambda _: None
    """Its classes and those that images have, where they are known without reading an image; None elsewhere."""


def _reader_source(config: DataConfig) -> ReaderSource:
    return ReaderSource(config.source, config.root, config.dataset, config.split)


def _no_check(config: DataConfig) -> None:
    del config


def _check_categories(config: DataConfig) -> None:
    for option in ("class_map", "label_space"):
        if getattr(config, option) is not None:
            raise ConfigurationError(
                f"data.{option} means nothing to data.source=categories: the benchmark's own class_map says which"
                " classes make up a category"
            )
    check_folder(config.root)


def _named(config: DataConfig, names: Sequence[str]) -> tuple[LabelSpace, Sequence[str]]:
    space = own_label_space(_where(config), names)
    return space, space.class_names


def _category_folders(config: DataConfig) -> tuple[LabelSpace, Sequence[str]]:
    names = filled_class_folders(str(config.root))
    look_up_classes(names, CATEGORY_SPACE.numbers, where=str(config.root), kind=str(CATEGORY_SPACE))
    return CATEGORY_SPACE, names


CUE_CONFLICT_SAMPLES = Path(__file__).parent / "cue_conflict_samples"
"""A small cue-conflict set made by ``task=stylize``; its recipe lies beside it."""

_BUILT_IN: Mapping[str, DataSource] = {
    "folder": DataSource(
        lambda config: load_folder(dataset_name(config), str(config.root)),
        lambda config: check_folder(config.root),
        classes=lambda config: _named(config, filled_class_folders(str(config.root))),
    ),
    "cifar10": DataSource(
        lambda config: load_cifar10(dataset_name(config), str(config.root), config.split),
        lambda config: check_cifar10(config.root, config.split),
        classes=lambda config: cifar10_classes(str(config.root)),
    ),
    "categories": DataSource(
        lambda config: load_folder(dataset_name(config), str(config.root), label_space=CATEGORY_SPACE),
        _check_categories,
        "categories",
        classes=_category_folders,
    ),
    "samples": DataSource(
        lambda config: load_samples(dataset_name(config)),
        _no_check,
        classes=lambda config: _named(config, sample_classes()),
    ),
    "cue_conflict_samples": DataSource(
        lambda config: load_folder(dataset_name(config), str(CUE_CONFLICT_SAMPLES), label_space=CATEGORY_SPACE),
        _no_check,
        "categories",
    ),
    **{
        scheme: DataSource(
            lambda config: load_reader(dataset_name(config), _reader_source(config)),
            lambda config: check_reader(_reader_source(config)),
            classes=lambda config: reader_classes(_reader_source(config)),
        )
        for scheme in ("tar", "hfds", "wds", "tfds")
    },
}

_PLUGGED: dict[str, DataSource] = {}
SOURCES: Mapping[str, DataSource] = ChainMap(_PLUGGED, dict(_BUILT_IN))
"""Every source by its name in ``data.source``, those of plug-ins too."""


def register_data_source(name: str, source: DataSource) -> None:
    """Make ``data.source=NAME`` known.

    Raises:
        ConfigurationError: another source has the name.
    """
    if name in _BUILT_IN or _PLUGGED.setdefault(name, source) is not source:
        raise ConfigurationError(f"two data sources are called {name!r}: rename one")


LOCAL_LISTS = ("folder", "categories", "samples", "cue_conflict_samples", "cifar10")
"""Sources whose images are counted at once: no network, no archive to read through."""


def check_data(config: DataConfig) -> None:
    """Refuse, before any work, images that cannot be there.

    Raises:
        ConfigurationError: unknown source or option, missing folder or file; the message names the nearest ones. A
            limit above the number of images, where they are counted at once.
        DataError: no images to count.
    """
    _check_options(config)
    if config.limit is not None and config.source in LOCAL_LISTS:
        _check_limit(config, len(SOURCES[config.source].load(config)))


def _check_options(config: DataConfig) -> None:
    if config.source not in SOURCES:
        raise ConfigurationError(f"unknown data.source {config.source!r}: {nearest_names(config.source, SOURCES)}")
    if config.on_error not in ("refuse", "skip"):
        raise ConfigurationError(f"data.on_error is 'refuse' or 'skip', not {config.on_error!r}")
    if config.limit is not None and config.limit < 1:
        raise ConfigurationError(f"data.limit is at least 1, not {config.limit}")
    SOURCES[config.source].check(config)
    _declared(config).check()


def _check_limit(config: DataConfig, n_images: int) -> None:
    """Refuse a subset that is larger than the data set: its figures would rest on fewer images than were asked for."""
    if config.limit is not None and config.limit > n_images:
        raise ConfigurationError(
            f"data.limit={config.limit} is more than the {n_images} images of {dataset_name(config)}:"
            f" give at most {n_images}, or leave data.limit out"
        )


def check_labels(config: DataConfig, classifier: LabelSpace) -> None:
    """Refuse, before any work, classes that do not fit a classifier's, as far as no image must be read to know them.

    Args:
        config: what ``check_data`` lets pass.
        classifier: the label space of the classifier.

    Raises:
        ConfigurationError: as ``load_dataset``.
        DataError: no class folders, or one without images.
    """
    source = SOURCES[config.source]
    own_classes = source.classes(config)
    if own_classes is not None and source.label_kind == "classes":
        match_classes(*own_classes, classifier, _declared(config))


def label_kind_of(config: DataConfig) -> str:
    """What the labels of ``config``'s images are: ``classes`` or ``categories``; the source is known."""
    return SOURCES[config.source].label_kind


def load_dataset(config: DataConfig, classifier: LabelSpace | None = None) -> Dataset:
    """List the images of ``config``; none is decoded.

    Args:
        config: which images.
        classifier: the label space of the classifier that will see them: labels become its logit columns. Without
            one, and for images of the 16 categories, labels number the images' own classes.

    Raises:
        ConfigurationError: as ``check_data``, whatever the source, and for classes that do not fit the classifier's.
        DataError: no images, or one listed twice.
    """
    _check_options(config)
    source = SOURCES[config.source]
    dataset = own = source.load(config)
    _check_limit(config, len(dataset))
    if classifier is not None and source.label_kind == "classes":
        dataset = in_label_space(own, classifier, _declared(config))
    if config.limit is not None and config.limit < len(dataset):
        # by the images' own classes: the subset is the same for every classifier, and for none
        positions = balanced_subset(own.labels, config.limit, seed=config.limit_seed)
        dataset = dataset.subset(positions, f"{config.limit}-{config.limit_seed}")
    return dataset


def _declared(config: DataConfig) -> Declared:
    return Declared(config.class_map, config.label_space)


def dataset_name(config: DataConfig) -> str:
    """What reports call the dataset."""
    return config.name or _where(config).rstrip("/").rpartition("/")[2]


def _where(config: DataConfig) -> str:
    return config.dataset or str(config.root or config.source)

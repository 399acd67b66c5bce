"""From a data config to a dataset, and the checks that read no image."""

from bench.configs import DataConfig
from bench.data.dataset import Dataset, balanced_subset
from bench.data.label_spaces import LabelSpace
from bench.data.matching import Declared, in_label_space, match_classes
from bench.data.source import dataset_name
from bench.data.sources import SOURCES
from bench.data.sources.detect import resolved
from bench.errors import ConfigurationError, nearest_names


def check_data(config: DataConfig) -> None:
    """Refuse, before any work, images that cannot be there.

    Raises:
        ConfigurationError: unknown source or option, missing folder or file; the message names the nearest ones. A
            limit above the number of images, where they are counted at once.
        DataError: no images to count.
    """
    config = resolved(config)
    _check_options(config)
    if config.limit is not None and SOURCES[config.source].counted_at_once:
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
    config = resolved(config)
    source = SOURCES[config.source]
    own_classes = source.classes(config)
    if own_classes is not None and source.label_kind == "classes":
        match_classes(*own_classes, classifier, _declared(config))


def label_kind_of(config: DataConfig) -> str:
    """What the labels of ``config``'s images are: ``classes`` or ``categories``; the source is known."""
    return SOURCES[resolved(config).source].label_kind


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
    config = resolved(config)
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

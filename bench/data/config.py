"""From a data config to a dataset, and the checks that read no image."""

from dataclasses import replace

import numpy as np

from bench.configs import DataConfig
from bench.data.class_groups import read_class_groups
from bench.data.dataset import Dataset, balanced_subset
from bench.data.label_spaces import LabelSpace
from bench.data.matching import Declared, classes_to_use, decided_among, in_label_space, match_classes
from bench.data.selection import images_of_classes, list_file, listed_images
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
    if SOURCES[config.source].counted_at_once and (config.limit is not None or config.list is not None):
        _check_limit(config, len(_selected(config)))


def _check_options(config: DataConfig) -> None:
    if config.source not in SOURCES:
        raise ConfigurationError(f"unknown data.source {config.source!r}: {nearest_names(config.source, SOURCES)}")
    if config.on_error not in ("refuse", "skip"):
        raise ConfigurationError(f"data.on_error is 'refuse' or 'skip', not {config.on_error!r}")
    if config.other_classes not in ("refuse", "leave_out"):
        raise ConfigurationError(f"data.other_classes is 'refuse' or 'leave_out', not {config.other_classes!r}")
    if config.limit is not None and config.limit < 1:
        raise ConfigurationError(f"data.limit is at least 1, not {config.limit}")
    if config.limit_seed < 0:
        raise ConfigurationError(f"data.limit_seed is at least 0, not {config.limit_seed}")
    SOURCES[config.source].check(config)
    _declared(config).check()
    if config.list is not None:
        list_file(config.list)


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
    if source.label_kind == "sets":
        decided_among(classifier, config.label_space)
    own_classes = source.classes(config)
    if own_classes is not None and source.label_kind == "classes":
        space, used = own_classes
        declared = _declared(config)
        match_classes(space, classes_to_use(space, used, declared), classifier, declared)


def label_kind_of(config: DataConfig) -> str:
    """What the labels of ``config``'s images are: ``classes``, ``categories`` or ``sets``; the source is known."""
    return SOURCES[resolved(config).source].label_kind


def load_dataset(config: DataConfig, classifier: LabelSpace | None = None) -> Dataset:
    """List the images of ``config``; none is decoded.

    Args:
        config: which images.
        classifier: the label space of the classifier that will see them: labels become its logit columns. Without
            one, and for images of the 16 categories, labels number the images' own classes. Images of no class keep
            the numbers of their sets as labels, and get the label space that decisions are made in.

    Raises:
        ConfigurationError: as ``check_data``, whatever the source, and for classes that do not fit the classifier's.
        DataError: no images, or one listed twice.
    """
    config = resolved(config)
    _check_options(config)
    own = _selected(config)
    _check_limit(config, len(own))
    if config.limit is not None and config.limit < len(own):
        # by the images' own classes: the subset is the same for every classifier, and for none
        positions = balanced_subset(own.labels, config.limit, seed=config.limit_seed)
        own = own.subset(positions, f"{config.limit}-{config.limit_seed}")
    declared = _declared(config)
    if declared.leave_out_others:
        own = _of_classes(own, declared)
    kind = SOURCES[config.source].label_kind
    if classifier is not None and kind == "sets":
        space, class_ids = decided_among(classifier, config.label_space)
        return replace(own, label_space=space, class_ids=class_ids)
    if classifier is None or kind != "classes":
        return own
    return in_label_space(own, classifier, declared)


def _selected(config: DataConfig) -> Dataset:
    """The images of a source that are on the list, if there is one, and in folders of the set's own classes.

    Folders beside its coarse classes are no part of a set, so that a limit does not count them. A subset of a label
    space is one of the images that a limit leaves: those of the clean set beside it, say.
    """
    dataset = SOURCES[config.source].load(config)
    if config.list is not None:
        dataset = listed_images(dataset, config.list)
    declared = _declared(config)
    return _of_classes(dataset, declared) if declared.leave_out_others and declared.groups is not None else dataset


def _of_classes(dataset: Dataset, declared: Declared) -> Dataset:
    """The images of classes that decisions are made among."""
    names = dataset.label_space.class_names
    used = [names[number] for number in np.unique(dataset.labels)]
    return images_of_classes(dataset, classes_to_use(dataset.label_space, used, declared))


def _declared(config: DataConfig) -> Declared:
    groups = None
    if config.class_groups is not None:
        groups = read_class_groups(config.class_groups, config.root, config.group_rule)
    elif config.group_rule is not None:
        raise ConfigurationError("data.group_rule is of data.class_groups: give both, or neither")
    return Declared(config.class_map, config.label_space, groups, config.other_classes == "leave_out")

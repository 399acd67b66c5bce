"""What a source of images is: how they are listed, what is refused before any work, and their own classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.configs import DataConfig
from bench.data.dataset import Dataset
from bench.data.label_spaces import LabelSpace, own_label_space

OwnClasses = tuple[LabelSpace, Sequence[str]]
"""The classes of some images, and the names of those that images have."""


def _unknown(config: DataConfig) -> OwnClasses | None:
    del config
    return None


@dataclass(frozen=True)
class DataSource:
    """How the images of one ``data.source`` are listed and checked."""

    load: Callable[[DataConfig], Dataset]
    """Lists the images; none is decoded."""
    check: Callable[[DataConfig], None]
    """Refuses, before any work, what cannot be read."""
    label_kind: str = "classes"
    """``classes``; ``categories``: the 16 of Geirhos et al.; ``sets``: which set an image of no class belongs to."""
    classes: Callable[[DataConfig], OwnClasses | None] = _unknown
    """Its classes and those that images have, where they are known without reading an image; None elsewhere."""
    counted_at_once: bool = False
    """Whether listing needs neither a network nor a look into every archive, so that it is done before any work."""


def where_of(config: DataConfig) -> str:
    """Where the images lie, for messages: the name of a hub's data set, the folder or file, or the source."""
    return config.dataset or str(config.root or config.source)


def dataset_name(config: DataConfig) -> str:
    """What reports call the dataset: ``data.name``, else the last part of where it lies."""
    return config.name or where_of(config).rstrip("/").rpartition("/")[2]


def named_classes(config: DataConfig, names: Sequence[str]) -> OwnClasses:
    """Classes that are known by their names alone."""
    space = own_label_space(where_of(config), names)
    return space, space.class_names


def listed_classes(load: Callable[[DataConfig], Dataset]) -> Callable[[DataConfig], OwnClasses | None]:
    """The classes of a source whose images are counted at once, from its list of images."""

    def classes(config: DataConfig) -> OwnClasses:
        dataset = load(config)
        names = dataset.label_space.class_names
        return dataset.label_space, [names[number] for number in sorted(set(dataset.labels.tolist()))]

    return classes

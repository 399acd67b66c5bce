"""From the classes of a set of images to a classifier's logit columns: by name, or by number where that is certain."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.data.dataset import Dataset
from bench.data.label_spaces import (
    KNOWN_SPACES,
    WHOLE_SPACES,
    LabelSpace,
    is_numbered,
    look_up_classes,
    read_class_map,
)
from bench.errors import ConfigurationError, nearest_names

MAP_HINT = "data.class_map=FILE (lines of name,column) says which logit columns they are"

COLUMNS = "columns"
"""``data.label_space``: the images' own class numbers are the classifier's logit columns."""


@dataclass(frozen=True)
class Declared:
    """What the data config says of the classes of its images; both may be left out."""

    class_map: str | None = None
    """File: class name -> class number of ``label_space``, or the logit column where that is left out."""
    label_space: str | None = None
    """A name of ``KNOWN_SPACES``, or ``columns``."""

    def check(self) -> None:
        """Refuse an unknown label space and a class map that cannot be read.

        Raises:
            ConfigurationError: with the nearest valid names.
        """
        if self.label_space is not None and self.label_space not in (*KNOWN_SPACES, COLUMNS):
            hint = nearest_names(self.label_space, [*KNOWN_SPACES, COLUMNS])
            raise ConfigurationError(f"unknown data.label_space {self.label_space!r}: {hint}")
        if self.class_map is not None:
            read_class_map(self.class_map)


@dataclass(frozen=True)
class Match:
    """How the classes of a set of images stand in a classifier's logits."""

    label_space: LabelSpace
    """What the labels number from now on."""
    columns: dict[str, int]
    """Class name -> logit column."""
    class_ids: tuple[int, ...] | None = None
    """Logit columns that decisions are restricted to; None for all."""


def in_label_space(dataset: Dataset, classifier: LabelSpace, declared: Declared) -> Dataset:
    """The images with their labels as logit columns of a classifier.

    Raises:
        ConfigurationError: the classes do not fit the classifier's, or may number other ones.
    """
    names = dataset.label_space.class_names
    used = np.unique(dataset.labels)
    match = match_classes(dataset.label_space, [names[number] for number in used], classifier, declared)
    columns = np.full(len(names), -1, dtype=np.int64)
    for number in used:
        columns[number] = match.columns[names[number]]
    return replace(dataset, labels=columns[dataset.labels], label_space=match.label_space, class_ids=match.class_ids)


def match_classes(images: LabelSpace, used: Sequence[str], classifier: LabelSpace, declared: Declared) -> Match:
    """The logit column of each class in ``used``.

    - With a known label space, names (or numbers) are looked up in it, and what it calls them in the classifier's.
    - With a class map alone, or ``label_space=columns``, the numbers given are logit columns.
    - Otherwise names are looked up in the classifier's label space, and numbers are its columns only where the images
      have as many as the classifier: fewer may well number the classes of something else.

    Args:
        images: the classes of the images; its name says where they lie.
        used: those of its class names that images have.
        classifier: its label space.
        declared: what the config says.

    Raises:
        ConfigurationError: they do not fit, or it is not certain that they do.
    """
    if declared.label_space not in (None, COLUMNS):
        return _by_known_space(images, used, classifier, declared)
    if declared != Declared():
        return Match(classifier, _numbers_in(classifier, images, used, declared))
    if is_numbered(images.class_names):
        _refuse_uncertain_numbers(images, classifier)
        return Match(classifier, {name: int(name) for name in used})
    if classifier.class_names:
        return Match(classifier, _look_up(used, classifier, images.name))
    for load in WHOLE_SPACES.values():
        space = load()
        if space.n_classes == classifier.n_classes and set(used) <= space.numbers.keys():
            return Match(space, {name: space.numbers[name] for name in used})
    raise ConfigurationError(
        f"the classifier has {classifier}, so {used[0]!r} of {images.name} cannot be found among them; {MAP_HINT}, or"
        " model.label_space=FILE (one class name per line) names them, or data.label_space=columns if they are the"
        " classes of these images in alphabetical order"
    )


def _by_known_space(images: LabelSpace, used: Sequence[str], classifier: LabelSpace, declared: Declared) -> Match:
    known = KNOWN_SPACES[str(declared.label_space)]
    space = known.load()
    numbers = _numbers_in(space, images, used, declared)
    result = classifier if classifier.class_names else space
    if known.subset is None:
        columns = _translate(list(numbers.values()), space, classifier, images)
        return Match(result, {name: columns[number] for name, number in numbers.items()})
    subset = known.subset()
    for name, number in numbers.items():
        if number not in subset:
            raise ConfigurationError(
                f"class {name!r} of {images.name} is none of the {len(subset)} classes of"
                f" data.label_space={declared.label_space}: leave its images out, or take data.label_space={space.name}"
            )
    columns = _translate(subset, space, classifier, images)
    return Match(
        replace(result, name=str(declared.label_space)),
        {name: columns[number] for name, number in numbers.items()},
        tuple(columns[number] for number in subset),
    )


def _numbers_in(space: LabelSpace, images: LabelSpace, used: Sequence[str], declared: Declared) -> dict[str, int]:
    """The number that each class has in ``space``, by class map, by its own number or by its name."""
    if declared.class_map is not None:
        known = read_class_map(declared.class_map)
        numbers = look_up_classes(used, known, where=images.name, kind=f"class map {declared.class_map}")
    elif is_numbered(images.class_names):
        numbers = {name: int(name) for name in used}
    elif declared.label_space == COLUMNS:
        numbers = {name: images.class_names.index(name) for name in used}
    else:
        numbers = look_up_classes(used, space.numbers, where=images.name, kind=str(space), hint=MAP_HINT)
    for name, number in numbers.items():
        if number >= space.n_classes:
            raise ConfigurationError(
                f"class {name!r} of {images.name} has the number {number}, but the numbers of {space} go from 0 to"
                f" {space.n_classes - 1}"
            )
    return numbers


def _translate(numbers: Sequence[int], space: LabelSpace, classifier: LabelSpace, images: LabelSpace) -> dict[int, int]:
    """Class number of ``space`` -> logit column."""
    if classifier.class_names:
        names = [space.class_names[number] for number in numbers]
        columns = _look_up(names, classifier, f"{images.name} ({space.name})")
        return {number: columns[name] for number, name in zip(numbers, names, strict=True)}
    if classifier.n_classes != space.n_classes:
        raise ConfigurationError(
            f"the images of {images.name} have labels of {space}, and the classifier has {classifier}; {MAP_HINT}"
        )
    return {number: number for number in numbers}


def _look_up(names: Sequence[str], classifier: LabelSpace, where: str) -> dict[str, int]:
    kind = f"the classifier's classes: it knows {classifier}"
    return look_up_classes(names, classifier.numbers, where=where, kind=kind, hint=MAP_HINT)


def _refuse_uncertain_numbers(images: LabelSpace, classifier: LabelSpace) -> None:
    numbers = {int(name) for name in images.class_names}
    if numbers == set(range(classifier.n_classes)):
        return
    wider = f"train one with model.num_classes={max(numbers) + 1}, or " if max(numbers) >= classifier.n_classes else ""
    raise ConfigurationError(
        f"{images.name} numbers its {len(numbers)} classes from {min(numbers)} to {max(numbers)}, and the classifier"
        f" has {classifier}: {wider}say what the numbers are with data.label_space=columns (its logit columns) or"
        f" data.label_space={' or '.join(WHOLE_SPACES)}, or with data.class_map=FILE"
    )

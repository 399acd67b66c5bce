"""Assign each class of a data set to a logit column of a classifier.

Classes are matched by name. A class number is used as a logit column only if the config says so, or if images and
classifier have the same number of classes; anything else is an error (docs/labels.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.data.class_groups import ClassGroups
from bench.data.dataset import Dataset, DecisionGroups
from bench.data.label_spaces import (
    KNOWN_SPACES,
    WHOLE_SPACES,
    LabelSpace,
    imagenet,
    is_numbered,
    look_up_classes,
    read_class_map,
)
from bench.errors import ConfigurationError, nearest_names

MAP_HINT = "data.class_map=FILE (lines of name,column) says which logit columns they are"
"""Ends the messages about class names that could not be matched."""

COLUMNS = "columns"
"""Value of ``data.label_space`` that says: the images' own class numbers are the classifier's logit columns."""


@dataclass(frozen=True)
class Declared:
    """What the config says about the classes of the images; None where it does not."""

    class_map: str | None = None
    """Path of a file that maps class names to class numbers of ``label_space``, or to logit columns if that is None."""
    label_space: str | None = None
    """A name in ``KNOWN_SPACES``, or ``columns``: what class names or numbers of the images refer to."""
    groups: ClassGroups | None = None
    """Coarse classes that the images are labelled with."""
    leave_out_others: bool = False
    """Whether images of classes that are none of ``groups`` or of a subset label space are left out, not refused."""

    def check(self) -> None:
        """Refuse an unknown label space and a class map that cannot be read.

        Raises:
            ConfigurationError: an unknown label space, with the nearest valid names; a bad class map; or settings that
                contradict each other.
        """
        if self.groups is not None and (self.class_map is not None or self.label_space is not None):
            raise ConfigurationError("data.class_groups says what the classes are: leave out class_map and label_space")
        if self.label_space is not None and self.label_space not in (*KNOWN_SPACES, COLUMNS):
            hint = nearest_names(self.label_space, [*KNOWN_SPACES, COLUMNS])
            raise ConfigurationError(f"unknown data.label_space {self.label_space!r}: {hint}")
        if self.class_map is not None:
            read_class_map(self.class_map)


@dataclass(frozen=True)
class Match:
    """The logit columns of the classes of a data set."""

    label_space: LabelSpace
    """What labels mean once they are logit columns: the classifier's label space, named as well as is known."""
    columns: dict[str, int]
    """Class name of the images -> logit column."""
    class_ids: tuple[int, ...] | None = None
    """The logit columns that predictions are restricted to; None for no restriction."""
    groups: DecisionGroups | None = None
    """Coarse classes that predictions are made among; ``columns`` are then their numbers."""


def in_label_space(dataset: Dataset, classifier: LabelSpace, declared: Declared) -> Dataset:
    """``dataset`` with its labels, ``(N,)`` int64, converted to logit columns of a classifier.

    Args:
        dataset: labelled with its own class numbers.
        classifier: the classifier's label space.
        declared: what the config says about the classes.

    Raises:
        ConfigurationError: as for ``match_classes``.
    """
    names = dataset.label_space.class_names
    accepted = () if dataset.accepted is None else [number for numbers in dataset.accepted for number in numbers]
    used_numbers = np.unique([*dataset.labels.tolist(), *accepted])
    match = match_classes(dataset.label_space, [names[number] for number in used_numbers], classifier, declared)
    if dataset.accepted is not None and (match.class_ids is not None or match.groups is not None):
        raise ConfigurationError(
            f"the images of {dataset.name} have several right classes each: decisions are made among all classes then,"
            " without a subset label space or class groups"
        )
    columns = np.full(len(names), -1, dtype=np.int64)  # -1: a class without images, which no label refers to
    for number in used_numbers:
        columns[number] = match.columns[names[number]]
    return replace(
        dataset,
        labels=columns[dataset.labels],
        label_space=match.label_space,
        class_ids=match.class_ids,
        groups=match.groups,
        accepted=None
        if dataset.accepted is None
        else tuple(tuple(columns[list(n)].tolist()) for n in dataset.accepted),
    )


def classes_to_use(images: LabelSpace, used: Sequence[str], declared: Declared) -> list[str]:
    """Those of the classes in ``used`` whose images are kept: all, unless images of other classes are left out.

    Args:
        images: the label space of the images.
        used: the class names that at least one image has.
        declared: what the config says about the classes.

    Raises:
        ConfigurationError: images of other classes are to be left out, and nothing says which classes are meant.
    """
    if not declared.leave_out_others:
        return list(used)
    if declared.groups is not None:
        return [name for name in used if declared.groups.number_of(name) is not None]
    known = KNOWN_SPACES.get(str(declared.label_space))
    if known is None:
        raise ConfigurationError(
            "data.other_classes=leave_out needs data.class_groups or a data.label_space, which says what is kept"
        )
    space = known.load()
    kept = set(range(space.n_classes)) if known.subset is None else set(known.subset())
    numbers = read_class_map(declared.class_map) if declared.class_map is not None else space.numbers
    by_number = is_numbered(images.class_names) and declared.class_map is None
    return [name for name in used if (int(name) if by_number else numbers.get(name, -1)) in kept]


def match_classes(images: LabelSpace, used: Sequence[str], classifier: LabelSpace, declared: Declared) -> Match:
    """Find the logit column of each class in ``used``.

    - If coarse classes are declared, each class is one of them, and their members are looked up by name in the
      classifier's label space.
    - If a known label space is declared (``imagenet``, ...), each class is found in that space, by name or by number,
      and its name there is looked up in the classifier's label space.
    - If only a class map or ``label_space=columns`` is declared, the numbers in the class map, else the images' own
      class numbers are logit columns (for class names: their positions in alphabetical order).
    - If nothing is declared, names are looked up in the classifier's label space. Numbers are taken as logit columns
      only if they are 0 to K-1 for a classifier of K classes, since other numbers may refer to a different label space.

    Args:
        images: the label space of the images; its ``name`` is their location, for messages.
        used: the class names that at least one image has, in the order of ``images``.
        classifier: the label space of the classifier.
        declared: what the config says about the classes.

    Raises:
        ConfigurationError: a class has no logit column, or it is uncertain which one it has.
    """
    if declared.groups is not None:
        return _match_by_groups(images, used, classifier, declared.groups)
    if declared.label_space not in (None, COLUMNS):
        return _match_by_known_space(images, used, classifier, declared)
    if declared.label_space == COLUMNS or declared.class_map is not None:
        return Match(classifier, _numbers_in(classifier, images, used, declared))
    if is_numbered(images.class_names):
        _refuse_uncertain_numbers(images, classifier)
        return Match(classifier, {name: int(name) for name in used})
    if classifier.class_names:
        return Match(classifier, _look_up(used, classifier, images.name))
    for load in WHOLE_SPACES.values():  # the classifier's class names are not known: try the label spaces of its size
        space = load()
        if space.n_classes == classifier.n_classes and set(used) <= space.numbers.keys():
            return Match(space, {name: space.numbers[name] for name in used})
    raise ConfigurationError(
        f"the classifier has {classifier}, so class {used[0]!r} of {images.name} cannot be matched; {MAP_HINT},"
        " or model.label_space=FILE (one class name per line) names the classifier's classes, or"
        " data.label_space=columns if the logit columns are the classes of these images in alphabetical order"
    )


def decided_among(classifier: LabelSpace, subset: str | None) -> tuple[LabelSpace, tuple[int, ...] | None]:
    """The label space in which images of no class are decided on, and the logit columns of its classes.

    Args:
        classifier: the label space of the classifier.
        subset: a subset of ``KNOWN_SPACES``, such as ``imagenet_o``; None for all classes of the classifier.

    Returns:
        The columns are None for all.

    Raises:
        ConfigurationError: no such subset, or a class of it that the classifier does not have.
    """
    if subset is None:
        return classifier, None
    known = KNOWN_SPACES.get(subset)
    if known is None or known.subset is None:
        subsets = [name for name, space in KNOWN_SPACES.items() if space.subset is not None]
        hint = nearest_names(subset, subsets)
        raise ConfigurationError(f"data.label_space={subset} of images without classes is no subset of classes: {hint}")
    space = known.load()
    named = classifier if classifier.class_names else space
    columns = _columns_of_numbers(known.subset(), space, classifier, LabelSpace(subset, 0))
    return replace(named, name=subset), tuple(columns[number] for number in known.subset())


def _match_by_groups(images: LabelSpace, used: Sequence[str], classifier: LabelSpace, groups: ClassGroups) -> Match:
    """``match_classes`` for coarse classes, whose numbers the labels become."""
    numbers = {}
    for name in used:
        number = groups.number_of(name)
        if number is None:
            raise ConfigurationError(
                f"class {name!r} of {images.name} is none of the {groups.space.n_classes} classes of"
                f" data.class_groups={groups.space.name}; {nearest_names(name, groups.space.class_names)} Leave such"
                " images out with data.other_classes=leave_out"
            )
        numbers[name] = number
    members = [member for group in groups.members for member in group]
    columns = _columns_of_numbers(members, imagenet(), classifier, images)
    own = tuple(tuple(columns[member] for member in group) for group in groups.members)
    return Match(groups.space, numbers, groups=DecisionGroups(own, groups.rule))


def _match_by_known_space(images: LabelSpace, used: Sequence[str], classifier: LabelSpace, declared: Declared) -> Match:
    """``match_classes`` for a label space of ``KNOWN_SPACES``, which may be a subset such as ``imagenet_a``."""
    known = KNOWN_SPACES[str(declared.label_space)]
    space = known.load()
    numbers = _numbers_in(space, images, used, declared)
    named = classifier if classifier.class_names else space
    if known.subset is None:
        columns = _columns_of_numbers(list(numbers.values()), space, classifier, images)
        return Match(named, {name: columns[number] for name, number in numbers.items()})
    subset = known.subset()
    for name, number in numbers.items():
        if number not in subset:
            raise ConfigurationError(
                f"class {name!r} of {images.name} is none of the {len(subset)} classes of"
                f" data.label_space={declared.label_space}: leave its images out with data.other_classes=leave_out, or"
                f" set data.label_space={space.name}"
            )
    columns = _columns_of_numbers(subset, space, classifier, images)
    return Match(
        replace(named, name=str(declared.label_space)),
        {name: columns[number] for name, number in numbers.items()},
        tuple(columns[number] for number in subset),
    )


def _numbers_in(space: LabelSpace, images: LabelSpace, used: Sequence[str], declared: Declared) -> dict[str, int]:
    """Class name of the images -> its number in ``space``: from the class map, else its own number, else by name.

    With ``label_space=columns``, names get their positions in alphabetical order.

    Raises:
        ConfigurationError: a class that is not in the class map or in ``space``.
    """
    if declared.class_map is not None:
        class_map = read_class_map(declared.class_map)
        numbers = look_up_classes(used, class_map, where=images.name, kind=f"class map {declared.class_map}")
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


def _columns_of_numbers(
    numbers: Sequence[int], space: LabelSpace, classifier: LabelSpace, images: LabelSpace
) -> dict[int, int]:
    """Class number in ``space`` -> logit column, by class name; the same number if the classifier has no names.

    Raises:
        ConfigurationError: a class that the classifier does not have, or a classifier of unnamed classes that has more
            or fewer of them than ``space``.
    """
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
    """Class name -> logit column, by the classifier's class names; ``where`` is their origin, for messages."""
    kind = f"the classifier's classes: it has {classifier}"
    return look_up_classes(names, classifier.numbers, where=where, kind=kind, hint=MAP_HINT)


def _refuse_uncertain_numbers(images: LabelSpace, classifier: LabelSpace) -> None:
    """Raise ConfigurationError unless the images' class numbers are the classifier's logit columns, 0 to K-1."""
    numbers = {int(name) for name in images.class_names}
    if numbers == set(range(classifier.n_classes)):
        return
    advice = f"train one with model.num_classes={max(numbers) + 1}, or " if max(numbers) >= classifier.n_classes else ""
    raise ConfigurationError(
        f"{images.name} numbers its {len(numbers)} classes from {min(numbers)} to {max(numbers)}, and the classifier"
        f" has {classifier}: {advice}say what the numbers are with data.label_space=columns (its logit columns) or"
        f" data.label_space={' or '.join(WHOLE_SPACES)}, or with data.class_map=FILE"
    )

"""Which class a number means: the label spaces that are known by name, and files that give one."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib.resources import files
from pathlib import Path

from timm.data import ImageNetInfo, infer_imagenet_subset

from bench.errors import ConfigurationError, nearest_names

SHOWN = 3
"""Class names that messages show as examples."""


@dataclass(frozen=True)
class LabelSpace:
    """Numbered classes: a classifier's logit columns, or the classes that a set of images is labelled with.

    Raises:
        ConfigurationError: two classes of one name, or names for another number of classes.
    """

    name: str
    """``imagenet``, ``cifar10``, where the images lie, ...; ``10 classes`` where nothing says which they are."""
    n_classes: int
    """How many."""
    class_names: tuple[str, ...] = ()
    """By number: wnids for ImageNet. Empty where they are not known."""
    titles: tuple[str, ...] = ()
    """By number, where class names are codes: what people call the class."""

    def __post_init__(self) -> None:
        if self.class_names and len(self.class_names) != self.n_classes:
            raise ConfigurationError(f"{self.name} has {self.n_classes} classes and {len(self.class_names)} names")
        twice = [name for name, count in Counter(self.class_names).items() if count > 1]
        if twice:
            raise ConfigurationError(f"{self.name} has two classes called {twice[0]!r}")

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each class name, and of each title that one class alone has; empty where none are known."""
        counts = Counter(self.titles)
        titles = {title: number for number, title in enumerate(self.titles) if counts[title] == 1}
        return {**titles, **{name: number for number, name in enumerate(self.class_names)}}

    def is_numbered_like(self, other: "LabelSpace") -> bool:
        """Whether a class number means the same in both, as far as class names are known."""
        if self.class_names and other.class_names:
            return self.class_names == other.class_names
        return self.n_classes == other.n_classes

    @property
    def readable_names(self) -> tuple[str, ...]:
        """By number: titles, else class names, else the numbers."""
        return self.titles or self.class_names or tuple(str(number) for number in range(self.n_classes))

    def __str__(self) -> str:
        if not self.class_names:
            return f"{self.n_classes:,} classes whose names are not known"
        shown = ", ".join(self.class_names[:SHOWN]) + (", ..." if self.n_classes > SHOWN else "")
        return f"{self.name} ({self.n_classes:,} classes: {shown})"


def unnamed_classes(n_classes: int) -> LabelSpace:
    """The label space of a classifier of which only the number of logits is known."""
    return LabelSpace(f"{n_classes} classes", n_classes)


def own_label_space(where: str, names: Iterable[str]) -> LabelSpace:
    """The classes of images that lie at ``where``: by name in alphabetical order, or by number where all are numbers.

    Raises:
        ConfigurationError: two names for one number, such as ``1`` and ``01``.
    """
    names_in_order = sorted(set(names))
    if is_numbered(names_in_order):
        names_in_order.sort(key=int)
        if len({int(name) for name in names_in_order}) != len(names_in_order):
            raise ConfigurationError(f"{where} has two folders for one class index, such as '1' and '01'")
    return LabelSpace(where, len(names_in_order), tuple(names_in_order))


def is_numbered(names: Sequence[str]) -> bool:
    """Whether every class is named by a number."""
    return all(name.isdecimal() for name in names)


@cache
def imagenet() -> LabelSpace:
    """ImageNet-1k: wnids and WordNet lemmas, in the usual order (timm's list)."""
    return _imagenet_of("imagenet", "imagenet-1k")


def imagenet_with(n_classes: int) -> LabelSpace | None:
    """The ImageNet variant (1k, 12k, 21k, 22k) with that many classes, by which timm knows it; None for others."""
    subset = infer_imagenet_subset({"num_classes": n_classes})
    if subset is None:
        return None
    return imagenet() if subset == "imagenet-1k" else _imagenet_of(subset, subset)


@cache
def _imagenet_of(name: str, subset: str) -> LabelSpace:
    info = ImageNetInfo(subset)
    return LabelSpace(name, info.num_classes(), tuple(info.label_names()), tuple(info.label_descriptions()))


CIFAR10 = LabelSpace(
    "cifar10", 10, ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
)
"""In the order of the published batches (Krizhevsky 2009)."""

CIFAR100 = LabelSpace("cifar100", 100, tuple((files("bench.data") / "cifar100_classes.txt").read_text().split()))
"""The fine classes, in alphabetical order as published (Krizhevsky 2009)."""


def _subset(name: str) -> tuple[int, ...]:
    return tuple(int(line) for line in (files("timm.data") / "_info" / f"{name}_indices.txt").read_text().split())


def _imagenet_o() -> tuple[int, ...]:
    return tuple(int(line) for line in (files("bench.data") / "imagenet_o_indices.txt").read_text().split())


@dataclass(frozen=True)
class KnownSpace:
    """A label space that can be asked for by name."""

    load: Callable[[], LabelSpace]
    """Its classes."""
    subset: Callable[[], tuple[int, ...]] | None = None
    """The class numbers that decisions are restricted to; None for all."""


KNOWN_SPACES: Mapping[str, KnownSpace] = {
    "imagenet": KnownSpace(imagenet),
    "imagenet_a": KnownSpace(imagenet, partial(_subset, "imagenet_a")),
    "imagenet_r": KnownSpace(imagenet, partial(_subset, "imagenet_r")),
    "imagenet_o": KnownSpace(imagenet, _imagenet_o),
    "cifar10": KnownSpace(lambda: CIFAR10),
    "cifar100": KnownSpace(lambda: CIFAR100),
}
"""Name -> label space; the 200-class subsets (Hendrycks et al. 2021) of ImageNet-A and -R are from timm's index files,
that of ImageNet-O is as hendrycks/natural-adv-examples lists it."""

WHOLE_SPACES: Mapping[str, Callable[[], LabelSpace]] = {
    name: known.load for name, known in KNOWN_SPACES.items() if known.subset is None
}
"""Those that are no subset: what a classifier's logits may be."""


def read_label_space(name: str) -> LabelSpace:
    """A classifier's label space: one of ``WHOLE_SPACES``, or a text file of one class name per line.

    Raises:
        ConfigurationError: neither, or a file that names a class twice.
    """
    if name in WHOLE_SPACES:
        return WHOLE_SPACES[name]()
    path = Path(name)
    if not path.is_file():
        hint = nearest_names(name, WHOLE_SPACES)
        raise ConfigurationError(f"model.label_space={name} is no file of class names, nor a known label space; {hint}")
    names = tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
    return known_as(LabelSpace(path.stem, len(names), names))


def known_as(space: LabelSpace) -> LabelSpace:
    """The label space of ``WHOLE_SPACES`` that has the very class names of ``space`` in its order, else ``space``."""
    return next((load() for load in WHOLE_SPACES.values() if load().class_names == space.class_names), space)


def column_names(space: LabelSpace, class_map: str | None) -> list[str]:
    """What to call each logit column: by its class's name, by a class map where nothing else names it, or by number."""
    if class_map is None or space.class_names:
        return list(space.readable_names)
    by_column = {column: name for name, column in read_class_map(class_map).items()}
    return [by_column.get(column, str(column)) for column in range(space.n_classes)]


def look_up_classes(
    names: Sequence[str], known: Mapping[str, int], *, where: str, kind: str, hint: str | None = None
) -> dict[str, int]:
    """The number of each class name in ``known``, which messages call ``kind``.

    Raises:
        ConfigurationError: a name that is not there, with ``hint`` or the nearest names.
    """
    for name in names:
        if name not in known:
            advice = nearest_names(name, known) if hint is None else hint
            raise ConfigurationError(f"class {name!r} of {where} is not among {kind}; {advice}")
    return {name: known[name] for name in names}


def read_class_map(class_map: str) -> dict[str, int]:
    """Class name -> class number, from a CSV file (``name,number``; a header is optional) or a JSON object.

    Raises:
        ConfigurationError: missing or malformed file, a name listed twice, or a number that is no whole number from 0.
    """
    path = Path(class_map)
    if not path.is_file():
        siblings = [file.name for file in path.parent.glob("*") if file.suffix in (".csv", ".json")]
        raise ConfigurationError(f"no class map at {path}; {nearest_names(path.name, siblings)}".removesuffix("; "))
    try:
        pairs = [(name, read_column(column)) for name, column in read_pairs(path)]
    except ValueError as error:
        raise ConfigurationError(f"class map {path} is not lines of name,column nor a JSON object: {error}") from error
    refuse_repeated_names(path, [name for name, _ in pairs])
    return dict(pairs)


def refuse_repeated_names(path: Path, names: Sequence[str]) -> None:
    """Refuse a class map at ``path`` that lists one of ``names`` more than once.

    Raises:
        ConfigurationError: naming it.
    """
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise ConfigurationError(f"class map {path} lists {name!r} {count} times: each name has one number")


def read_pairs(path: Path) -> list[tuple[str, object]]:
    """The pairs of a JSON object, repeated names included, or of the lines of a CSV file.

    Raises:
        ValueError: the file is neither.
    """
    if path.suffix == ".json":
        pairs = json.loads(path.read_text(), object_pairs_hook=list)
        if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
            raise ValueError("its outermost value is no object")
        return pairs
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    separator = max(",;\t", key=lines[0].count) if lines else ","
    pairs = [(name.strip(), column) for name, column in csv.reader(lines, delimiter=separator)]
    return pairs[1:] if pairs and _is_header(pairs[0]) else pairs


def _is_header(pair: tuple[str, str]) -> bool:
    """Whether the first line names its columns: its second cell is a word, and no value that is no class number."""
    word = pair[1].strip().lower()
    return word.replace(" ", "_").isidentifier() and word not in ("true", "false", "nan", "none", "null")


def read_column(value: object) -> int:
    """A class number of a class map: a JSON integer, or decimal digits.

    Raises:
        ValueError: anything else, such as ``1.7``, ``true`` or ``-1``.
    """
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"{json.dumps(value) if not isinstance(value, str) else repr(value)} is no class number")

"""Coarse classes, each made of some of ImageNet's: of ObjectNet, ImageNet-9, ImageNet-D, LAION-C, or of a file."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from bench.data.label_spaces import LabelSpace, imagenet
from bench.errors import ConfigurationError, nearest_names

RULES: Mapping[str, str] = {
    "argmax": "the class of the largest logit of all, then its group, or none",
    "max": "the largest logit of the groups' members",
    "mean": "the largest mean probability of a group's members",
}
"""How a coarse class is decided on."""
PACKAGED = "class_groups.json"
"""ImageNet class numbers of LAION-C's superclasses (FanfeiLi/LAION-C, category_mapping.json) and of ImageNet-D's
categories (chenshuang-zhang/imagenet_d, imgnet_d2imgnet_id.txt)."""
IMAGENET_9 = (
    "dog",
    "bird",
    "wheeled vehicle",
    "reptile",
    "carnivore",
    "insect",
    "musical instrument",
    "primate",
    "fish",
)
"""In the order of their numbers (MadryLab/backgrounds_challenge)."""
IMAGENET_9_FILE = "in_to_in9.json"
OBJECTNET_FOLDER = "mappings"
PARENTS = 3
"""Folders above the images in which published mapping files are looked for."""


@dataclass(frozen=True)
class ClassGroups:
    """Coarse classes, each made of some classes of ImageNet.

    Raises:
        ConfigurationError: an unknown rule, an empty group, a class number that ImageNet does not have, or a class in
            two groups where the rule needs it in one.
    """

    space: LabelSpace
    """The coarse classes, by the names of their folders."""
    members: tuple[tuple[int, ...], ...]
    """By coarse class: ImageNet's class numbers."""
    rule: str
    """One of ``RULES``."""

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ConfigurationError(f"unknown data.group_rule {self.rule!r}: {nearest_names(self.rule, RULES)}")
        for name, members in zip(self.space.class_names, self.members, strict=True):
            wrong = [member for member in members if not 0 <= member < imagenet().n_classes]
            if not members or wrong:
                problem = f"the class number {wrong[0]}, which ImageNet does not have" if wrong else "no class"
                raise ConfigurationError(f"{self.space.name}: the group {name!r} has {problem}")
        counts = Counter(member for members in self.members for member in members)
        twice = [member for member, count in counts.items() if count > 1]
        if twice and self.rule != "mean":
            raise ConfigurationError(
                f"{self.space.name}: the class {twice[0]} is in two groups, and the rule {self.rule} needs it in one"
            )

    def number_of(self, folder: str) -> int | None:
        """The coarse class of a folder: by its name, or by a number before it (``00_dog``); None for others."""
        if folder in self.space.numbers:
            return self.space.numbers[folder]
        number = re.match(r"(\d+)_", folder)
        return int(number[1]) if number and int(number[1]) < self.space.n_classes else None


def read_class_groups(name: str, root: str | None, rule: str | None) -> ClassGroups:
    """The coarse classes that ``data.class_groups`` names.

    Args:
        name: one of ``KNOWN_GROUPS``, or a JSON file.
        root: where the images lie, near which published mapping files are looked for.
        rule: one of ``RULES``; the published one, or ``argmax`` of a file, when left out.

    Raises:
        ConfigurationError: neither, a mapping file that is missing or malformed, or as ``ClassGroups``.
    """
    if name in KNOWN_GROUPS:
        return KNOWN_GROUPS[name](root, rule)
    path = Path(name)
    if not path.is_file():
        hint = nearest_names(name, KNOWN_GROUPS)
        raise ConfigurationError(f"data.class_groups={name} is no JSON file, nor a known set of groups: {hint}")
    return _of_file(path, path.stem, rule or "argmax")


def _laion_c(_: str | None, rule: str | None) -> ClassGroups:
    return _packaged("laion_c", rule or "mean")


def _imagenet_d(_: str | None, rule: str | None) -> ClassGroups:
    return _packaged("imagenet_d", rule or "argmax")


def _packaged(name: str, rule: str) -> ClassGroups:
    return _named(name, json.loads((files("bench.data") / PACKAGED).read_text())[name], rule)


def _imagenet_9(root: str | None, rule: str | None) -> ClassGroups:
    path = _near(root, IMAGENET_9_FILE)
    if path is None:
        raise ConfigurationError(
            f"data.class_groups=imagenet_9 needs {IMAGENET_9_FILE} of MadryLab/backgrounds_challenge: put it beside the"
            f" images, in {root} or a folder above"
        )
    return _of_file(path, "imagenet_9", rule or "argmax")


def _objectnet(root: str | None, rule: str | None) -> ClassGroups:
    folder = _near(root, OBJECTNET_FOLDER)
    if folder is None:
        raise ConfigurationError(
            f"data.class_groups=objectnet needs the folder {OBJECTNET_FOLDER} that comes with ObjectNet, beside or"
            f" above {root}"
        )
    try:
        folders = {label: name for name, label in _read(folder / "folder_to_objectnet_label.json").items()}
        titles = _read(folder / "objectnet_to_imagenet_1k.json")
        lines = (folder / "imagenet_to_label_2012_v2").read_text().splitlines()
        numbers = _read(folder / "pytorch_to_imagenet_2012_id.json")
        of_line = {int(line): int(column) for column, line in numbers.items()}
        columns = {title.strip(): of_line[line] for line, title in enumerate(lines)}
        groups = {
            folders[label]: [columns[title.strip()] for title in listed.split(";")] for label, listed in titles.items()
        }
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ConfigurationError(f"cannot read ObjectNet's mapping files in {folder}: {error!r}") from error
    return _named("objectnet", groups, rule or "max")


def _near(root: str | None, name: str) -> Path | None:
    """A published file or folder beside the images, or in a folder above."""
    if root is None:
        return None
    start = Path(root).absolute()
    return next((place / name for place in [start, *start.parents[:PARENTS]] if (place / name).exists()), None)


def _of_file(path: Path, name: str, rule: str) -> ClassGroups:
    """Groups of a JSON object: group -> its classes, or class number -> number of its group, below 0 for none.

    Raises:
        ConfigurationError: neither.
    """
    try:
        content = _read(path)
        if all(isinstance(value, int) for value in content.values()):
            return _by_class(name, {int(number): int(group) for number, group in content.items()}, rule)
        return _named(name, {group: [_number(item) for item in classes] for group, classes in content.items()}, rule)
    except ConfigurationError:
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f"{path} is no JSON object of group: [classes], nor of class number: group number: {error}"
        ) from error


def _number(item: Any) -> int:
    """A class number, or that of a wnid."""
    if isinstance(item, str) and item in imagenet().numbers:
        return imagenet().numbers[item]
    if isinstance(item, int) and not isinstance(item, bool):
        return item
    raise ValueError(f"{item!r} is neither a class number nor a wnid of ImageNet")


def _by_class(name: str, group_of: Mapping[int, int], rule: str) -> ClassGroups:
    n_groups = max(group_of.values(), default=-1) + 1
    members = [tuple(sorted(n for n, group in group_of.items() if group == place)) for place in range(n_groups)]
    names = IMAGENET_9 if n_groups == len(IMAGENET_9) else tuple(str(place) for place in range(n_groups))
    return ClassGroups(LabelSpace(name, n_groups, tuple(names)), tuple(members), rule)


def _named(name: str, groups: Mapping[str, Sequence[int]], rule: str) -> ClassGroups:
    names = sorted(groups)
    return ClassGroups(
        LabelSpace(name, len(names), tuple(names)), tuple(tuple(sorted(set(groups[group]))) for group in names), rule
    )


def _read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text())
    if not isinstance(content, dict):
        raise ValueError(f"the outermost value of {path} is no object")
    return content


KNOWN_GROUPS: Mapping[str, Callable[[str | None, str | None], ClassGroups]] = {
    "objectnet": _objectnet,
    "imagenet_9": _imagenet_9,
    "imagenet_d": _imagenet_d,
    "laion_c": _laion_c,
}
"""Name -> coarse classes, from where the images lie and the rule that is asked for."""

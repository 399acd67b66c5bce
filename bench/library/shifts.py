"""Published image sets below one folder: which of a suite's sets are there, by the names of their folders."""

import copy
import importlib.util
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict

from bench.errors import ConfigurationError

logger = logging.getLogger(__name__)
DEPTH = 3
"""Folders below the root that are looked into."""
MOST_FOLDERS = 100
"""A folder with more folders in it holds classes, and is not looked into."""


@dataclass(frozen=True)
class FoundSets:
    """The entries of a suite whose sets are there."""

    entries: Mapping[str, DictConfig]
    """Entry -> its node, with the folder of its images filled in."""
    places: Mapping[str, Path]
    """Entry -> the folder that was found."""
    absent: Sequence[str]
    """Entries that are left out: their set or package is not there."""

    @property
    def sentence(self) -> str:
        """What was found and what was not, in one line; empty where nothing was looked for."""
        if not self.places and not self.absent:
            return ""
        found = ", ".join(f"{name} ({place})" for name, place in self.places.items()) or "none"
        return f"image sets found: {found}; not found: {', '.join(self.absent) or 'none'}"


def find_sets(entries: Mapping[str, DictConfig], root: str | None) -> FoundSets:
    """The entries that can be run with what lies below ``root``.

    An entry says in ``needs`` what it looks for: ``folders`` (names of its published set), a ``package``, or the entry
    that it stands ``beside``. Entries whose images are given already are kept as they are.

    Args:
        entries: of a suite, as composed from its yaml.
        root: the folder of the sets; None where none is given.

    Raises:
        ConfigurationError: a root that is no folder, none where one is needed, or no set below it.
    """
    if root is not None and not Path(root).is_dir():
        raise ConfigurationError(f"no folder at shifts.root={root}")
    found: dict[str, DictConfig] = {}
    places: dict[str, Path] = {}
    absent: list[str] = []
    looked_for: list[str] = []
    for name, node in entries.items():
        needs = node.get("needs") or OmegaConf.create()
        if "package" in needs and importlib.util.find_spec(str(needs.package)) is None:
            absent.append(name)
        elif "folders" in needs and not _is_given(node):
            looked_for += map(str, needs.folders)
            place = None if root is None else find_folder(Path(root), [str(item) for item in needs.folders])
            if place is None:
                absent.append(name)
            else:
                found[name], places[name] = _with_root(node, place), place
        else:
            found[name] = node
    if looked_for and root is None:
        raise ConfigurationError("the suite's image sets lie in folders of their own: give shifts.root=FOLDER")
    if looked_for and not places:
        raise ConfigurationError(f"{root} has none of the sets: their folders are called {', '.join(looked_for)}")
    for name, node in list(found.items()):
        if (node.get("needs") or {}).get("beside") in absent:
            del found[name]
            absent.append(name)
    return FoundSets(found, places, absent)


@lru_cache(maxsize=64)
def log_once(sentence: str) -> None:
    """Log what was found, once for all jobs of a sweep."""
    logger.info(sentence)


def _is_given(node: DictConfig) -> bool:
    """Whether the entry says already where its images lie."""
    own = node.get("data")
    if own is None:
        return node.get("root") is not None
    return any(not OmegaConf.is_missing(own, key) and own.get(key) is not None for key in ("root", "dataset"))


def _with_root(node: DictConfig, place: Path) -> DictConfig:
    filled = copy.deepcopy(node)
    with open_dict(filled):
        (filled if filled.get("data") is None else filled.data).root = str(place)
    return filled


def find_folder(root: Path, names: Sequence[str]) -> Path | None:
    """The first folder at or below ``root`` with one of the names, in any case; an earlier name comes first.

    Args:
        root: where to look, ``DEPTH`` folders deep.
        names: of folders, or ends of paths such as ``objectnet-1.0/images``.
    """
    for name in names:
        parts = tuple(name.lower().split("/"))
        for folder in _folders(root):
            if tuple(part.lower() for part in folder.parts[-len(parts) :]) == parts:
                return folder
    return None


def _folders(root: Path) -> Iterator[Path]:
    """``root`` and the folders below it, the nearest first."""
    level = [root.absolute()]
    for _ in range(DEPTH + 1):
        yield from level
        level = [child for folder in level for child in _children(folder)]


def _children(folder: Path) -> list[Path]:
    try:
        children = sorted(
            entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith(".")
        )
    except OSError:  # a folder that may not be read holds no set
        return []
    return [] if len(children) > MOST_FOLDERS else [folder / name for name in children]

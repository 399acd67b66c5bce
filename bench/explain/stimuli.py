"""Files of content and style images, their cue-conflict pairs, and the published names of the pairs' pictures."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.data import CropRecipe, Dataset, LabelSpace
from bench.data.decoding import BadImage, decode_one
from bench.data.sources.folder import ReadFile
from bench.errors import ConfigurationError, DataError, nearest_names
from bench.imaging.division import bytes_to_pixels

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
NUMBERED = re.compile(r"([a-z]+)([0-9]+)")
"""``cat7``: how the published set names an instance of a category."""


@dataclass(frozen=True)
class Source:
    """One content or style image."""

    path: Path
    """The file."""
    category: str
    """``cat``; empty for a single file."""
    number: int
    """Of the instance within its category."""

    @property
    def name(self) -> str:
        """``cat7``; the file's stem for a single file."""
        return f"{self.category}{self.number}" if self.category else self.path.stem


@dataclass(frozen=True)
class Pair:
    """A shape and a texture."""

    content: Source
    """Gives the shape."""
    style: Source
    """Gives the texture."""

    @property
    def path(self) -> str:
        """``cat/cat7-elephant2.png`` (rgeirhos/texture-vs-shape); without categories ``<content>-<style>.png``."""
        file = f"{self.content.name}-{self.style.name}.png"
        return f"{self.content.category}/{file}" if self.content.category else file


@dataclass(frozen=True)
class Loaded:
    """An image ready for the optimiser."""

    pixels: Tensor
    """``(3,H,W)`` float in [0,1]."""
    digest: str
    """Of the encoded file."""


def find_sources(location: str, key: str) -> list[Source]:
    """The image at ``location``, or those of the folder there, by name.

    Args:
        location: a file, a folder of ``<category>N.<suffix>`` files, or a folder of category folders, whose files are
            numbered from 1 by name where they are not called ``<category>N`` already.
        key: of the setting, for messages.

    Raises:
        ConfigurationError: nothing there.
        DataError: files whose category is unclear, or two of one name.
    """
    path = Path(location)
    if path.is_file():
        return [Source(path, "", 0)]
    if not path.is_dir():
        parent = path.absolute().parent
        siblings = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
        raise ConfigurationError(f"{key}: nothing at {path}; {nearest_names(path.name, siblings)}".removesuffix("; "))
    sources = [_flat(file) for file in _images(path)]
    for folder in sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
        sources += _of_category(folder)
    if not sources:
        raise ConfigurationError(f"{key}: {path} holds no images ({', '.join(SUFFIXES)})")
    names: set[str] = set()
    for source in sources:
        if source.name in names:
            raise DataError(f"{key}: {path} has two images called {source.name}, one of them {source.path}")
        names.add(source.name)
    return sources


def _images(folder: Path) -> list[Path]:
    found = (file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
    return sorted(found)


def _flat(file: Path) -> Source:
    match = NUMBERED.fullmatch(file.stem)
    if match is None:
        raise DataError(
            f"{file} does not say its category: call it <category>N{file.suffix}, such as cat7{file.suffix}, or put it"
            " in a folder named after its category"
        )
    return Source(file, match[1], int(match[2]))


def _of_category(folder: Path) -> list[Source]:
    if not re.fullmatch("[a-z]+", folder.name):
        raise DataError(f"{folder}: a category is written in small letters, such as cat")
    matches = {file: NUMBERED.fullmatch(file.stem) for file in _images(folder)}
    if all(match and match[1] == folder.name for match in matches.values()):
        return [_flat(file) for file in matches]
    return [Source(file, folder.name, number) for number, file in enumerate(matches, start=1)]


def make_pairs(contents: Sequence[Source], styles: Sequence[Source], *, same_category: bool) -> list[Pair]:
    """Every content with every style, by content.

    Args:
        contents: the shapes.
        styles: the textures.
        same_category: whether to keep pairs whose cues agree (80 of the published 1,280).

    Raises:
        ConfigurationError: a file with a folder, or no pair left.
    """
    if len({bool(source.category) for source in (*contents, *styles)}) > 1:
        raise ConfigurationError("content and style are two files, or two folders: one of each has no name for its set")
    pairs = [
        Pair(content, style)
        for content in contents
        for style in styles
        if same_category or not content.category or content.category != style.category
    ]
    if not pairs:
        raise ConfigurationError("every pair has one category: with same_category=false there is nothing to make")
    return pairs


def whole_crop(size: int) -> CropRecipe:
    """The short side resized to ``size``, and the centre cropped."""
    return CropRecipe(size, size, crop_pct=1.0, crop_mode="center", interpolation="bicubic")


def load_sources(sources: Sequence[Source], recipe: CropRecipe) -> dict[Path, Loaded]:
    """Each file, cropped by ``recipe``.

    Raises:
        DataError: a file that is no image.
    """
    paths = tuple(dict.fromkeys(str(source.path.absolute()) for source in sources))
    unlabelled = LabelSpace("unlabelled", 1)
    dataset = Dataset("stimuli", paths, np.zeros(len(paths), dtype=np.int64), unlabelled, ReadFile("/", paths), "")
    loaded = {}
    for position, path in enumerate(paths):
        decoded = decode_one(dataset, recipe, position)
        if isinstance(decoded, BadImage):
            raise DataError(f"cannot use {path}: {decoded.reason}")
        loaded[Path(path)] = Loaded(bytes_to_pixels(torch.from_numpy(decoded.crop)), decoded.content)
    return loaded

"""Pictures of style transfer on disk: each PNG names its recipe, so a set can be resumed without mixing recipes."""

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from bench.errors import ConfigurationError, DataError
from bench.explain.stimuli import Pair
from bench.results.files import FileTree

RECIPE_KEY = "snowwolf"
"""PNG text entry of a finished picture: its recipe's digest, its seed and its losses."""


@dataclass(frozen=True)
class PictureFiles:
    """Where the pictures of a set are."""

    pairs: Sequence[Pair]
    """One picture per pair."""
    out: Path
    """A PNG file if there is one pair, else a folder."""

    @property
    def single(self) -> bool:
        """Whether ``out`` is the file of the only picture."""
        return self.out.suffix.lower() == ".png"

    @property
    def root(self) -> Path:
        """Folder of the set."""
        return self.out.parent if self.single else self.out

    @property
    def recipe_file(self) -> Path:
        """JSON file beside the pictures."""
        return self.root / (f"{self.out.stem}.recipe.json" if self.single else "recipe.json")

    def file(self, pair: Pair) -> Path:
        """File of the pair's picture."""
        return self.out if self.single else self.out / pair.path

    def missing(self, recipe_digest: str) -> list[Pair]:
        """Pairs without a picture.

        Raises:
            ConfigurationError: a picture was made by another recipe.
            DataError: a file that is no picture of ``task=stylize`` has the name of one.
        """
        missing = []
        for pair in self.pairs:
            entry = self._entry(pair)
            if entry is None:
                missing.append(pair)
            elif entry["recipe"] != recipe_digest:
                raise ConfigurationError(
                    f"{self.file(pair)} was made by another recipe (other weights, settings, size or seed): give"
                    " another out=..., or remove it"
                )
        return missing

    def write(self, pair: Pair, image: Tensor, entry: Mapping[str, Any]) -> None:
        """Write the pair's picture; a reader never sees half of it.

        Args:
            pair: content and style.
            image: ``(3,H,W)`` float in [0,1].
            entry: JSON values ``recipe``, ``seed`` and ``losses``, stored inside the PNG.

        Raises:
            DataError: the disk is full, or the folder is not writable.
        """
        target = self.file(pair)
        FileTree(str(target.parent.absolute())).write_once("", target.name, _encode(image, entry))

    def write_recipe(self, recipe: Mapping[str, Any]) -> None:
        """Write or replace the recipe file: ``recipe``, and the seed and losses of every picture.

        Raises:
            DataError: a picture is missing.
        """
        pictures = {}
        for pair in self.pairs:
            entry = self._entry(pair)
            if entry is None:
                raise DataError(f"{self.file(pair)} has vanished: run the same command again")
            pictures[str(self.file(pair).relative_to(self.root))] = {key: entry[key] for key in ("seed", "losses")}
        draft = self.root / f".writing-{os.getpid()}-{self.recipe_file.name}"
        draft.write_text(json.dumps({**recipe, "pictures": pictures}, indent=1) + "\n")
        draft.replace(self.recipe_file)

    def _entry(self, pair: Pair) -> dict[str, Any] | None:
        path = self.file(pair)
        if not path.exists():
            return None
        try:
            with Image.open(path) as image:
                entry: dict[str, Any] = json.loads(image.info[RECIPE_KEY])
        except (OSError, KeyError, ValueError) as error:
            raise DataError(
                f"{path} is in the way: it is no picture of task=stylize; remove it, or give another out=..."
            ) from error
        return entry


def _encode(image: Tensor, entry: Mapping[str, Any]) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text(RECIPE_KEY, json.dumps(entry))
    pixels = (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True, pnginfo=text)
    return buffer.getvalue()

"""Decode, resize and crop once: a memory-mapped cache of uint8 crops, verified whenever it is read."""

import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import PIL
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor

from bench.data.crop import CropRecipe
from bench.data.dataset import Dataset, DecisionGroups
from bench.data.decoding import BadImage, decode_all, decode_one
from bench.data.label_spaces import LabelSpace
from bench.errors import DataError

CROPS, META = "crops.uint8", "meta.json"
FORMAT = 2
DECODERS = f"pillow {PIL.__version__}, torchvision {torchvision.__version__}"
"""Decoding and resizing may round differently from version to version."""


class Crops(Protocol):
    """The crops of a dataset, whatever holds them; picklable, and safe to read in DataLoader workers."""

    @property
    def name(self) -> str:
        """Name of the dataset."""

    @property
    def digest(self) -> str:
        """Digest over names, labels and encoded bytes of the images kept: the dataset's identity."""

    @property
    def image_ids(self) -> NDArray[np.str_]:
        """``(N,)`` unique names."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """``(N,)`` class numbers of ``label_space``: logit columns, or places among the 16 categories."""

    @property
    def label_space(self) -> LabelSpace:
        """What the labels number."""

    @property
    def class_ids(self) -> tuple[int, ...] | None:
        """Logit columns that decisions are restricted to; None for all."""

    @property
    def groups(self) -> DecisionGroups | None:
        """Coarse classes that decisions are made among, which labels then number; None where there are none."""

    @property
    def accepted(self) -> tuple[tuple[int, ...], ...] | None:
        """By image: every class that counts as right, the label first; None where that is the label alone."""

    @property
    def recipe(self) -> CropRecipe:
        """The resize and crop that made them."""

    @property
    def skipped(self) -> tuple[str, ...]:
        """Images left out because they did not decode."""

    def __len__(self) -> int: ...

    def read(self, positions: Sequence[int]) -> Tensor:
        """``(B,3,H,W)`` uint8 crops."""


@dataclass(frozen=True)
class _Listing:
    """What both kinds of crops know of their images."""

    name: str
    digest: str
    image_ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    label_space: LabelSpace
    class_ids: tuple[int, ...] | None
    groups: DecisionGroups | None
    accepted: tuple[tuple[int, ...], ...] | None
    skipped: tuple[str, ...]
    recipe: CropRecipe

    def __len__(self) -> int:
        return len(self.labels)


@lru_cache(maxsize=16)
def _mapped(path: Path, shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """The file's map, kept by this process and the workers it forks: stays readable when another evicts the file."""
    return np.memmap(path, np.uint8, mode="r", shape=shape)


@dataclass(frozen=True)
class CachedCrops(_Listing):
    """Crops in a memory-mapped file."""

    folder: Path
    shape: tuple[int, int, int, int]
    checksums: NDArray[np.uint32]

    def read(self, positions: Sequence[int]) -> Tensor:
        """``(B,3,H,W)`` uint8 crops.

        Raises:
            DataError: a crop is not what was written.
        """
        rows = _mapped(self.folder / CROPS, self.shape)[list(positions)]
        for position, row in zip(positions, rows, strict=True):
            if zlib.crc32(row.tobytes()) != self.checksums[position]:
                raise DataError(
                    f"the crop of {self.image_ids[position]} in {self.folder} is damaged: delete that folder and run"
                    " the same command again"
                )
        return torch.from_numpy(np.ascontiguousarray(rows))


@dataclass(frozen=True)
class DecodedCrops(_Listing):
    """Crops decoded anew at every read: for sets larger than the cache may be."""

    dataset: Dataset
    positions: NDArray[np.int64]

    def read(self, positions: Sequence[int]) -> Tensor:
        """``(B,3,H,W)`` uint8 crops."""
        crops = []
        for position in positions:
            decoded = decode_one(self.dataset, self.recipe, int(self.positions[position]))
            if isinstance(decoded, BadImage):
                raise DataError(f"{self.image_ids[position]} decoded before and does not now: {decoded.reason}")
            crops.append(torch.from_numpy(decoded.crop))
        return torch.stack(crops)


def open_crops(
    dataset: Dataset,
    recipe: CropRecipe,
    *,
    cache_dir: Path,
    cache_gb: float,
    workers: int,
    on_error: str,
    progress: Callable[[int, int], None] | None = None,
) -> Crops:
    """The crops of ``dataset``, decoded now unless they were before.

    Args:
        dataset: what to decode.
        recipe: resize and crop.
        cache_dir: holds a folder a dataset and recipe; shared between processes.
        cache_gb: bound on ``cache_dir``; least recently used sets make room, and a set larger than the bound is
            checked once and then decoded at every read.
        workers: DataLoader workers for decoding.
        on_error: ``refuse`` raises when an image does not decode; ``skip`` leaves it out.
        progress: called with images done and images in all.

    Raises:
        DataError: images that do not decode (``refuse``), or none that does.
    """
    identity = f"{FORMAT}|{dataset.fingerprint}|{recipe.key}|{DECODERS}"
    key = hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
    n_bytes = len(dataset) * 3 * recipe.height * recipe.width
    keep = n_bytes <= cache_gb * 1e9
    folder = cache_dir / (key if keep else f"{key}.checked")
    if not (folder / META).exists():
        if keep:
            _make_room(cache_dir, int(cache_gb * 1e9) - n_bytes)
        _build(dataset, recipe, folder, workers=workers, keep=keep, progress=progress)
    meta = json.loads((folder / META).read_text())
    os.utime(folder)  # for the least-recently-used order
    _judge_bad_images(dataset, meta["bad"], on_error)
    bad = {entry["position"] for entry in meta["bad"]}
    positions = np.array([position for position in range(len(dataset)) if position not in bad], dtype=np.int64)
    listing = _listing(dataset, recipe, positions, meta)
    if not keep:
        return DecodedCrops(**listing, dataset=dataset, positions=positions)
    shape = (len(positions), 3, recipe.height, recipe.width)
    size = (folder / CROPS).stat().st_size
    if size != int(np.prod(shape)):
        raise DataError(f"{folder} holds {size} bytes of crops, not {np.prod(shape)}: delete it and run again")
    _mapped(folder / CROPS, shape)
    return CachedCrops(**listing, folder=folder, shape=shape, checksums=np.array(meta["checksums"], dtype=np.uint32))


def _listing(
    dataset: Dataset, recipe: CropRecipe, positions: NDArray[np.int64], meta: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of ``_Listing`` for the images at ``positions``."""
    return {
        "name": dataset.name,
        "digest": _content_digest(dataset, positions, meta["contents"]),
        "image_ids": np.array(dataset.image_ids)[positions],
        "labels": dataset.labels[positions],
        "label_space": dataset.label_space,
        "class_ids": dataset.class_ids,
        "groups": dataset.groups,
        "accepted": None if dataset.accepted is None else tuple(dataset.accepted[position] for position in positions),
        "recipe": recipe,
        "skipped": tuple(entry["image_id"] for entry in meta["bad"]),
    }


def _build(
    dataset: Dataset,
    recipe: CropRecipe,
    folder: Path,
    *,
    workers: int,
    keep: bool,
    progress: Callable[[int, int], None] | None,
) -> None:
    """One pass over the images; the folder appears whole, or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        bad: list[dict[str, Any]] = []
        contents: list[str] = []
        checksums: list[int] = []
        with (temporary / CROPS).open("wb") as file:
            for position, decoded in enumerate(decode_all(dataset, recipe, workers=workers)):
                if isinstance(decoded, BadImage):
                    image_id = dataset.image_ids[position]
                    bad.append({"position": position, "image_id": image_id, "reason": decoded.reason})
                else:
                    contents.append(decoded.content)
                    checksums.append(zlib.crc32(decoded.crop.tobytes()))
                    if keep:
                        file.write(decoded.crop.tobytes())
                if progress is not None:
                    progress(position + 1, len(dataset))
        if not keep:
            (temporary / CROPS).unlink()
        meta = {"dataset": dataset.name, "recipe": recipe.key, "bad": bad}
        (temporary / META).write_text(json.dumps({**meta, "contents": contents, "checksums": checksums}))
        try:
            temporary.rename(folder)
        except OSError:  # another process was faster: its folder holds the same crops
            if not (folder / META).exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _content_digest(dataset: Dataset, positions: NDArray[np.int64], contents: Sequence[str]) -> str:
    digest = hashlib.sha256(repr(dataset.class_ids).encode())
    for further in (dataset.groups, dataset.accepted):
        if further is not None:
            digest.update(repr(further).encode())
    for position, content in zip(positions, contents, strict=True):
        line = f"{dataset.image_ids[position]}\x1f{dataset.labels[position]}\x1f{content}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _judge_bad_images(dataset: Dataset, bad: Sequence[dict[str, Any]], on_error: str) -> None:
    if len(bad) == len(dataset):
        first = f"{bad[0]['image_id']} ({bad[0]['reason']})"
        raise DataError(f"none of the {len(bad)} images of {dataset.name} decodes, e.g. {first}")
    if bad and on_error == "refuse":
        named = "; ".join(f"{entry['image_id']} ({entry['reason']})" for entry in bad[:5])
        raise DataError(
            f"{len(bad)} of {len(dataset)} images of {dataset.name} do not decode: {named}"
            + ("; ..." if len(bad) > 5 else "")
            + ". Mend them, or leave them out with data.on_error=skip"
        )


def _make_room(cache_dir: Path, n_bytes: int) -> None:
    """Remove the least recently used sets until at most ``n_bytes`` are in use; open maps stay readable."""
    if not cache_dir.is_dir():
        return
    entries = [(path.stat().st_mtime, path) for path in cache_dir.iterdir() if (path / CROPS).exists()]
    used = sum((path / CROPS).stat().st_size for _, path in entries)
    for _, path in sorted(entries):
        if used <= n_bytes:
            return
        used -= (path / CROPS).stat().st_size
        shutil.rmtree(path, ignore_errors=True)

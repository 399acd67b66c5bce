"""What a folder of corrupted images holds, in one digest: names, sizes, and the bytes of a sample or of the whole."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.corruptions.catalogue import CORRUPTIONS, EXTRA_CORRUPTIONS, SEVERITIES
from bench.corruptions.files import condition_folder
from bench.errors import DataError
from bench.paths import write_atomically
from bench.records import Condition

BLOCK = 65_536
"""Bytes that are read at once: larger than most published images."""
SAMPLED_BLOCKS = 2_048
"""Blocks that the digest of a sample reads, drawn from all blocks of all files."""
SEED = 0
FORMAT = 1
FOLDER = "manifests"
"""Below the cache folder: one small file per state of a folder."""


@dataclass(frozen=True)
class _File:
    """A file of the set."""

    path: Path
    """Where it lies."""
    name: str
    """Relative to the root, with ``/``."""
    size: int
    """Bytes."""
    modified: int
    """Nanoseconds; part of the key under which the digest is kept, and not of the digest."""


def manifest_digest(
    root: Path,
    cache_dir: Path,
    *,
    whole: bool = False,
    names: Sequence[str] = (*CORRUPTIONS, *EXTRA_CORRUPTIONS),
) -> str:
    """Digest over names, sizes and bytes of the corrupted images below ``root``; 16 hex digits.

    Two folders with the same files have the same digest, wherever they lie. The digest is kept below ``cache_dir``
    under a key of all names, sizes and modification times, so bytes are read again only where one of them changed.

    Args:
        root: an ImageNet-C folder, or a folder of CIFAR-10-C's arrays.
        cache_dir: the folder of the crop cache.
        whole: read every byte, instead of a seeded sample of at most 2,048 blocks of 64 KiB.
        names: of the corruptions whose folders are looked for.

    Raises:
        DataError: there are no files, or one of them changed while it was read.
    """
    files = sorted(_files(root, names), key=lambda file: file.name)
    if not files:
        raise DataError(f"{root} holds no corrupted images")
    listing = hashlib.sha256(f"{FORMAT}|{whole}|{root.resolve()}".encode(errors="surrogateescape"))
    for file in files:
        listing.update(f"{file.name}\x1f{file.size}\x1f{file.modified}\n".encode(errors="surrogateescape"))
    kept = cache_dir / FOLDER / f"{listing.hexdigest()[:32]}.json"
    try:
        return str(json.loads(kept.read_text())["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        digest = _digest(files, whole=whole)
    _keep(kept, {"root": str(root), "files": len(files), "whole": whole, "digest": digest})
    return digest


def _files(root: Path, names: Sequence[str]) -> Iterator[_File]:
    yield from _listed(root, root, suffix=".npy")
    for name in names:
        for severity in SEVERITIES:
            folder = condition_folder(root, Condition(name, float(severity)))
            if folder is not None:
                yield from _listed(folder, root)
                for entry in os.scandir(folder):
                    if entry.is_dir() and not entry.name.startswith("."):
                        yield from _listed(Path(entry.path), root)


def _listed(folder: Path, root: Path, suffix: str = "") -> Iterator[_File]:
    """The files of one folder, hidden ones left out."""
    for entry in os.scandir(folder):
        if entry.is_file() and not entry.name.startswith(".") and entry.name.endswith(suffix):
            path, facts = Path(entry.path), entry.stat()
            yield _File(path, path.relative_to(root).as_posix(), facts.st_size, facts.st_mtime_ns)


def _digest(files: Sequence[_File], *, whole: bool) -> str:
    digest = hashlib.sha256(b"whole" if whole else b"sample")
    for file in files:
        digest.update(f"{file.name}\x1f{file.size}\n".encode(errors="surrogateescape"))
    blocks = np.array([max(1, -(-file.size // BLOCK)) for file in files])
    ends = blocks.cumsum()
    chosen = np.arange(ends[-1])
    if not whole and len(chosen) > SAMPLED_BLOCKS:
        chosen = np.sort(np.random.default_rng(SEED).choice(ends[-1], SAMPLED_BLOCKS, replace=False))
    owners = np.searchsorted(ends, chosen, side="right")
    for number, owner in zip(chosen, owners, strict=True):
        file, offset = files[owner], int(number - (ends[owner] - blocks[owner])) * BLOCK
        with file.path.open("rb") as opened:
            opened.seek(offset)
            block = opened.read(BLOCK)
        if len(block) != min(BLOCK, file.size - offset):
            raise DataError(f"{file.path} changed while it was read")
        digest.update(block)
    return digest.hexdigest()[:16]


def _keep(target: Path, facts: dict[str, object]) -> None:
    """Write the digest; it appears whole, or not at all."""
    write_atomically(target, json.dumps(facts).encode())

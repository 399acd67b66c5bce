"""Encoded images that lie one behind the other in large files: tars, shards, spools."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.errors import DataError


class FileRange(NamedTuple):
    """Where an image's bytes are."""

    file: Path
    """The file they are in."""
    offset: int
    """Position of the first."""
    size: int
    """Number of bytes."""


@dataclass(frozen=True)
class ReadRange:
    """Position -> bytes of a part of a file; no file stays open, so that forked workers may share it."""

    ranges: Sequence[FileRange]

    def __call__(self, position: int) -> bytes:
        """The bytes of one image.

        Raises:
            DataError: the file has been cut off.
        """
        where = self.ranges[position]
        with where.file.open("rb") as file:
            file.seek(where.offset)
            content = file.read(where.size)
        if len(content) != where.size:
            raise DataError(f"{where.file} ends before byte {where.offset + where.size}: it has been cut off")
        return content

    def fingerprint(self, image_ids: Sequence[str], labels: Sequence[int]) -> str:
        """Digest of the listing: files by size and time, images by name, place and label."""
        digest = hashlib.blake2b(digest_size=16)
        for file in sorted({where.file for where in self.ranges}):
            status = file.stat()
            digest.update(f"{file.resolve()}|{status.st_size}|{status.st_mtime_ns}\n".encode())
        for image_id, where, label in zip(image_ids, self.ranges, labels, strict=True):
            digest.update(f"{image_id}\x1f{where.offset}\x1f{where.size}\x1f{label}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

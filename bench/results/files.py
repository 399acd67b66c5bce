"""Whole-file reads and writes that are atomic on a local disk, a shared file system or an fsspec URL."""

import contextlib
import os
import tempfile
import uuid
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from bench.errors import ConfigurationError, DataError
from bench.paths import write_once


def why_no_folder(path: Path) -> str:
    """Why files cannot be written into the folder ``path``, whether it is there or not; empty where they can."""
    there = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    if not there.is_dir():
        return f"{there} is a file"
    try:  # permissions alone do not tell: of /proc, or of a full disk
        with tempfile.TemporaryDirectory(dir=there):
            return ""
    except OSError as error:
        return f"{there} is not writable ({error.strerror})"


class FileTree:
    """Files below one root, each written once, whole, or not at all.

    Args:
        root: a folder, or any fsspec URL (``s3://...``, ``memory://...``).

    Raises:
        ConfigurationError: a URL that fsspec cannot open here.
    """

    def __init__(self, root: str) -> None:
        try:
            self.fs, self.root = fsspec.core.url_to_fs(root)
        except (ValueError, ImportError) as error:
            raise ConfigurationError(f"store {root} cannot be opened: {error}") from error
        self.is_local = isinstance(self.fs, LocalFileSystem)

    def tree(self) -> dict[str, list[str]]:
        """File names by first-level folder, hidden ones left out; empty where the root does not exist."""
        if self.is_local:
            return _list_local(Path(self.root))
        tree: dict[str, list[str]] = {}
        for path in self.fs.find(self.root) if self.fs.exists(self.root) else []:
            folder, _, name = path[len(self.root) :].strip("/").partition("/")
            if not folder.startswith("."):
                tree.setdefault(folder, []).append(name)
        return tree

    def folders(self) -> list[str]:
        """Names of the first-level folders, hidden ones left out; empty if the root does not exist."""
        if self.is_local:
            root = Path(self.root)
            return sorted(path.name for path in root.iterdir() if path.name[0] != ".") if root.is_dir() else []
        self.fs.invalidate_cache(self.root)
        paths = self.fs.ls(self.root, detail=False) if self.fs.exists(self.root) else []
        return sorted(name for name in (Path(path).name for path in paths) if not name.startswith("."))

    def names(self, folder: str) -> list[str]:
        """Names of the files in ``folder``; empty where it does not exist."""
        path = f"{self.root}/{folder}"
        if self.is_local:
            return sorted(os.listdir(path)) if os.path.isdir(path) else []  # noqa: PTH112, PTH208
        self.fs.invalidate_cache(path)
        return sorted(Path(name).name for name in self.fs.ls(path, detail=False)) if self.fs.exists(path) else []

    def open(self, folder: str, name: str) -> Any:
        """The file as a binary reader."""
        return self.fs.open(f"{self.root}/{folder}/{name}", "rb")

    def read(self, folder: str, name: str) -> bytes:
        """Every byte of the file."""
        with self.open(folder, name) as file:
            content: bytes = file.read()
        return content

    def size(self, folder: str, name: str) -> int:
        """Bytes in the file."""
        return int(self.fs.size(f"{self.root}/{folder}/{name}"))

    def check_place(self) -> None:
        """Refuse, before any work, a root that is not there and cannot be made; nothing is made.

        Raises:
            ConfigurationError: on a local disk.
        """
        if self.is_local and not Path(self.root).is_dir():
            reason = why_no_folder(Path(self.root))
            if reason:
                raise ConfigurationError(f"store {self.root} cannot be made: {reason}")

    def check_writable(self) -> None:
        """Find out now, not after the first hours of work.

        Raises:
            DataError: the disk is full, or the folder is not writable.
        """
        folder, name = f".writing-{uuid.uuid4().hex}", "probe"  # its own: others may remove theirs at this moment
        self.write_once(folder, name, b"?")
        self.remove(folder, name)

    def rename(self, folder: str, name: str, new: str) -> None:
        """Give the file another name in its folder."""
        self.fs.mv(f"{self.root}/{folder}/{name}", f"{self.root}/{folder}/{new}")

    def remove(self, folder: str, name: str) -> None:
        """Remove the file, and its folder where that leaves it empty."""
        self.fs.rm_file(f"{self.root}/{folder}/{name}")
        if self.is_local:
            with contextlib.suppress(OSError):  # others are writing there
                Path(self.root, folder).rmdir()

    def write_once(self, folder: str, name: str, content: bytes) -> bool:
        """Write ``content`` so that no reader ever sees a part of it; False where the file was there already.

        Raises:
            DataError: the disk is full, or the folder is not writable.
        """
        try:
            return self._write_once(folder, name, content)
        except OSError as error:
            reason = error.strerror or " ".join(str(error).split())
            raise DataError(
                f"cannot write to {self.root}: {reason}; what was stored before stands: fix that and run the same"
                " command again"
            ) from error

    def _write_once(self, folder: str, name: str, content: bytes) -> bool:
        target = f"{self.root}/{folder}/{name}"
        if not self.is_local:  # object stores publish a file only when it is complete
            if self.fs.exists(target):
                return False
            self.fs.pipe_file(target, content)
            return True
        return write_once(Path(target), content)


def _list_local(root: Path) -> dict[str, list[str]]:
    if not root.is_dir():
        return {}
    folders = (entry for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith("."))
    return {entry.name: sorted(os.listdir(entry.path)) for entry in folders}  # noqa: PTH208

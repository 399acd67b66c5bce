"""Files and their names: names from outside as parts of paths, and files that appear whole or not at all."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def path_letters(name: str) -> str:
    """At most 80 characters: ``name``'s ASCII letters, digits, hyphens and underscores, and ``_`` for whatever else."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:80] or "_"


def path_name(name: str, *identity: str) -> str:
    """``path_letters(name)`` and eight hexadecimal digits of ``name`` and ``identity``: no two share a path."""
    digest = hashlib.blake2b(json.dumps([name, *identity]).encode(), digest_size=4).hexdigest()
    return f"{path_letters(name)}-{digest}"


@contextmanager
def new_file(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A temporary file beside ``target``, to be moved there; its content is on disk when the block ends.

    The folder is made where it is missing. What the block raises removes the file.

    Yields:
        The open file, and the path it has until it is moved. The block must not close it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".writing-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, Path(name)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)  # mkstemp's own files are for one user alone
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_atomically(target: Path, content: bytes) -> None:
    """Replace ``target`` by ``content``: a reader, or a run after a power cut, sees the old file or the new one."""
    with new_file(target) as (file, temporary):
        file.write(content)
    temporary.replace(target)


def write_once(target: Path, content: bytes) -> bool:
    """Write ``content`` unless ``target`` is there; no reader ever sees a part of it, and nothing is overwritten.

    Returns:
        False where the file was there already.
    """
    with new_file(target) as (file, temporary):
        file.write(content)
    try:
        return _publish(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _publish(temporary: Path, target: Path) -> bool:
    try:
        os.link(temporary, target)  # unlike rename, fails where the target exists
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if target.exists():
            return False
        temporary.rename(target)
    return True

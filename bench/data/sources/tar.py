"""``data.source=tar``: a tar of class folders, a tar of one tar per class, or a folder of tars, read in place.

timm's reader finds the images and their class folders; the bytes are read here, image by image.
"""

import posixpath
import tarfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from timm.data.readers.reader_image_in_tar import ReaderImageInTar

from bench.data.dataset import Dataset
from bench.data.label_spaces import own_label_space
from bench.data.ranges import FileRange
from bench.data.source import DataSource, OwnClasses, dataset_name
from bench.data.sources.rows import ranged_dataset
from bench.errors import ConfigurationError, DataError, nearest_names

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


def check_archive(root: str | None, what: str = "FILE.tar") -> None:
    """Refuse a missing file or folder, and a compressed tar.

    Args:
        root: ``data.root``.
        what: what it should be, for messages.

    Raises:
        ConfigurationError: saying what to do.
    """
    if root is None:
        raise ConfigurationError(f"data.root is needed here: add data.root={what}")
    path = Path(root)
    if not path.exists():
        siblings = [path.name for path in path.absolute().parent.glob("*")]
        hint = nearest_names(path.name, siblings)
        raise ConfigurationError(f"no tar file or folder at {root}; {hint}".removesuffix("; "))
    compressed = [path] if path.is_file() else sorted(path.iterdir())
    compressed = [file for file in compressed if file.name.endswith(COMPRESSED)]
    if compressed:
        raise ConfigurationError(
            f"{compressed[0]} is compressed, so that its images cannot be read one by one: unpack it into a plain .tar"
            " (gzip -d, bzip2 -d, xz -d or zstd -d), or into a folder"
        )


def load_tar(name: str, root: str) -> Dataset:
    """The images of the tar files at ``root``; the innermost folder is the class.

    Raises:
        ConfigurationError: no tar file that can be read.
        DataError: an image listed twice.
    """
    ranges: dict[str, FileRange] = {}
    folders: list[str] = []
    reader = _reader(root)
    for (member, tar_name, inner), target in zip(reader.samples, reader.targets, strict=True):
        parents = [part for part in (tar_name, inner and inner.name) if part]
        image_id = posixpath.normpath(posixpath.join(*parents, member.name.lstrip("/")))
        if posixpath.basename(image_id).startswith("."):
            continue
        if image_id in ranges:
            raise DataError(f"{root} holds {image_id!r} twice")
        offset = member.offset_data + (inner.offset_data if inner else 0)
        ranges[image_id] = FileRange(Path(root) / tar_name if tar_name else Path(root), offset, member.size)
        folders.append(reader.class_idx_to_name[int(target)])
    space = own_label_space(root, folders)
    return ranged_dataset(name, ranges, [space.numbers[folder] for folder in folders], space)


@lru_cache(maxsize=1024)
def _check_members(path: Path, size: int, modified: int) -> None:
    """Refuse a tar file without members, or with one that would end beyond the file: a reader may hang on it.

    A file is read once for all jobs of a sweep; ``size`` or ``modified`` changes when it does.

    Raises:
        ConfigurationError: naming it.
    """
    del modified
    found = False
    try:
        with tarfile.open(path, "r:") as archive:
            while (member := archive.next()) is not None:
                found = True
                if member.offset_data + member.size > size:
                    raise ConfigurationError(
                        f"{path} is cut off or damaged: its member {member.name!r} should have {member.size:,} bytes,"
                        f" and the whole file has {size:,}"
                    )
    except tarfile.TarError as error:
        raise ConfigurationError(f"{path} cannot be read as a tar file: {error}") from error
    if not found:
        raise ConfigurationError(f"{path} is an empty tar file")


def _reader(root: str) -> Any:
    path = Path(root)
    for file in [path] if path.is_file() else sorted(path.glob("*.tar")):
        _check_members(file, file.stat().st_size, file.stat().st_mtime_ns)
    try:
        return ReaderImageInTar(root, cache_tarinfo=False)  # timm would cache the listing as a pickle
    except Exception as error:  # whatever timm and tarfile raise becomes one clear line
        message = " ".join(str(error).split()) or type(error).__name__
        raise ConfigurationError(f"timm's tar reader cannot load root={root}: {message}") from error


def tar_classes(root: str) -> OwnClasses:
    """The classes of the images at ``root``; listed once for all jobs of a sweep.

    Raises:
        ConfigurationError: as ``load_tar``.
        DataError: no images.
    """
    path = Path(root)
    places = [path, *(sorted(path.iterdir()) if path.is_dir() else [])]
    return _classes(root, tuple((str(place), place.stat().st_size, place.stat().st_mtime_ns) for place in places))


@lru_cache(maxsize=16)
def _classes(root: str, state: tuple[object, ...]) -> OwnClasses:
    """``state`` changes when the files do."""
    del state
    space = load_tar("", root).label_space
    return space, space.class_names


SOURCE = DataSource(
    load=lambda config: load_tar(dataset_name(config), str(config.root)),
    check=lambda config: check_archive(config.root),
    classes=lambda config: tar_classes(str(config.root)),
)

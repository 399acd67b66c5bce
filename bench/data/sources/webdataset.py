"""``data.source=webdataset``: local tar shards in which each sample is an image beside its label, read in place.

Shards are listed by this module and not by the library, which skips samples that do not decode.
"""

import json
import posixpath
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

from bench.configs import DEFAULT_SPLIT, DataConfig
from bench.data.dataset import Dataset
from bench.data.ranges import FileRange, ReadRange
from bench.data.source import DataSource, dataset_name, listed_classes
from bench.data.sources.rows import numbered, ranged_dataset
from bench.data.sources.tar import check_archive
from bench.errors import ConfigurationError, DataError, nearest_names

SHARD_IMAGES = ("jpg", "jpeg", "png", "webp")
LABEL_SUFFIXES = ("cls", "json")
INFO_FILES = ("_info.json", "info.json")
_NUMBERS = re.compile(r"\{(\d+)\.\.(\d+)\}")


def load_webdataset(config: DataConfig) -> Dataset:
    """Local shards: ``<key>.jpg`` beside ``<key>.cls``, or the label field of ``<key>.json``.

    Raises:
        ConfigurationError: no such shards.
        DataError: a sample without an image or a label, or a shard that cannot be read.
    """
    root = Path(str(config.root))
    names, field = _shards(root, config.split)
    ranges: dict[str, FileRange] = {}
    labels: list[int] = []
    for name in names:
        shard = Path(posixpath.normpath(root / name))
        if not shard.is_relative_to(posixpath.normpath(root)):
            raise ConfigurationError(f"{root}: the split names a shard outside the folder: {name!r}")
        for key, parts in shard_samples(shard).items():
            suffix = next((suffix for suffix in SHARD_IMAGES if suffix in parts), None)
            if suffix is None:
                raise DataError(f"{shard}: sample {key!r} has no image ({', '.join(SHARD_IMAGES)})")
            ranges[f"{name}/{key}.{suffix}"] = parts[suffix]
            labels.append(_label(shard, key, parts, field))
    return ranged_dataset(dataset_name(config), ranges, *numbered(labels, str(root)))


def _shards(root: Path, split: str) -> tuple[list[str], str]:
    """Shards of a split, by name below ``root``, and the field of their JSON labels; the usual one where empty."""
    splits = _splits(root)
    if split in splits:
        return splits[split]
    if "tar" not in split and "*" not in split:
        if split != DEFAULT_SPLIT or splits:
            raise ConfigurationError(
                f"{root} has no split {split!r}: {nearest_names(split, splits)} data.split may also be a pattern of"
                " shards: val-*.tar"
            )
        split = "*.tar"
    numbers = _NUMBERS.search(split)
    if numbers:
        first, last = numbers.groups()
        count = range(int(first), int(last) + 1)
        names = [split.replace(numbers[0], f"{number:0{len(first)}d}") for number in count]
    elif Path(split).is_absolute() or ".." in Path(split).parts:
        names = [split]
    else:
        names = sorted(path.relative_to(root).as_posix() for path in root.glob(split))
    if not names:
        raise ConfigurationError(f"{root} has no shards {split}")
    return names, ""


def _splits(root: Path) -> Mapping[str, tuple[list[str], str]]:
    """Name of a split -> its shards and the field of their JSON labels."""
    for name in INFO_FILES:
        if (root / name).is_file():
            try:
                splits = json.loads((root / name).read_text())["splits"]
                return {
                    str(split): ([str(name) for name in facts["filenames"]], str(facts.get("alt_label", "")))
                    for split, facts in splits.items()
                }
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise DataError(f"{root / name} is not a WebDataset's list of splits: {error!r}") from error
    return {}


def shard_samples(shard: Path) -> dict[str, dict[str, FileRange]]:
    """Files of each sample by suffix; a file's key is its path up to the first dot of its name.

    Raises:
        DataError: the shard cannot be read.
    """
    samples: dict[str, dict[str, FileRange]] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                folder, file_name = posixpath.split(member.name)
                key, dot, suffix = file_name.partition(".")
                if member.isfile() and key and dot:
                    where = FileRange(shard, member.offset_data, member.size)
                    samples.setdefault(posixpath.join(folder, key), {})[suffix.lower()] = where
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"cannot read the shard {shard}: {error}") from error
    return samples


def _label(shard: Path, key: str, parts: Mapping[str, FileRange], field: str) -> int:
    field = field or ("" if "cls" in parts else "label")
    try:
        text = ReadRange([parts["json" if field else "cls"]])(0)
        return int(json.loads(text)[field] if field else text)
    except (KeyError, ValueError, TypeError) as error:
        expected = f"the field {field!r} of a .json" if field and "json" in parts else "a whole number in a .cls"
        raise DataError(f"{shard}: sample {key!r} has no label: {expected} file is needed") from error


SOURCE = DataSource(
    load=load_webdataset,
    check=lambda config: check_archive(config.root, "FOLDER"),
    classes=listed_classes(load_webdataset),
)

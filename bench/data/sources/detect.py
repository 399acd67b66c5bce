"""``data.source=auto``: what lies at ``data.root``, found out from names of files and folders alone."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from bench.configs import DEFAULT_SPLIT, DataConfig
from bench.data.sources.cifar import FORMS
from bench.data.sources.flat_imagenet import find_labels, is_flat_imagenet
from bench.data.sources.folder import class_folders
from bench.data.sources.huggingface import SAVED, SAVED_SPLITS
from bench.data.sources.listing import SUFFIXES, read_list
from bench.data.sources.variants import IMAGES
from bench.data.sources.webdataset import LABEL_SUFFIXES, shard_samples
from bench.errors import ConfigurationError, DataError, nearest_names

logger = logging.getLogger(__name__)
AUTO = "auto"
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


@dataclass(frozen=True)
class _Layout:
    """What a folder or file was recognised as."""

    source: str
    """For ``data.source``."""
    words: str
    """What was seen."""


def resolved(config: DataConfig) -> DataConfig:
    """The config with ``source=auto`` replaced by what lies at its root; others as they are.

    The choice is logged in one line, so that a wrong guess is seen.

    Raises:
        ConfigurationError: no root, nothing there, or nothing that is known.
    """
    if config.source != AUTO:
        return config
    if config.dataset is not None and config.root is None:
        return replace(config, source="huggingface")
    layout = _recognised(config.root, config.labels)
    split = config.split
    if layout.source in FORMS and split == DEFAULT_SPLIT:
        split = "test"
    space = layout.source if layout.source in FORMS and config.label_space is None else config.label_space
    return replace(config, source=layout.source, split=split, label_space=space)


@lru_cache(maxsize=64)
def _recognised(root: str | None, labels: str | None) -> _Layout:
    """Once per folder, so that the line is logged once."""
    if root is None:
        raise ConfigurationError("data.root is needed here: add data.root=FOLDER or FILE")
    path = Path(root)
    if not path.exists():
        siblings = [entry.name for entry in path.absolute().parent.glob("*")]
        raise ConfigurationError(
            f"nothing at data.root={path}; {nearest_names(path.name, siblings)}".removesuffix("; ")
        )
    layout = next(_layouts(path, labels), None)
    if layout is None:
        raise ConfigurationError(
            f"{path} is none of the layouts that are known: class folders, flat ImageNet with labels, a CSV or Parquet"
            " list (path,label), NumPy arrays, CIFAR-10 or CIFAR-100, tar files, WebDataset shards, or a Hugging Face"
            f" data set; it holds {_examples(path)}"
        )
    logger.info("%s: %s; data.source=%s", path, layout.words, layout.source)
    return layout


def _layouts(path: Path, labels: str | None) -> Iterator[_Layout]:
    """What ``path`` can be, the surest first."""
    yield from _file_layouts(path) if path.is_file() else _folder_layouts(path, labels)


def _file_layouts(path: Path) -> Iterator[_Layout]:
    if path.name.endswith(TARS):
        yield _tar_layout([path], path)
    elif path.suffix in (".npz", ".npy"):
        yield _Layout("arrays", "NumPy arrays")
    elif path.suffix == ".parquet" and not _is_list(path):
        yield _Layout("huggingface", "a Parquet file of images")
    elif path.suffix in SUFFIXES:
        yield _Layout("list", "a list of paths and labels")


def _folder_layouts(path: Path, labels: str | None) -> Iterator[_Layout]:
    names = sorted(entry.name for entry in os.scandir(path) if not entry.name.startswith("."))
    for source, form in FORMS.items():
        if form.binary_root(path) or form.python_root(path):
            yield _Layout(source, f"{form.title} as published")
    if SAVED_SPLITS in names or set(SAVED) <= set(names):
        yield _Layout("huggingface", "a data set saved by save_to_disk")
    if is_flat_imagenet(path):
        file = labels or find_labels(path)
        yield _Layout("flat_imagenet", f"ImageNet's validation images in one folder, labels from {file or 'no file'}")
    tars = [path / name for name in names if name.endswith(TARS)]
    if tars:
        yield _tar_layout(tars, path)
    if "images.npy" in names:
        yield _Layout("arrays", "NumPy arrays")
    if any(name.endswith(".parquet") for name in names) or any(path.glob("data/*.parquet")):
        yield _Layout("huggingface", "Parquet shards")
    folders = _class_folders(path)
    if folders:
        shown = ", ".join(folders[:3]) + (", ..." if len(folders) > 3 else "")
        yield _Layout("folder", f"{len(folders)} class folders ({shown})")


def _class_folders(path: Path) -> Sequence[str]:
    try:
        return class_folders(str(path))
    except DataError:
        return ()


def _tar_layout(tars: Sequence[Path], path: Path) -> _Layout:
    what = "a tar file" if path.is_file() else f"{len(tars)} tar files"
    if path.is_dir() and tars[0].suffix == ".tar":
        sample = next(iter(shard_samples(tars[0]).values()), {})
        if set(sample) & set(LABEL_SUFFIXES):
            return _Layout("webdataset", f"{len(tars)} WebDataset shards")
    return _Layout("tar", f"{what} of class folders")


def _is_list(path: Path) -> bool:
    try:
        read_list(path)
    except (ConfigurationError, DataError):
        return False
    return True


def _examples(path: Path) -> str:
    names = sorted(entry.name for entry in os.scandir(path)) if path.is_dir() else [path.name]
    if any(name.lower().endswith(IMAGES) for name in names):
        return f"images ({names[0]}, ...) and no file of labels: list path,label in a CSV file and set data.root to it"
    return ", ".join(names[:5]) or "nothing"

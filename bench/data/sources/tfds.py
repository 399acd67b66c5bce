"""``data.source=tfds``: prepared TensorFlow data sets, through timm's reader."""

import atexit
import importlib.util
import tempfile
from pathlib import Path
from typing import Any

from timm.data.readers import create_reader

from bench.configs import DataConfig
from bench.data.dataset import Dataset
from bench.data.label_spaces import own_label_space
from bench.data.ranges import FileRange, ReadRange
from bench.data.source import DataSource, OwnClasses, dataset_name
from bench.data.sources.rows import in_own_space, numbered_dataset
from bench.errors import ConfigurationError


def check_tfds(config: DataConfig) -> None:
    """Refuse a missing package or dataset name."""
    if importlib.util.find_spec("tensorflow_datasets") is None:
        raise ConfigurationError(
            "data.source=tfds needs the package tensorflow_datasets: pip install tensorflow_datasets"
        )
    if config.dataset is None:
        raise ConfigurationError("data.dataset is needed for data.source=tfds")


def load_tfds(config: DataConfig) -> Dataset:
    """A prepared split, in its own order; TFDS only streams, so the encoded images are spooled to a file.

    Raises:
        ConfigurationError: TFDS cannot load it.
        DataError: a label that is no class number.
    """
    reader = _reader(config)
    import tensorflow_datasets as tfds  # type: ignore[import-not-found,unused-ignore]

    undecoded = {reader.input_key: tfds.decode.SkipDecoding()}
    rows = tfds.as_numpy(reader.builder.as_dataset(split=config.split, shuffle_files=False, decoders=undecoded))
    ranges, targets = [], []
    with tempfile.NamedTemporaryFile(prefix="snowwolf-tfds-", delete=False) as spool:
        path = Path(spool.name)
        atexit.register(path.unlink, missing_ok=True)
        for row in rows:
            ranges.append(FileRange(path, spool.tell(), spool.write(row[reader.input_key])))
            targets.append(int(row[reader.target_key]))
    labels, space = in_own_space(targets, _names(reader), str(config.dataset))
    identity = f"tfds|{reader.builder.info.full_name}|{reader.builder.data_dir}|{config.split}|{labels}"
    return numbered_dataset(dataset_name(config), config.split, labels, space, ReadRange(ranges), identity)


def _reader(config: DataConfig) -> Any:
    """Timm's reader; whatever the libraries behind it raise becomes one clear line."""
    try:
        return create_reader(f"tfds/{config.dataset}", root=config.root, split=config.split)
    except Exception as error:
        message = " ".join(str(error).split()) or type(error).__name__
        where = f"root={config.root}, dataset={config.dataset}, split={config.split}"
        raise ConfigurationError(f"timm's tfds reader cannot load {where}: {message}") from error


def _names(reader: Any) -> tuple[str, ...]:
    classes = reader.class_to_idx or {}
    return tuple(sorted(classes, key=classes.__getitem__))


def _classes(config: DataConfig) -> OwnClasses | None:
    """As the set declares them: its images cannot be listed without being read."""
    names = _names(_reader(config))
    return (own_label_space(str(config.dataset), names), names) if names else None


SOURCE = DataSource(load=load_tfds, check=check_tfds, classes=_classes)

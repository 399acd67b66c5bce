"""``data.source=huggingface``: data sets of the Hugging Face hub, saved to disk, or as Parquet shards.

The library ``datasets`` finds, downloads and maps them; encoded images are taken from it byte by byte.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.configs import DataConfig
from bench.data.dataset import Dataset
from bench.data.source import DataSource, dataset_name, listed_classes, where_of
from bench.data.sources.rows import in_own_space, numbered_dataset
from bench.errors import ConfigurationError, DataError, nearest_names

SAVED = ("dataset_info.json", "state.json")
"""Files of a split that ``save_to_disk`` wrote."""
SAVED_SPLITS = "dataset_dict.json"
"""File of a folder of splits that ``save_to_disk`` wrote."""
SPLIT_NAMES = ("train", "validation", "test", "val")
"""What Parquet files are named after on the hub."""
LABEL_NAMES = ("label", "labels", "fine_label", "cls", "class")
"""Columns of labels where none has the type ``ClassLabel``, the first that is there."""


def check_hugging_face(config: DataConfig) -> None:
    """Refuse a missing package, name or folder."""
    if importlib.util.find_spec("datasets") is None:
        raise ConfigurationError("data.source=huggingface needs the package datasets: pip install 'snowwolf[readers]'")
    if (config.dataset is None) == (config.root is None):
        raise ConfigurationError(
            "give data.dataset=NAME, a data set of the Hugging Face hub, or data.root=FOLDER, one that was saved to"
            " disk or lies in Parquet shards; the hub's own cache is where HF_HOME says"
        )
    if config.root is not None and not Path(config.root).exists():
        siblings = [path.name for path in Path(config.root).absolute().parent.glob("*")]
        hint = nearest_names(Path(config.root).name, siblings)
        raise ConfigurationError(f"no folder or file at {config.root}; {hint}".removesuffix("; "))


def load_hugging_face(config: DataConfig) -> Dataset:
    """The images of one split, in its own order.

    Raises:
        ConfigurationError: it cannot be loaded, has no such split, or no column of images or labels.
        DataError: a label that is no class number.
    """
    import datasets

    rows = _open(config)
    image = next((name for name, kind in rows.features.items() if isinstance(kind, datasets.Image)), None)
    classed = [name for name, kind in rows.features.items() if isinstance(kind, datasets.ClassLabel)]
    label = next((name for name in (*LABEL_NAMES, *classed) if name in (classed or rows.features)), None)
    if image is None or label is None:
        columns = ", ".join(f"{name} ({type(kind).__name__})" for name, kind in rows.features.items())
        raise ConfigurationError(f"{where_of(config)} has no column of images and one of class labels: {columns}")
    names = rows.features[label].names if label in classed else None
    accepted = _label_lists(rows[label], where_of(config))
    numbers = [int(value) for value in rows[label]] if accepted is None else [own[0] for own in accepted]
    labels, space = in_own_space(numbers, names, where_of(config), accepted or ())
    encoded = rows.select_columns([image]).cast_column(image, datasets.Image(decode=False))
    identity = f"huggingface|{where_of(config)}|{config.split}|{rows._fingerprint}|{labels}"
    dataset = numbered_dataset(dataset_name(config), config.split, labels, space, _ReadRow(encoded, image), identity)
    if accepted is None:
        return dataset
    own = {str(number): space.numbers[str(number)] for numbers in accepted for number in numbers} if not names else {}
    return replace(
        dataset, accepted=tuple(tuple(own.get(str(number), number) for number in numbers) for numbers in accepted)
    )


def _label_lists(values: Sequence[Any], where: str) -> list[list[int]] | None:
    """The right classes of each image, in a set that lists several; None in others.

    Raises:
        DataError: an image without any.
    """
    if not any(isinstance(value, Sequence) and not isinstance(value, str) for value in values):
        return None
    for row, value in enumerate(values):
        if not value:
            raise DataError(f"{where}: row {row} has no right class")
    return [[int(number) for number in value] for value in values]


def _open(config: DataConfig) -> Any:
    """The split; whatever the library raises becomes one clear line."""
    import datasets

    try:
        if config.dataset is not None:
            return datasets.load_dataset(config.dataset, split=config.split)
        root = Path(str(config.root))
        if (root / SAVED_SPLITS).is_file():
            return datasets.load_from_disk(root)[config.split]
        if (root / SAVED[1]).is_file():
            return datasets.load_from_disk(root)
        return datasets.Dataset.from_parquet([str(file) for file in _parquet_files(root, config.split)])
    except ConfigurationError:
        raise
    except Exception as error:
        message = " ".join(str(error).split()) or type(error).__name__
        raise ConfigurationError(
            f"datasets cannot load {where_of(config)}, split={config.split}: {type(error).__name__}: {message[:300]}"
        ) from error


def _parquet_files(root: Path, split: str) -> list[Path]:
    """The file, the shards of the split, which the hub names by it, or all where none is named so."""
    if root.is_file():
        return [root]
    files = sorted(root.rglob("*.parquet"))
    if not files:
        raise ConfigurationError(f"{root} is neither a data set that was saved to disk nor a folder of Parquet files")
    of_split = [file for file in files if file.name.startswith(split)]
    others = {file.stem.partition("-")[0] for file in files}
    if not of_split and (len(others) > 1 or others & set(SPLIT_NAMES)):
        raise ConfigurationError(
            f"{root} has no Parquet file of the split {split!r}: {nearest_names(split, others)} Set data.split"
        )
    return of_split or files


@dataclass(frozen=True)
class _ReadRow:
    rows: Any
    column: str

    def __call__(self, position: int) -> bytes:
        cell = self.rows[position][self.column]
        if cell is None:
            raise DataError(f"row {position} has no image")
        content: bytes | None = cell["bytes"]
        return Path(cell["path"]).read_bytes() if content is None else content


SOURCE = DataSource(load=load_hugging_face, check=check_hugging_face, classes=listed_classes(load_hugging_face))

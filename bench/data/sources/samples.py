"""``data.source=samples``: the 20 ImageNet images that the package foolbox ships, for first looks and tests."""

import hashlib
import importlib.util
from pathlib import Path

import numpy as np

from bench.data.dataset import Dataset
from bench.data.label_spaces import imagenet
from bench.data.source import DataSource, dataset_name, named_classes
from bench.data.sources.folder import ReadFile
from bench.errors import DataError


def load_samples(name: str) -> Dataset:
    """``foolbox/data/imagenet_<number>_<label>.jpg``; the label in the file name is ImageNet's class number."""
    spec = importlib.util.find_spec("foolbox")
    if spec is None or spec.origin is None:
        raise DataError("the sample images come with the package foolbox, which is not installed")
    root = Path(spec.origin).parent / "data"
    paths = sorted(path.name for path in root.glob("imagenet_*.jpg"))
    listing = "\n".join(f"{path} {(root / path).stat().st_size}" for path in paths)
    return Dataset(
        name=name,
        image_ids=tuple(paths),
        labels=np.array([int(Path(path).stem.split("_")[2]) for path in paths], dtype=np.int64),
        label_space=imagenet(),
        read_bytes=ReadFile(str(root), tuple(paths)),
        fingerprint=hashlib.blake2b(listing.encode(), digest_size=16).hexdigest(),
    )


def sample_classes() -> list[str]:
    """The wnids of the images' classes.

    Raises:
        DataError: foolbox is not installed.
    """
    dataset = load_samples("samples")
    return [dataset.label_space.class_names[number] for number in np.unique(dataset.labels)]


SOURCE = DataSource(
    load=lambda config: load_samples(dataset_name(config)),
    check=lambda _: None,
    classes=lambda config: named_classes(config, sample_classes()),
    counted_at_once=True,
)

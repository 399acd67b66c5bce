"""Where images come from: each source one module, chosen by ``data.source``."""

from collections import ChainMap
from collections.abc import Mapping

from bench.data.source import DataSource
from bench.data.sources import (
    arrays,
    cifar,
    flat_imagenet,
    folder,
    huggingface,
    listing,
    samples,
    tar,
    tfds,
    unlabelled,
    variants,
    webdataset,
)
from bench.errors import ConfigurationError

_BUILT_IN: Mapping[str, DataSource] = {
    "folder": folder.SOURCE,
    "variants": variants.SOURCE,
    "flat_imagenet": flat_imagenet.SOURCE,
    "list": listing.SOURCE,
    "arrays": arrays.SOURCE,
    "cifar10": cifar.SOURCE,
    "cifar100": cifar.SOURCE,
    "tar": tar.SOURCE,
    "webdataset": webdataset.SOURCE,
    "huggingface": huggingface.SOURCE,
    "tfds": tfds.SOURCE,
    "categories": folder.CATEGORIES,
    "samples": samples.SOURCE,
    "cue_conflict_samples": folder.CUE_CONFLICT,
    "unlabelled": unlabelled.SOURCE,
    "ood_samples": unlabelled.OOD_SAMPLES,
}
_PLUGGED: dict[str, DataSource] = {}
SOURCES: Mapping[str, DataSource] = ChainMap(_PLUGGED, dict(_BUILT_IN))
"""Every source by its name in ``data.source``, those of plug-ins too."""


def register_data_source(name: str, source: DataSource) -> None:
    """Make ``data.source=NAME`` known.

    Raises:
        ConfigurationError: another source has the name.
    """
    if name in _BUILT_IN or _PLUGGED.setdefault(name, source) is not source:
        raise ConfigurationError(f"two data sources are called {name!r}: rename one")

"""RobustBench: the models of its zoo, by its own loaders, with the crops that its leaderboard is computed on."""

import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pyautoattack
from torch import nn

from bench.configs import ModelConfig
from bench.data.crop import CropRecipe
from bench.data.label_spaces import CIFAR10, LabelSpace, imagenet
from bench.errors import ConfigurationError, nearest_names
from bench.models.assembly import classifier_of, import_extra, label_space_of, one_line, outline_of, take_options
from bench.models.checkpoints import open_checkpoint
from bench.models.classifier import Classifier
from bench.models.preprocessing import Preprocessing, resize_and_crop
from bench.models.source import ModelOutline, ModelSource

INSTALL = "--no-deps robustbench torchdiffeq geotorch gdown 'setuptools<81' (it pins a timm of its own)"
OPTIONS = ("dataset", "threat_model", "model_dir")
"""``cifar10``, ``cifar100`` or ``imagenet``; ``Linf``, ``L2`` or ``corruptions``; where its checkpoints lie."""
MODEL_DIR = "models"
"""RobustBench's own default, in the working folder."""

CROPS = {
    "Res256Crop224": resize_and_crop(256, (224, 224), "bilinear"),
    "BicubicRes256Crop224": resize_and_crop(256, (224, 224), "bicubic"),
    "Res224": CropRecipe(224, 224, 1.0, "squash", "bilinear"),
}
"""RobustBench's name of a preprocessing (``robustbench/data.py``, ``PREPROCESSINGS``) -> the recipe."""
CIFAR_CROP = CropRecipe.exact(32)
N_CLASSES = {"cifar10": 10, "cifar100": 100, "imagenet": 1000}


def outline(config: ModelConfig) -> ModelOutline:
    """Look the name up in the zoo, and its checkpoint on this machine."""
    dataset, threat, entry = _entry(config)
    open_checkpoint(_checkpoint(config, dataset, threat), "meta")  # RobustBench reads it as safely, with other words
    return outline_of(config, _preprocessing(config, dataset, entry), _label_space(config, dataset))


def load(config: ModelConfig) -> Classifier:
    """The network of RobustBench's own loader; its normalisation is inside."""
    dataset, threat, entry = _entry(config)
    network = _load(config, dataset, threat, _checkpoint(config, dataset, threat))
    preprocessing, space = _preprocessing(config, dataset, entry), _label_space(config, dataset)
    return classifier_of(config, network, preprocessing, space, published=f"{dataset}/{threat}/{config.name}")


def _zoo() -> Any:
    # RobustBench 1.1.1 imports AutoAttack by the name that the package had before it was on PyPI.
    sys.modules.setdefault("autoattack", pyautoattack)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports timm by names of older versions
        import_extra("robustbench", INSTALL, "robustbench")
        return import_extra("robustbench.model_zoo", INSTALL, "robustbench").model_dicts


def _entry(config: ModelConfig) -> tuple[str, str, dict[str, Any]]:
    """Data set, threat model and entry of the zoo.

    Raises:
        ConfigurationError: no such name, or one that several parts of the zoo have.
    """
    options = take_options(config, OPTIONS)
    places = {
        (str(dataset.value), str(threat.value)): entries
        for dataset, threats in _zoo().items()
        for threat, entries in threats.items()
    }
    wanted = [options.get("dataset"), options.get("threat_model")]
    having = {
        place: entries[config.name]
        for place, entries in places.items()
        if config.name in entries and all(asked in (None, part) for asked, part in zip(wanted, place, strict=True))
    }
    if not having:
        known = [name for entries in places.values() for name in entries]
        raise ConfigurationError(f"RobustBench has no model {config.name!r}: {nearest_names(config.name, known)}")
    if len(having) > 1:
        named = "; ".join(f"dataset: {dataset}, threat_model: {threat}" for dataset, threat in having)
        raise ConfigurationError(
            f"RobustBench has several models {config.name!r}: give model.options with one of {named}"
        )
    (dataset, threat), entry = next(iter(having.items()))
    return dataset, threat, entry


def _checkpoint(config: ModelConfig, dataset: str, threat: str) -> Path:
    if config.checkpoint is not None:
        return Path(config.checkpoint)
    folder = Path(str(config.options.get("model_dir", MODEL_DIR))).expanduser()
    path = folder / dataset / threat / f"{config.name}.pt"
    if not path.is_file():
        raise ConfigurationError(
            f"model robustbench:{config.name}: there is no {path}: let robustbench.load_model({config.name!r},"
            f" dataset={dataset!r}, threat_model={threat!r}) download it, or give model.checkpoint=FILE"
        )
    return path


def _load(config: ModelConfig, dataset: str, threat: str, checkpoint: Path) -> nn.Module:
    utilities = import_extra("robustbench.utils", INSTALL, "robustbench")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, dataset, threat)
        place.mkdir(parents=True)
        (place / f"{config.name}.pt").symlink_to(checkpoint.resolve())
        try:
            network: nn.Module = utilities.load_model(
                config.name, model_dir=folder, dataset=dataset, threat_model=threat
            )
        except Exception as error:
            raise ConfigurationError(
                f"could not load robustbench:{config.name} from {checkpoint}: {one_line(error)}"
            ) from error
    return network


def _preprocessing(config: ModelConfig, dataset: str, entry: dict[str, Any]) -> Preprocessing:
    named = str(entry.get("preprocessing", ""))
    if dataset == "imagenet" and named not in CROPS:
        stated = f"by {named!r}, which resizes nothing" if named else "in a way that its entry does not state"
        raise ConfigurationError(f"model robustbench:{config.name} is shown images {stated}: no crop recipe has that")
    return Preprocessing(CROPS[named] if dataset == "imagenet" else CIFAR_CROP, (0.0,) * 3, (1.0,) * 3)


def _label_space(config: ModelConfig, dataset: str) -> LabelSpace:
    stated = {"imagenet": imagenet(), "cifar10": CIFAR10}.get(dataset)
    return label_space_of(config, N_CLASSES[dataset], stated)


SOURCE = ModelSource(outline, load, settings=("checkpoint", "options", "precision"))

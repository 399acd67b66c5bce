"""transformers: image classifiers of the Hugging Face hub or of a local folder, with their image processors."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.configs import ModelConfig
from bench.data.label_spaces import LabelSpace
from bench.errors import ConfigurationError
from bench.models.assembly import classifier_of, import_extra, label_space_of, named_classes, one_line, outline_of
from bench.models.checkpoints import check_weights, file_state, load_weights
from bench.models.classifier import Classifier
from bench.models.hub import check_repository, read_repository
from bench.models.preprocessing import Preprocessing, timm_preprocessing
from bench.models.source import ModelOutline, ModelSource
from bench.models.sources.image_processor import read_processor

WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Where transformers looks for weights, in this order; all are read without running anything in them."""
INSTALL = "'snowwolf[hf]'"


def outline(config: ModelConfig) -> ModelOutline:
    """Read the description and the image processor; look for the weights, or compare a checkpoint with the network."""
    _check_place(config)
    described = _described(config)
    if config.checkpoint is not None:
        path = Path(config.checkpoint)
        check_weights(bare_network(config), path, file_state(path), name=config.name)
    return outline_of(config, _preprocessing(config.name), _label_space(config, described))


def load(config: ModelConfig) -> Classifier:
    """The network with its weights in float32, its preprocessing and its classes."""
    _check_place(config)
    described = _described(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _network(config, described)
    preprocessing, space = _preprocessing(config.name), _label_space(config, described)
    folder = Path(config.name)
    shown = replace(config, name=folder.resolve().name) if folder.is_dir() else config
    return classifier_of(shown, network, preprocessing, space)


def bare_network(config: ModelConfig) -> nn.Module:
    """The network with shapes and no weights."""
    return _bare_network(config.name)


@lru_cache(maxsize=16)
def _bare_network(name: str) -> nn.Module:
    with torch.device("meta"):
        return _untrained(name, _read_config(name))


def _transformers() -> Any:
    transformers = import_extra("transformers", INSTALL, "hf")
    transformers.utils.logging.disable_progress_bar()
    return transformers


def _check_place(config: ModelConfig) -> None:
    """Refuse a folder without a model, or a model that is neither in the hub's cache nor on the hub."""
    _transformers()
    wanted = config.checkpoint is None and config.weights == "pretrained"
    folder = Path(config.name)
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ConfigurationError(
                f"model hf:{folder}: there is no {folder / 'config.json'}, which describes the network"
            )
        if wanted and not any((folder / file).is_file() for file in WEIGHT_FILES):
            raise ConfigurationError(f"model hf:{folder}: it has no weights ({' or '.join(WEIGHT_FILES)})")
        return
    if config.name.startswith((".", "/", "~")):
        raise ConfigurationError(f"model hf:{config.name}: there is no such folder")
    repository = read_repository(config.name)
    check_repository(f"hf:{config.name}", repository, ["config.json"])
    if wanted:
        check_repository(f"hf:{config.name}", repository, WEIGHT_FILES)


def _place(name: str) -> tuple[str, dict[str, Any]]:
    """What ``from_pretrained`` takes: folder or repository, and the revision."""
    if Path(name).is_dir():
        return name, {}
    repository = read_repository(name)
    return repository.name, {} if repository.revision is None else {"revision": repository.revision}


@lru_cache(maxsize=16)
def _read_config(name: str) -> Any:
    where, options = _place(name)
    try:
        return _transformers().AutoConfig.from_pretrained(where, trust_remote_code=False, **options)
    except Exception as error:
        raise ConfigurationError(
            f"model hf:{name}: its config.json is not one of transformers: {one_line(error)}"
        ) from error


def _described(config: ModelConfig) -> Any:
    """Transformers' configuration, of a kind that classifies images.

    Raises:
        ConfigurationError: another kind of model.
    """
    described = _read_config(config.name)
    transformers = _transformers()
    if type(described) not in transformers.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
        raise ConfigurationError(
            f"model hf:{config.name}: transformers has no image classifier of the kind {described.model_type!r}"
        )
    return described


def _untrained(name: str, described: Any) -> nn.Module:
    try:
        network: nn.Module = _transformers().AutoModelForImageClassification.from_config(described, dtype=torch.float32)
    except Exception as error:
        raise ConfigurationError(f"could not make hf:{name}: {one_line(error)}") from error
    return network.eval()


def _network(config: ModelConfig, described: Any) -> nn.Module:
    if config.checkpoint is not None or config.weights == "random":
        network = _untrained(config.name, described)
        if config.checkpoint is not None:
            load_weights(network, Path(config.checkpoint), name=config.name)
        return network
    where, options = _place(config.name)
    try:
        network, info = _transformers().AutoModelForImageClassification.from_pretrained(
            where, trust_remote_code=False, weights_only=True, dtype=torch.float32, output_loading_info=True, **options
        )
    except Exception as error:
        raise ConfigurationError(f"could not load hf:{config.name}: {one_line(error)}") from error
    lacking = sorted({*info["missing_keys"], *(str(key) for key in info.get("mismatched_keys", ()))})
    if lacking:
        raise ConfigurationError(
            f"model hf:{config.name}: its files have no fitting weights for {', '.join(lacking[:3])}"
            f"{', ...' if len(lacking) > 3 else ''}: it was saved without this head"
        )
    trained: nn.Module = network
    return trained


@lru_cache(maxsize=16)
def _preprocessing(name: str) -> Preprocessing:
    where, options = _place(name)
    try:
        processor = _transformers().AutoImageProcessor.from_pretrained(where, trust_remote_code=False, **options)
    except Exception as error:
        raise ConfigurationError(
            f"model hf:{name}: it has no image processor that can be read: {one_line(error)}"
        ) from error
    timms = getattr(processor, "data_config", None)
    if isinstance(timms, Mapping):  # a timm network in transformers' clothes
        return timm_preprocessing(timms)
    return read_processor(processor, f"model hf:{name}")


def _label_space(config: ModelConfig, described: Any) -> LabelSpace:
    names = [str(described.id2label[column]) for column in sorted(described.id2label)]
    unnamed = all(name == f"LABEL_{column}" for column, name in enumerate(names))
    stated = None if unnamed else named_classes(config.name, names)
    return label_space_of(config, len(names), stated)


SOURCE = ModelSource(outline, load, bare_network, settings=("checkpoint", "weights", "precision"))

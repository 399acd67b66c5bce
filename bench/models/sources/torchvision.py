"""torchvision: every classification architecture and every enum of its weights, ``resnet50/IMAGENET1K_V1``."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torchvision.models
from torch import nn

from bench.configs import ModelConfig
from bench.data.label_spaces import LabelSpace
from bench.errors import ConfigurationError, nearest_names
from bench.models.assembly import classifier_of, label_space_of, named_classes, one_line, outline_of
from bench.models.checkpoints import check_weights, file_state, load_weights
from bench.models.classifier import Classifier
from bench.models.hub import INSTEAD, check_url
from bench.models.preprocessing import Preprocessing, read_transform
from bench.models.source import ModelOutline, ModelSource

TIMM_TAGS = {"IMAGENET1K_V1": "tv_in1k", "IMAGENET1K_V2": "tv2_in1k"}
"""Name of weights -> the tag that timm knows them by."""
AUXILIARY_HEADS = ("aux1", "aux2", "AuxLogits")
"""Of GoogLeNet and Inception v3: for training alone."""


def outline(config: ModelConfig) -> ModelOutline:
    """Build the network without its weights; look for the published ones, or compare a checkpoint with it."""
    weights = _weights(config)
    network = bare_network(config)
    if config.checkpoint is not None:
        path = Path(config.checkpoint)
        check_weights(network, path, file_state(path), name=f"torchvision's {_architecture(config)}")
    elif config.weights == "pretrained":
        check_url(config.name, weights.url)
    return outline_of(config, _preprocessing(weights), _label_space(config, weights))


def load(config: ModelConfig) -> Classifier:
    """The network with its weights, and the preprocessing and classes that the enum of its weights states."""
    weights = _weights(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _make_network(_architecture(config), config.num_classes, json.dumps(config.options))
    if config.checkpoint is not None:
        load_weights(network, Path(config.checkpoint), name=f"torchvision's {_architecture(config)}")
    elif config.weights == "pretrained":
        network.load_state_dict(_published(config.name, weights))
    for head in AUXILIARY_HEADS:
        if hasattr(network, head):
            setattr(network, head, None)
    return classifier_of(
        config,
        network,
        _preprocessing(weights),
        _label_space(config, weights),
        published=f"{_architecture(config)}.{TIMM_TAGS[weights.name]}" if weights.name in TIMM_TAGS else "",
    )


def bare_network(config: ModelConfig) -> nn.Module:
    """The network with shapes and no weights."""
    _weights(config)
    return _bare_network(_architecture(config), config.num_classes, json.dumps(config.options))


@lru_cache(maxsize=64)
def _bare_network(architecture: str, num_classes: int | None, options: str) -> nn.Module:
    with torch.device("meta"):
        return _make_network(architecture, num_classes, options)


def _architecture(config: ModelConfig) -> str:
    return config.name.partition("/")[0]


def _weights(config: ModelConfig) -> Any:
    """The member of the architecture's enum of weights; the default one where none is named.

    Raises:
        ConfigurationError: an unknown architecture or member.
    """
    architecture, slash, member = config.name.partition("/")
    known = torchvision.models.list_models(module=torchvision.models)
    if architecture not in known:
        raise ConfigurationError(
            f"torchvision has no classifier {architecture!r}: {nearest_names(architecture, known)}"
        )
    enum: Any = torchvision.models.get_model_weights(architecture)
    names = [weights.name for weights in enum]
    if not slash:
        return enum.DEFAULT
    if member not in [*names, "DEFAULT"]:
        raise ConfigurationError(
            f"torchvision's {architecture} has no weights {member!r}: {nearest_names(member, names)}"
        )
    return enum[member]


def _published(name: str, weights: Any) -> dict[str, torch.Tensor]:
    try:
        state: dict[str, torch.Tensor] = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except Exception as error:  # whatever the connection raises
        raise ConfigurationError(f"torchvision:{name}: {weights.url}: {one_line(error)}; {INSTEAD}") from error
    return state


def _make_network(architecture: str, num_classes: int | None, options: str) -> nn.Module:
    given: dict[str, Any] = json.loads(options)
    if num_classes is not None:
        given["num_classes"] = num_classes
    if architecture in ("googlenet", "inception_v3"):
        # As their builders do for published weights: the images are normalised as the networks' first training had it.
        given = {"transform_input": True, "aux_logits": True, "init_weights": False, **given}
    try:
        network: nn.Module = torchvision.models.get_model(architecture, weights=None, **given)
    except Exception as error:
        raise ConfigurationError(f"could not make torchvision's {architecture}: {one_line(error)}") from error
    return network.eval()


def _preprocessing(weights: Any) -> Preprocessing:
    return read_transform(weights.transforms())


def _label_space(config: ModelConfig, weights: Any) -> LabelSpace:
    categories = list(weights.meta["categories"])
    stated = named_classes("torchvision's classes", categories)
    return label_space_of(config, config.num_classes or len(categories), stated)


SOURCE = ModelSource(outline, load, bare_network)

"""timm: its architectures with published, packaged or local weights. The source of names without a prefix."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision.models
from timm.models import get_arch_name, remap_state_dict, split_model_name_tag
from torch import Tensor, nn

import bench.models.cifar_resnet  # noqa: F401  # registers its architectures with timm
from bench.configs import ModelConfig
from bench.data.label_spaces import LabelSpace, known_as
from bench.errors import ConfigurationError, nearest_names
from bench.models.assembly import classifier_of, label_space_of, one_line, outline_of
from bench.models.checkpoints import check_weights, file_state, load_weights
from bench.models.classifier import Classifier
from bench.models.hub import HUB_PREFIXES, INSTEAD, check_folder, check_published
from bench.models.packaged import PACKAGED
from bench.models.preprocessing import timm_preprocessing
from bench.models.source import ModelOutline, ModelSource

FOLDER_PREFIX = "local-dir:"


def outline(config: ModelConfig) -> ModelOutline:
    """Build the network without its weights, and compare the names and shapes of a checkpoint with it."""
    _check_name(config)
    network = bare_network(config)
    checkpoint = _checkpoint(config)
    if checkpoint is not None:
        remap = _in_order if config.checkpoint is None else None
        check_weights(network, checkpoint, file_state(checkpoint), name=config.name, remap=remap)
    preprocessing = timm_preprocessing(timm.data.resolve_model_data_config(network))
    return outline_of(config, preprocessing, _label_space(config, network))


def load(config: ModelConfig) -> Classifier:
    """The network with its weights, and the preprocessing and classes of timm's configuration."""
    _check_name(config)
    checkpoint = _checkpoint(config)
    pretrained = checkpoint is None and config.weights == "pretrained"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _make_network(_architecture(config), config.num_classes, config.options, pretrained=pretrained)
    if checkpoint is not None:
        remap = _in_order if config.checkpoint is None else None
        load_weights(network, checkpoint, name=config.name, remap=remap)
    preprocessing = timm_preprocessing(timm.data.resolve_model_data_config(network))
    return classifier_of(
        config, network, preprocessing, _label_space(config, network), published=_published(config, network)
    )


def _published(config: ModelConfig, network: nn.Module) -> str:
    """Timm's name of the weights with their tag; empty where they have none."""
    if config.name in PACKAGED:
        return PACKAGED[config.name].published
    described: Mapping[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    architecture, tag = described.get("architecture"), described.get("tag")
    return f"{architecture}.{tag}" if architecture and tag else ""


def bare_network(config: ModelConfig) -> nn.Module:
    """The network with shapes and no weights: for checks alone, the jobs of a sweep share it."""
    return _bare_network(_architecture(config), config.num_classes, json.dumps(config.options))


@lru_cache(maxsize=64)
def _bare_network(architecture: str, num_classes: int | None, options: str) -> nn.Module:
    with torch.device("meta"):
        return _make_network(architecture, num_classes, json.loads(options), pretrained=False)


def _check_name(config: ModelConfig) -> None:
    if config.name.startswith(FOLDER_PREFIX):
        check_folder(config.name)
    elif config.name not in PACKAGED:
        if not config.name.startswith(HUB_PREFIXES):
            _check_timm_name(config)
        check_published(config.name, weights=config.checkpoint is None and config.weights == "pretrained")


def _architecture(config: ModelConfig) -> str:
    return PACKAGED[config.name].architecture if config.name in PACKAGED else config.name


def _checkpoint(config: ModelConfig) -> Path | None:
    """The local file that the weights come from, if they come from one."""
    if config.checkpoint is not None:
        return Path(config.checkpoint)
    if config.name in PACKAGED and config.weights == "pretrained":
        return PACKAGED[config.name].path()
    return None


def _in_order(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The weights of a package, whose names are another port's, in timm's order."""
    return dict(remap_state_dict(state, network))


def _check_timm_name(config: ModelConfig) -> None:
    if not timm.is_model(get_arch_name(config.name)):
        if config.name in torchvision.models.list_models(module=torchvision.models):
            raise ConfigurationError(
                f"timm has no model {config.name!r}, and torchvision has: give model.name=torchvision:{config.name}"
            )
        hint = nearest_names(config.name, [*PACKAGED, *timm.list_models()])
        raise ConfigurationError(f"unknown model {config.name!r}: {hint}")
    architecture, tag = split_model_name_tag(config.name)
    pretrained = timm.list_models(f"{architecture}*", pretrained=True)
    own = [name for name in pretrained if get_arch_name(name) == architecture]
    if tag and config.name not in own:
        raise ConfigurationError(f"unknown weights {config.name!r}: {nearest_names(config.name, own)}")
    if not own and config.checkpoint is None and config.weights == "pretrained":
        raise ConfigurationError(
            f"timm has no published weights for {config.name!r}: give model.checkpoint=FILE or model.weights=random"
        )


def _label_space(config: ModelConfig, network: nn.Module) -> LabelSpace:
    """By declaration, package, the names in timm's config, the ImageNet variant of that size; else unnamed."""
    n_classes = int(network.num_classes)  # type: ignore[arg-type]
    if n_classes == 0:
        raise ConfigurationError(f"{config.name} has no classification head: its outputs are features, not logits")
    return label_space_of(config, n_classes, _stated_classes(config, network, n_classes))


def _stated_classes(config: ModelConfig, network: nn.Module, n_classes: int) -> LabelSpace | None:
    packaged = PACKAGED.get(config.name)
    if packaged and config.checkpoint is None and config.weights == "pretrained":
        return packaged.label_space()
    described: Mapping[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    names = described.get("label_names")
    if not isinstance(names, list | tuple) or len(names) != n_classes:
        return None
    descriptions = described.get("label_descriptions") or {}
    titles = tuple(str(descriptions[name]) for name in names if name in descriptions)
    return known_as(LabelSpace(config.name, n_classes, tuple(names), titles if len(titles) == n_classes else ()))


def _make_network(
    architecture: str, num_classes: int | None, options: Mapping[str, Any], *, pretrained: bool
) -> nn.Module:
    head: dict[str, Any] = {} if num_classes is None else {"num_classes": num_classes}
    try:
        network: nn.Module = timm.create_model(architecture, pretrained=pretrained, **head, **options)
    except Exception as error:
        instead = f"; {INSTEAD}" if pretrained else ""
        raise ConfigurationError(f"could not make {architecture!r}: {one_line(error)}{instead}") from error
    return network.eval()


SOURCE = ModelSource(outline, load, bare_network)

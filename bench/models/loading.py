"""From a model config to a classifier, and all that can be checked before its weights are loaded."""

import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from timm.models import get_arch_name, split_model_name_tag
from torch import nn

import bench.models.cifar_resnet  # noqa: F401  # registers its architectures with timm
from bench.configs import ModelConfig
from bench.data.crop import CropRecipe
from bench.data.label_spaces import LabelSpace, imagenet_with, known_as, read_label_space, unnamed_classes
from bench.errors import ConfigurationError, nearest_names
from bench.models.classifier import Classifier
from bench.models.hub import HUB_PREFIXES, INSTEAD, check_folder, check_published
from bench.models.packaged import PACKAGED
from bench.models.plugged import source_of

CHECKPOINT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
LONGEST_REASON = 300
FOLDER_PREFIX = "local-dir:"


@dataclass(frozen=True)
class ModelOutline:
    """What is known of a classifier before its weights are loaded."""

    label_space: LabelSpace
    """What its logit columns mean."""
    crop: CropRecipe
    """The crop that its network expects."""


def check_model(config: ModelConfig) -> ModelOutline:
    """Refuse, before any work, a model that cannot be loaded.

    The network is built without memory for its weights (on torch's ``meta`` device), and a checkpoint's names and
    shapes are compared with it; published weights are in a cache of this machine, or their hub has them.

    Raises:
        ConfigurationError: unknown architecture, tag, option or checkpoint, with the nearest names; a checkpoint that
            does not open or fit; a hub that does not answer.
    """
    plugged = source_of(config.name)
    if plugged is not None:
        return plugged.outline(config)
    _check_names(config)
    _check_weights_at_hand(config)
    network = _bare_network(_architecture(config), config.num_classes)
    checkpoint = _checkpoint(config)
    if checkpoint is not None:
        status = checkpoint.stat()
        _check_fit(network, checkpoint, (status.st_mtime_ns, status.st_size), remap=config.checkpoint is None)
    data_config: dict[str, Any] = timm.data.resolve_model_data_config(network)
    return ModelOutline(_label_space(config, network), CropRecipe.from_timm(data_config))


def check_input_size(config: ModelConfig, size: tuple[int, int]) -> None:
    """Refuse, before any work, a network that does not take images of ``size``, height and width.

    Args:
        config: what ``check_model`` lets pass.
        size: in pixels.

    Raises:
        ConfigurationError: saying why, in the network's own words.
    """
    if source_of(config.name) is not None:
        return  # its network is not known before it is loaded
    network = _bare_network(_architecture(config), config.num_classes).eval()
    try:
        with torch.no_grad():
            network(torch.empty(1, 3, *size, device="meta"))
    except Exception as error:  # an assertion, a shape that does not fit, ...: architectures differ
        reason = f"{type(error).__name__}: {_first_line(error)}"
        raise ConfigurationError(
            f"{config.name} does not take images of {size[0]} x {size[1]} pixels ({reason})"
        ) from error


def _check_names(config: ModelConfig) -> None:
    if config.precision not in ("float32", "bfloat16", "float16"):
        raise ConfigurationError(
            f"unknown precision {config.precision!r}: {nearest_names(config.precision, ['float32', 'bfloat16'])}"
        )
    if config.weights not in ("pretrained", "random"):
        raise ConfigurationError(f"model.weights is 'pretrained' or 'random', not {config.weights!r}")
    if config.checkpoint is not None:
        _check_checkpoint(Path(config.checkpoint))
    if config.label_space is not None:
        read_label_space(config.label_space)
    if config.name.startswith(FOLDER_PREFIX):
        check_folder(config.name)
    elif config.name not in PACKAGED and not config.name.startswith(HUB_PREFIXES):
        _check_timm_name(config)


def _check_weights_at_hand(config: ModelConfig) -> None:
    if config.name not in PACKAGED and not config.name.startswith(FOLDER_PREFIX):
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


@lru_cache(maxsize=64)
def _bare_network(architecture: str, num_classes: int | None) -> nn.Module:
    """The network with shapes and no weights: for checks alone, the jobs of a sweep share it."""
    with torch.device("meta"):
        return _make_network(architecture, num_classes, pretrained=False)


@lru_cache(maxsize=256)
def _check_fit(network: nn.Module, path: Path, state: tuple[int, int], *, remap: bool) -> None:
    """Open the checkpoint and compare its names and shapes; ``state`` (time and size) tells versions of it apart."""
    del state
    device = "cpu" if path.suffix == ".safetensors" else "meta"  # both read no weight: safetensors are mapped
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="for .*: copying from a non-meta parameter")
        _load_checkpoint(network, path, remap=remap, device=device)


def _check_timm_name(config: ModelConfig) -> None:
    if not timm.is_model(get_arch_name(config.name)):
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


def _check_checkpoint(path: Path) -> None:
    if not path.is_file():
        siblings = [file.name for file in path.parent.glob("*") if file.suffix in CHECKPOINT_SUFFIXES]
        raise ConfigurationError(f"no checkpoint at {path}; {nearest_names(path.name, siblings)}".rstrip("; "))
    if path.suffix not in CHECKPOINT_SUFFIXES:
        raise ConfigurationError(f"checkpoint {path} is not one of {', '.join(CHECKPOINT_SUFFIXES)}")


def load_classifier(config: ModelConfig) -> Classifier:
    """The classifier of ``config`` on the CPU, frozen, in eval mode.

    Raises:
        ConfigurationError: the model is unknown, or its weights cannot be had or do not fit.
    """
    plugged = source_of(config.name)
    if plugged is not None:
        return plugged.load(config)
    _check_names(config)
    _check_weights_at_hand(config)
    network = _load_network(config)
    data_config: dict[str, Any] = timm.data.resolve_model_data_config(network)
    return Classifier(
        config.alias or _default_name(config),
        network,
        mean=data_config["mean"],
        std=data_config["std"],
        crop=CropRecipe.from_timm(data_config),
        label_space=_label_space(config, network),
        precision=config.precision,
    )


def _label_space(config: ModelConfig, network: nn.Module) -> LabelSpace:
    """By declaration, package, the names in timm's config, the ImageNet variant of that size; else unnamed."""
    pretrained_cfg: Mapping[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    n_classes = int(network.num_classes)  # type: ignore[arg-type]
    if n_classes == 0:
        raise ConfigurationError(f"{config.name} has no classification head: its outputs are features, not logits")
    if config.label_space is not None:
        declared = read_label_space(config.label_space)
        if declared.n_classes != n_classes:
            raise ConfigurationError(
                f"model.label_space={config.label_space} has {declared.n_classes} classes, and the classifier"
                f" {n_classes} logits"
            )
        return declared
    packaged = PACKAGED.get(config.name)
    if packaged and config.checkpoint is None and config.weights == "pretrained":
        return packaged.label_space()
    names = pretrained_cfg.get("label_names")
    if isinstance(names, list | tuple) and len(names) == n_classes:
        descriptions = pretrained_cfg.get("label_descriptions") or {}
        titles = tuple(str(descriptions[name]) for name in names if name in descriptions)
        return known_as(LabelSpace(config.name, n_classes, tuple(names), titles if len(titles) == n_classes else ()))
    return imagenet_with(n_classes) or unnamed_classes(n_classes)


def _default_name(config: ModelConfig) -> str:
    if config.checkpoint is not None:
        return f"{config.name}+{Path(config.checkpoint).stem}"
    return config.name if config.weights == "pretrained" else f"{config.name} (random)"


def _load_network(config: ModelConfig) -> nn.Module:
    checkpoint = _checkpoint(config)
    pretrained = checkpoint is None and config.weights == "pretrained"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _make_network(_architecture(config), config.num_classes, pretrained=pretrained)
    if checkpoint is not None:
        _load_checkpoint(network, checkpoint, remap=config.checkpoint is None)
    return network.eval()


def _make_network(architecture: str, num_classes: int | None, *, pretrained: bool) -> nn.Module:
    head: dict[str, Any] = {} if num_classes is None else {"num_classes": num_classes}
    try:
        network: nn.Module = timm.create_model(architecture, pretrained=pretrained, **head)
    except Exception as error:
        raise ConfigurationError(
            f"could not make {architecture!r}: {type(error).__name__}: {_first_line(error)}"
            + (f"; {INSTEAD}" if pretrained else "")
        ) from error
    return network


def _load_checkpoint(network: nn.Module, path: Path, *, remap: bool, device: str = "cpu") -> None:
    try:
        timm.models.load_checkpoint(network, str(path), device=device, remap=remap, weights_only=True)
    except (RuntimeError, KeyError, ValueError, OSError, SafetensorError, pickle.UnpicklingError) as error:
        if isinstance(error, pickle.UnpicklingError) or isinstance(error.__cause__, pickle.UnpicklingError):
            reason = (
                "is damaged, or holds more than tensors; nothing in it was run. Save the network's state_dict() alone,"
                " best as .safetensors"
            )
        else:
            reason = f"does not fit {type(network).__name__} or is not a plain state dict: {_misfit(error)}"
        raise ConfigurationError(f"checkpoint {path} {reason}") from error


def _misfit(error: BaseException) -> str:
    """Torch's reasons in one line, without its heading and without all of many names."""
    text = " ".join(str(error).split())
    reasons = re.sub(r"^Error\(s\) in loading state_dict for \w+: ?", "", text) or type(error).__name__
    return reasons if len(reasons) <= LONGEST_REASON else f"{reasons[:LONGEST_REASON]} ..."


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

"""From a model config to a classifier, and the checks that need no weights."""

import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from timm.models import get_arch_name, split_model_name_tag
from torch import nn

import bench.models.cifar_resnet  # noqa: F401  # registers its architectures with timm
from bench.data.crop import CropRecipe
from bench.errors import ConfigurationError, nearest_names
from bench.models.classifier import Classifier
from bench.models.packaged import PACKAGED

CHECKPOINT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
LONGEST_REASON = 300
HUB_PREFIXES = ("hf-hub:", "hf_hub:", "local-dir:")


@dataclass
class ModelConfig:
    """Which classifier to load (``conf/model``)."""

    name: str = "lite0"
    """A packaged model, a timm architecture with or without tag (``resnet50.a1_in1k``), or ``hf-hub:owner/model``."""
    alias: str | None = None
    """Display name; the name, or the checkpoint's stem after it, when left out."""
    checkpoint: str | None = None
    """A local ``.safetensors`` or ``.pth`` state dict instead of the published weights."""
    weights: str = "pretrained"
    """``pretrained``, or ``random`` for an untrained network (seeded)."""
    num_classes: int | None = None
    """Logits of a checkpoint whose head is not the architecture's usual one."""
    precision: str = "float32"
    """``float32``, ``bfloat16`` or ``float16``."""


def check_model(config: ModelConfig) -> None:
    """Refuse, before any work, a model that cannot exist.

    Raises:
        ConfigurationError: unknown architecture, tag, option or checkpoint; the message names the nearest ones.
    """
    if config.precision not in ("float32", "bfloat16", "float16"):
        raise ConfigurationError(
            f"unknown precision {config.precision!r}: {nearest_names(config.precision, ['float32', 'bfloat16'])}"
        )
    if config.weights not in ("pretrained", "random"):
        raise ConfigurationError(f"model.weights is 'pretrained' or 'random', not {config.weights!r}")
    if config.checkpoint is not None:
        _check_checkpoint(Path(config.checkpoint))
    if config.name in PACKAGED:
        if config.checkpoint is None and config.weights == "pretrained":
            PACKAGED[config.name].path()
    elif not config.name.startswith(HUB_PREFIXES):
        _check_timm_name(config)


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
    check_model(config)
    network = _load_network(config)
    data_config: dict[str, Any] = timm.data.resolve_model_data_config(network)
    return Classifier(
        config.alias or _default_name(config),
        network,
        mean=data_config["mean"],
        std=data_config["std"],
        crop=CropRecipe.from_timm(data_config),
        precision=config.precision,
    )


def _default_name(config: ModelConfig) -> str:
    if config.checkpoint is not None:
        return f"{config.name}+{Path(config.checkpoint).stem}"
    return config.name if config.weights == "pretrained" else f"{config.name} (random)"


def _load_network(config: ModelConfig) -> nn.Module:
    packaged = PACKAGED.get(config.name)
    architecture = packaged.architecture if packaged else config.name
    wants_hub = packaged is None and config.checkpoint is None and config.weights == "pretrained"
    head: dict[str, Any] = {} if config.num_classes is None else {"num_classes": config.num_classes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            network: nn.Module = timm.create_model(architecture, pretrained=wants_hub, **head)
        except Exception as error:
            raise ConfigurationError(
                f"could not make {config.name!r}: {type(error).__name__}: {_first_line(error)}"
                + ("; without a model hub give model.checkpoint=FILE" if wants_hub else "")
            ) from error
    if config.checkpoint is not None:
        _load_checkpoint(network, Path(config.checkpoint), remap=False)
    elif packaged and config.weights == "pretrained":
        _load_checkpoint(network, packaged.path(), remap=True)
    return network.eval()


def _load_checkpoint(network: nn.Module, path: Path, *, remap: bool) -> None:
    try:
        timm.models.load_checkpoint(network, str(path), remap=remap, weights_only=True)
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

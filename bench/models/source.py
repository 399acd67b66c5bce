"""Model sources: how the classifiers of each prefix of ``model.name`` are checked and loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from torch import nn

from bench.configs import ModelConfig
from bench.data.crop import CropRecipe
from bench.data.label_spaces import LabelSpace
from bench.errors import ConfigurationError, nearest_names

if TYPE_CHECKING:
    from bench.models.classifier import Classifier

DEFAULT_SOURCE = "timm"
"""Of names without a prefix."""
TIMM_PREFIXES = ("hf-hub:", "hf_hub:", "local-dir:")
"""Prefixes that are a part of timm's own names."""
SETTINGS = ("checkpoint", "weights", "num_classes", "options", "precision")
"""Fields of ``ModelConfig`` that some sources do not take."""


@dataclass(frozen=True)
class ModelOutline:
    """What is known of a classifier before its weights are loaded."""

    label_space: LabelSpace
    """What its logit columns mean."""
    crop: CropRecipe
    """The crop that its network expects."""
    has_gradient: bool = True
    """Whether autograd has a gradient from its logits to the image."""


@dataclass(frozen=True)
class ModelSource:
    """How the classifiers of one prefix of ``model.name`` are checked and loaded.

    The functions are given a config whose ``source`` is the prefix and whose ``name`` is what follows it.
    """

    outline: Callable[[ModelConfig], ModelOutline]
    """What is known before any weight is loaded; raises ConfigurationError where the model cannot be loaded."""
    load: Callable[[ModelConfig], Classifier]
    """The classifier, on the CPU."""
    bare_network: Callable[[ModelConfig], nn.Module] | None = None
    """The network without memory for its weights (on torch's ``meta`` device); None where it is not known before it is
    loaded."""
    settings: tuple[str, ...] = SETTINGS
    """Those of ``SETTINGS`` that it takes; the others are refused."""


_sources: dict[str, ModelSource] = {}


def register_model_source(prefix: str, source: ModelSource) -> None:
    """Make ``model.name=PREFIX:NAME`` and ``model.source=PREFIX`` known.

    Raises:
        ConfigurationError: the prefix is taken, or no plain word.
    """
    if not prefix.isidentifier():
        raise ConfigurationError(f"model source {prefix!r}: its prefix has to be a plain word")
    if _sources.setdefault(prefix, source) is not source:
        raise ConfigurationError(f"two model sources are called {prefix!r}: rename one")


def model_sources() -> Mapping[str, ModelSource]:
    """Prefix -> source, of all that are known."""
    return MappingProxyType(_sources)


def resolve(config: ModelConfig) -> tuple[ModelSource, ModelConfig]:
    """The source of a model, and the config with ``source`` filled in and ``name`` without the prefix.

    Raises:
        ConfigurationError: an unknown source, with the nearest names, or a setting that the source does not take.
    """
    prefix, name = _split(config)
    source = _sources[prefix]
    for item in fields(ModelConfig):
        if item.name in SETTINGS and item.name not in source.settings and getattr(config, item.name) != _default(item):
            raise ConfigurationError(f"model source {prefix} takes no model.{item.name}: leave it out")
    return source, replace(config, source=prefix, name=name)


def _default(item: object) -> object:
    return getattr(ModelConfig(), item.name)  # type: ignore[attr-defined]


def _split(config: ModelConfig) -> tuple[str, str]:
    if config.source is not None:
        if config.source not in _sources:
            hint = nearest_names(config.source, _sources)
            raise ConfigurationError(f"unknown model.source={config.source}: {hint}")
        return config.source, config.name.removeprefix(f"{config.source}:")
    prefix, colon, rest = config.name.partition(":")
    if not colon or config.name.startswith(TIMM_PREFIXES):
        return DEFAULT_SOURCE, config.name
    if prefix not in _sources:
        raise ConfigurationError(
            f"unknown model source {prefix!r} in model.name={config.name}: {nearest_names(prefix, _sources)}"
        )
    return prefix, rest

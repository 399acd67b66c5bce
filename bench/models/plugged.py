"""Sources of classifiers that plug-ins bring, beside timm, packages and hubs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.errors import ConfigurationError
from bench.models.classifier import Classifier

if TYPE_CHECKING:
    from bench.configs import ModelConfig
    from bench.models.loading import ModelOutline


@dataclass(frozen=True)
class ModelSource:
    """How the classifiers of one prefix of ``model.name`` are checked and loaded."""

    outline: Callable[[ModelConfig], ModelOutline]
    """What is known before any weight is loaded; raises ConfigurationError where the model cannot be loaded."""
    load: Callable[[ModelConfig], Classifier]
    """The classifier, on the CPU."""


_sources: dict[str, ModelSource] = {}


def register_model_source(prefix: str, source: ModelSource) -> None:
    """Make ``model.name=PREFIX:NAME`` known.

    Raises:
        ConfigurationError: the prefix is taken, or no plain word.
    """
    if not prefix.isidentifier():
        raise ConfigurationError(f"model source {prefix!r}: its prefix has to be a plain word")
    if _sources.setdefault(prefix, source) is not source:
        raise ConfigurationError(f"two model sources are called {prefix!r}: rename one")


def source_of(name: str) -> ModelSource | None:
    """The plug-in's source that ``model.name`` begins with; None for all others."""
    prefix, colon, _ = name.partition(":")
    return _sources.get(prefix) if colon else None

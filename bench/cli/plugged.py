"""Plug-ins on the command line: loaded before the configuration is composed, which may choose what they bring."""

from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any

from hydra.core.config_store import ConfigStore

from bench.cli.compose import parse_overrides
from bench.plugins import load_plugins, loaded_plugins


def load_named_plugins(overrides: Sequence[str]) -> None:
    """Load installed plug-ins and those that ``plugins=[FILE]`` names, and make their benchmarks known to Hydra.

    Raises:
        ConfigurationError: a plug-in that cannot be imported.
    """
    named = [
        item.value() for item in parse_overrides(overrides) if item.key_or_group == "plugins" and not item.is_delete()
    ]
    load_plugins([str(file) for files in named if isinstance(files, list) for file in files])
    if loaded_plugins():
        _register_benchmarks()


def _register_benchmarks() -> None:
    """``benchmark=NAME`` for the benchmarks of plug-ins, with the defaults of their fields."""
    from bench.benchmarks.registry import plugged_benchmarks  # imports torch, which plug-ins have done already

    for cls in plugged_benchmarks():
        node = {"name": cls.name, "_target_": f"{cls.__module__}.{cls.__qualname__}", **_defaults(cls)}
        ConfigStore.instance().store(group="benchmark", name=cls.name, node=node)


def _defaults(cls: type[Any]) -> dict[str, Any]:
    """Field -> default of a dataclass, those without one marked as to be given."""
    values: dict[str, Any] = {}
    for item in fields(cls):
        value = item.default_factory() if item.default_factory is not MISSING else item.default
        values[item.name] = "???" if value is MISSING else list(value) if isinstance(value, tuple) else value
    return values

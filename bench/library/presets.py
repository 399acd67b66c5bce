"""Benchmarks and suites by name: the yaml files in ``conf/``, read without Hydra."""

import importlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bench.conf_files import CONF
from bench.configs import DataConfig
from bench.errors import ConfigurationError, nearest_names
from bench.library.shifts import find_sets, log_once

if TYPE_CHECKING:  # the command line imports this module before it knows whether torch is needed
    from bench.benchmarks import Benchmark

Filled = TypeVar("Filled")


@dataclass(frozen=True)
class Entry:
    """One benchmark of a suite."""

    benchmark: "Benchmark"
    """What is run."""
    data: DataConfig | None = None
    """Images of its own; None where it takes those that are being evaluated."""
    settings: DataConfig | None = None
    """How its images are read, where they lie is for the caller to say; None where nothing special is known."""


def names_of(group: str) -> list[str]:
    """The choices of a group of ``conf/``: ``benchmark``, ``suite``, ...; in alphabetical order."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml") if path.stem != "schema")


def benchmark(name: str, **parameters: Any) -> "Benchmark":
    """A benchmark by name, with some of its parameters changed: ``benchmark("pgd", epsilons=["4/255"])``.

    Args:
        name: of ``conf/benchmark``: ``corruption``, ``pgd``, ...
        **parameters: its fields, as in the yaml.

    Raises:
        ConfigurationError: an unknown name or parameter, or a value of the wrong type.
    """
    return preset_benchmark(name, parameters=parameters).benchmark


def preset_benchmark(
    name: str, data: DataConfig | None = None, parameters: Mapping[str, Any] = MappingProxyType({})
) -> Entry:
    """The benchmark that ``conf/benchmark/<name>.yaml`` describes.

    Args:
        name: of the yaml.
        data: the images that it will be run on, to which yamls may refer.
        parameters: fields to change.

    Raises:
        ConfigurationError: there is none, with the nearest names; an unknown parameter.
    """
    node = OmegaConf.merge(_compose("benchmark", name), dict(parameters))
    return _entries({"benchmarks": {name: node}}, data)[name]


def preset_suite(name: str, data: DataConfig | None = None, shifts: str | None = None) -> dict[str, Entry]:
    """The benchmarks of ``conf/suite/<name>.yaml``, by entry.

    Args:
        name: of the yaml.
        data: the images that it will be run on, to which yamls may refer.
        shifts: a folder of published image sets; entries whose set is not there are left out.

    Raises:
        ConfigurationError: there is no such suite, with the nearest names; or it reads sets that are not there.
    """
    suite = _compose("suite", name)
    found = find_sets({str(entry): node for entry, node in suite.benchmarks.items()}, shifts)
    if found.sentence:
        log_once(found.sentence)
    return _entries({"benchmarks": dict(found.entries)}, data)


def build_benchmark(name: str, node: DictConfig) -> "Benchmark":
    """The benchmark a yaml describes.

    Args:
        name: what the suite calls it, for messages.
        node: ``_target_``, or the ``name`` of a registered benchmark; and the benchmark's fields.

    Raises:
        ConfigurationError: a ``_target_`` that is no benchmark, an unknown key, or a value of the wrong type.
    """
    from bench.benchmarks import Benchmark
    from bench.benchmarks.registry import benchmark_class, check_registered

    values: dict[str, Any] = {str(key): value for key, value in node.items() if key not in ("name", "data", "needs")}
    target = values.pop("_target_", None)
    cls = benchmark_class(str(node.get("name", name))) if target is None else _imported(name, str(target))
    if not isinstance(cls, type) or not issubclass(cls, Benchmark):
        raise ConfigurationError(f"benchmark {name!r}: {target} is not a bench.benchmarks.Benchmark")
    check_registered(cls, name)
    return filled(cls, values, f"benchmark {name!r}")


def _imported(name: str, target: str) -> Any:
    module, _, attribute = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"benchmark {name!r}: its _target_ {target!r} cannot be imported: {error}") from error


def filled(cls: type[Filled], values: Mapping[str, Any] | DictConfig, what: str) -> Filled:
    """A dataclass from a yaml's values, every key and type checked.

    Args:
        cls: the dataclass; what ``values`` leaves out has its default.
        values: by field.
        what: what is filled, for messages.

    Raises:
        ConfigurationError: an unknown key, or a value of the wrong type.
    """
    schema = OmegaConf.structured(cls)
    OmegaConf.set_readonly(schema, value=False)
    for key in map(str, values.keys() - schema.keys()):
        raise ConfigurationError(f"{what} has no parameter {key!r}: {nearest_names(key, schema.keys())}")
    try:
        merged = OmegaConf.merge(schema, values)
        typed = {key: _plain(merged[key]) for key in schema}
    except OmegaConfBaseException as error:
        raise ConfigurationError(f"{what}: {str(error).splitlines()[0]}") from error
    return cls(**typed)


def _plain(value: Any) -> Any:
    if OmegaConf.is_list(value):
        return tuple(OmegaConf.to_object(value))  # type: ignore[arg-type]
    return OmegaConf.to_container(value) if OmegaConf.is_dict(value) else value


def _entries(suite: Mapping[str, Any] | DictConfig, data: DataConfig | None) -> dict[str, Entry]:
    root = OmegaConf.merge(suite, {"data": {} if data is None else asdict(data)})
    return {str(entry): _entry(str(entry), node) for entry, node in root.benchmarks.items()}


def _entry(name: str, node: DictConfig) -> Entry:
    own, benchmark = node.get("data"), build_benchmark(name, node)
    if own is None:
        return Entry(benchmark)
    if not OmegaConf.is_missing(own, "root"):
        return Entry(benchmark, filled(DataConfig, own, f"{name}.data"))
    given = {key: value for key, value in own.items_ex(resolve=False) if key != "root"}
    return Entry(benchmark, settings=filled(DataConfig, given, f"{name}.data"))


def _compose(group: str, name: str) -> DictConfig:
    """A yaml with its defaults list resolved: ``name`` of the same group, and ``/group@place: name``."""
    path = CONF / group / f"{name}.yaml"
    if name not in names_of(group):
        raise ConfigurationError(f"unknown {group} {name!r}: {nearest_names(name, names_of(group))}")
    own = OmegaConf.load(path)
    assert isinstance(own, DictConfig)
    parts = [_default(group, item, path) for item in own.pop("defaults", [])]
    merged = OmegaConf.merge(*parts, own)
    assert isinstance(merged, DictConfig)
    return merged


def _default(group: str, item: Any, path: Path) -> DictConfig:
    if isinstance(item, str):
        return OmegaConf.create() if item in ("schema", "_self_") else _compose(group, item)
    ((place, name),) = item.items()
    other, _, package = str(place).removeprefix("/").partition("@")
    if not str(place).startswith("/") or not package or other.startswith("override "):
        raise ConfigurationError(f"{path}: cannot read {place!r} in its defaults without Hydra")
    result = OmegaConf.create()
    OmegaConf.update(result, package, _compose(other, str(name)), force_add=True)
    return result

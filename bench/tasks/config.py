"""From the composed Hydra config to typed settings, every mistake refused in one clear line."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from hydra.core.config_store import ConfigStore
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from bench.benchmarks import Benchmark
from bench.benchmarks.registry import benchmark_class, is_known, plugged_benchmarks
from bench.data import DataConfig
from bench.errors import ConfigurationError, nearest_names
from bench.models import DEFENSES, Defense, ModelConfig
from bench.records import SEED_LIMIT
from bench.results.files import why_no_folder
from bench.sweep import EngineConfig, RuntimeConfig
from bench.tracking import TrackerConfig
from bench.training import Recipe

_Filled = TypeVar("_Filled")


@dataclass(frozen=True)
class Settings:
    """One job: a classifier taken through a suite."""

    model: ModelConfig
    """The classifier."""
    defense: Defense | None
    """What stands in front of it."""
    data: DataConfig
    """The images, unless a benchmark brings its own."""
    benchmarks: Mapping[str, tuple[Benchmark, DataConfig]]
    """The suite, by name, each benchmark with its images."""
    runtime: RuntimeConfig
    """How to run."""
    engine: EngineConfig
    """Who runs it."""
    tracker: TrackerConfig
    """Where live figures go."""
    store: str
    """Where results go."""
    seed: int
    """The sweep's seed."""
    plugins: tuple[str, ...] = ()
    """Files of plug-ins, which every worker loads."""

    @property
    def name(self) -> str:
        """What messages call the classifier, before it is loaded."""
        return self.model.alias or self.model.name

    @property
    def auxiliary(self) -> frozenset[str]:
        """Entries of the suite whose images are not the main ones."""
        return frozenset(name for name, (_, data) in self.benchmarks.items() if data != self.data)

    @property
    def defense_identity(self) -> str:
        """Name and parameters of the defense, as cells are identified by them; empty for none."""
        return "" if self.defense is None else self.defense.describe()


def register_schemas() -> None:
    """Make the structured configs known to Hydra, so that it checks keys and types while composing."""
    store = ConfigStore.instance()
    store.store(group="model", name="schema", node=ModelConfig)
    store.store(group="data", name="schema", node=DataConfig)
    store.store(group="runtime", name="schema", node=RuntimeConfig)
    store.store(group="engine", name="schema", node=EngineConfig)
    store.store(group="recipe", name="schema", node=Recipe)
    store.store(group="tracker", name="schema", node=TrackerConfig)


def register_plugged_benchmarks() -> None:
    """Make ``benchmark=NAME`` known to Hydra for the benchmarks of plug-ins, with the defaults of their fields."""
    for cls in plugged_benchmarks():
        node = {"name": cls.name, "_target_": f"{cls.__module__}.{cls.__qualname__}", **_defaults(cls)}
        ConfigStore.instance().store(group="benchmark", name=cls.name, node=node)


def _defaults(cls: type[Any]) -> dict[str, Any]:
    """Field -> default of a dataclass, those without one marked as to be given."""
    found: dict[str, Any] = {}
    for item in fields(cls):
        value = item.default_factory() if item.default_factory is not MISSING else item.default
        found[item.name] = "???" if value is MISSING else list(value) if isinstance(value, tuple) else value
    return found


def read_settings(config: DictConfig) -> Settings:
    """Typed settings of a composed config.

    Raises:
        ConfigurationError: a value is missing, or a benchmark's parameter is unknown or of the wrong type.
    """
    data: DataConfig = _typed(config.data, "data")
    suite = {}
    for name, node in chosen_benchmarks(config).items():
        own = node.get("data")
        suite[name] = (build_benchmark(name, node), data if own is None else _typed(own, f"{name}.data"))
    return Settings(
        model=_typed(config.model, "model"),
        defense=build_defense(config.defense),
        data=data,
        benchmarks=suite,
        runtime=_typed(config.runtime, "runtime"),
        engine=_typed(config.engine, "engine"),
        tracker=read_tracker(config),
        store=str(config.store),
        seed=read_seed(config),
        plugins=plugin_files(config),
    )


def plugin_files(config: DictConfig) -> tuple[str, ...]:
    """The plug-ins that are named by file, as absolute paths: workers may have another working folder."""
    return tuple(str(Path(str(file)).resolve()) for file in config.get("plugins") or [])


def read_seed(config: DictConfig) -> int:
    """The sweep's seed.

    Raises:
        ConfigurationError: a seed that tables of 64-bit integers cannot hold.
    """
    seed = int(config.seed)
    if not 0 <= seed < SEED_LIMIT:
        raise ConfigurationError(f"seed={seed}: give a whole number from 0 and below 2**63, {SEED_LIMIT}")
    return seed


def report_folder(config: DictConfig) -> Path:
    """Where the report's files go: ``reports/<name>``.

    Raises:
        ConfigurationError: a name that leads elsewhere.
    """
    name = str(config.name)
    if name in ("", ".", "..") or set(name) & set("/\\\0"):
        raise ConfigurationError(f"name={name!r}: the name of one folder is wanted; reports=FOLDER says where it lies")
    return Path(str(config.reports)) / name


def check_report_folder(config: DictConfig) -> None:
    """Refuse, before any work, a report that cannot be written.

    Raises:
        ConfigurationError: naming the folder that cannot be made or written to.
    """
    folder = report_folder(config)
    reason = why_no_folder(folder)
    if reason:
        raise ConfigurationError(f"the report cannot be written to {folder}: {reason}; give reports=FOLDER")


def read_recipe(config: DictConfig) -> Recipe:
    """The recipe of ``task=harden``."""
    recipe: Recipe = _typed(config.recipe, "recipe")
    return recipe


def read_tracker(config: DictConfig) -> TrackerConfig:
    """Where live figures go."""
    tracker: TrackerConfig = _typed(config.tracker, "tracker")
    return tracker


def chosen_benchmarks(config: DictConfig) -> dict[str, DictConfig]:
    """The benchmark of ``benchmark=NAME``, else those of the suite, by name."""
    if config.get("benchmark") is not None:
        return {str(config.benchmark.name): config.benchmark}
    return {str(name): node for name, node in config.benchmarks.items()}


def filled(cls: type[_Filled], values: Mapping[str, Any] | DictConfig, what: str) -> _Filled:
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


def build_benchmark(name: str, node: DictConfig) -> Benchmark:
    """The benchmark a yaml describes.

    Args:
        name: what the suite calls it, for messages.
        node: ``_target_``, or the ``name`` of a registered benchmark; and the benchmark's fields.
    """
    values: dict[str, Any] = {str(key): value for key, value in node.items() if key not in ("name", "data")}
    target = values.pop("_target_", None)
    cls = benchmark_class(str(node.get("name", name))) if target is None else get_class(target)
    if not issubclass(cls, Benchmark):
        raise ConfigurationError(f"benchmark {name!r}: {target} is not a bench.benchmarks.Benchmark")
    if not is_known(cls.name) or benchmark_class(cls.name) is not cls:
        raise ConfigurationError(
            f"benchmark {name!r}: {target} is not registered, so no report would know its figures: decorate it with"
            " bench.benchmarks.register_benchmark and name its file with plugins=[FILE]"
        )
    return filled(cls, values, f"benchmark {name!r}")


def build_defense(node: DictConfig) -> Defense | None:
    """The defense a yaml describes (``name`` and the fields of its class); none for the name ``none``."""
    values: dict[str, Any] = {str(key): value for key, value in node.items() if key != "name"}
    if node.name == "none":
        return None
    if node.name not in DEFENSES:
        raise ConfigurationError(f"unknown defense {node.name!r}: {nearest_names(node.name, ['none', *DEFENSES])}")
    return filled(DEFENSES[node.name], values, f"defense {node.name!r}")


def _plain(value: Any) -> Any:
    if OmegaConf.is_list(value):
        return tuple(OmegaConf.to_object(value))  # type: ignore[arg-type]
    return OmegaConf.to_container(value) if OmegaConf.is_dict(value) else value


def _typed(node: DictConfig, where: str) -> Any:
    fields = OmegaConf.get_type(node).__dataclass_fields__  # type: ignore[union-attr]
    for key in map(str, node.keys() - fields.keys()):  # Hydra's +KEY=VALUE adds whatever it is given
        known = [f"{where}.{name}" for name in fields]
        raise ConfigurationError(f"unknown key '{where}.{key}': {nearest_names(f'{where}.{key}', known)}")
    try:
        return OmegaConf.to_object(node)
    except MissingMandatoryValue as error:
        raise ConfigurationError(
            f"{where}.{error.full_key} is needed here: add {where}.{error.full_key}=..."
        ) from error

"""Typed settings from the composed Hydra configuration; every mistake is refused in one clear line."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from bench.configs import BudgetConfig, DataConfig, ModelConfig, Recipe, TrackerConfig
from bench.errors import ConfigurationError, nearest_names
from bench.library.presets import build_benchmark, filled
from bench.library.shifts import find_sets, log_once
from bench.records import SEED_LIMIT

if TYPE_CHECKING:  # the command line imports this module before it knows whether torch is needed
    from bench.models import Defense
    from bench.sweep import Settings


def read_settings(config: DictConfig) -> "Settings":
    """Typed settings of a composed config.

    Raises:
        ConfigurationError: a value is missing, or a benchmark's parameter is unknown or of the wrong type.
    """
    from bench.sweep import Settings

    data: DataConfig = _typed(config.data, "data")
    suite = {}
    for name, node in chosen_benchmarks(config).items():
        own, benchmark = node.get("data"), build_benchmark(name, node)
        suite[name] = (benchmark, benchmark.data_of(data) if own is None else _typed(own, f"{name}.data"))
    return Settings(
        models=read_models(config),
        defense=build_defense(config.defense),
        data=data,
        benchmarks=suite,
        runtime=_typed(config.runtime, "runtime"),
        engine=_typed(config.engine, "engine"),
        store=str(config.store),
        seed=read_seed(config),
        plugins=plugin_files(config),
        budget=read_budget(config),
    )


def read_models(config: DictConfig) -> tuple[ModelConfig, ...]:
    """The classifiers of a job: those of ``models``, each with the other settings of ``model``; else ``model`` alone.

    Raises:
        ConfigurationError: an item that is neither a name nor a mapping of ``ModelConfig``'s keys.
    """
    models = []
    for number, item in enumerate(config.models):
        if not isinstance(item, str | DictConfig):
            raise ConfigurationError(f"models[{number}]={item}: give a name, or a mapping of model's keys")
        own = {"name": item} if isinstance(item, str) else item
        try:
            models.append(_typed(OmegaConf.merge(config.model, own), "model"))  # type: ignore[arg-type]
        except OmegaConfBaseException as error:
            raise ConfigurationError(f"models[{number}]: {str(error).splitlines()[0]}") from error
    return tuple(models) or (_typed(config.model, "model"),)


def read_budget(config: DictConfig) -> BudgetConfig:
    """How much of the sweep is run: ``budget=full``, a number of forward passes, or the keys of ``BudgetConfig``.

    Raises:
        ConfigurationError: anything else.
    """
    node = config.budget
    if isinstance(node, DictConfig):
        try:  # the section has no schema of its own, since budget=50000 replaces it
            budget: BudgetConfig = _typed(OmegaConf.merge(OmegaConf.structured(BudgetConfig), node), "budget")  # type: ignore[arg-type]
            return budget
        except OmegaConfBaseException as error:
            raise ConfigurationError(f"budget: {str(error).splitlines()[0]}") from error
    if node == "full":
        return BudgetConfig()
    if isinstance(node, int) and not isinstance(node, bool):
        return BudgetConfig(forwards=node)
    raise ConfigurationError(
        f"budget={node}: give full, a number of forward passes per classifier such as 50000, or"
        " budget.half_width=0.5 (docs/budgets.md)"
    )


def plugin_files(config: DictConfig) -> tuple[str, ...]:
    """Files of plug-ins as absolute paths, since workers may have another working folder."""
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
    """Folder of the report's files: ``reports/<name>``.

    Raises:
        ConfigurationError: a name that is no name of a single folder.
    """
    name = str(config.name)
    if name in ("", ".", "..") or set(name) & set("/\\\0"):
        raise ConfigurationError(f"name={name!r}: give the name of one folder; reports=FOLDER says where it lies")
    return Path(str(config.reports)) / name


def check_report_folder(config: DictConfig) -> None:
    """Refuse, before any work, a report that cannot be written.

    Raises:
        ConfigurationError: naming the folder that cannot be made or written to.
    """
    from bench.results.files import why_no_folder

    folder = report_folder(config)
    reason = why_no_folder(folder)
    if reason:
        raise ConfigurationError(f"the report cannot be written to {folder}: {reason}; give reports=FOLDER")


def check_max_images(config: DictConfig) -> None:
    """Refuse a negative number of pictured images.

    Raises:
        ConfigurationError: naming it.
    """
    if config.max_images < 0:
        raise ConfigurationError(f"max_images={config.max_images}: give the number of images, 0 for no pictures")


def decisions_path(config: DictConfig) -> Path:
    """The file or folder of decisions that ``path`` names.

    Raises:
        ConfigurationError: ``path`` is not given.
    """
    if config.path is None:
        raise ConfigurationError(f"task={config.task} needs path=FILE_OR_FOLDER, the decisions as CSV")
    return Path(str(config.path))


def read_recipe(config: DictConfig) -> Recipe:
    """The recipe of ``task=train_adversarial``."""
    recipe: Recipe = _typed(config.recipe, "recipe")
    return recipe


def read_tracker(config: DictConfig) -> TrackerConfig:
    """Settings of the tracker of live figures."""
    tracker: TrackerConfig = _typed(config.tracker, "tracker")
    return tracker


def chosen_benchmarks(config: DictConfig) -> dict[str, DictConfig]:
    """The benchmark of ``benchmark=NAME`` if there is one, else those of the suite; entry -> its node.

    Published sets are looked for in ``shifts.root``; entries of a suite whose set is not there are left out.

    Raises:
        ConfigurationError: the suite reads sets from a folder that is not given, or has none of them.
    """
    root = None if config.shifts.root is None else str(config.shifts.root)
    if config.get("benchmark") is None:
        found = find_sets({str(name): node for name, node in config.benchmarks.items()}, root)
        if found.sentence:
            log_once(found.sentence)
        return dict(found.entries)
    name = str(config.benchmark.name)
    if root is None:
        return {name: config.benchmark}
    return dict(find_sets({name: config.benchmark}, root).entries)


def build_defense(node: DictConfig) -> "Defense | None":
    """The defense that a yaml describes (``name`` and the fields of its class); None for the name ``none``."""
    from bench.models import DEFENSES

    values: dict[str, Any] = {str(key): value for key, value in node.items() if key != "name"}
    if node.name == "none":
        return None
    if node.name not in DEFENSES:
        raise ConfigurationError(f"unknown defense {node.name!r}: {nearest_names(node.name, ['none', *DEFENSES])}")
    return filled(DEFENSES[node.name], values, f"defense {node.name!r}")


def _typed(node: DictConfig, where: str) -> Any:
    fields = OmegaConf.get_type(node).__dataclass_fields__  # type: ignore[union-attr]
    for key in map(str, node.keys() - fields.keys()):  # Hydra's +KEY=VALUE adds any key
        known = [f"{where}.{name}" for name in fields]
        raise ConfigurationError(f"unknown key '{where}.{key}': {nearest_names(f'{where}.{key}', known)}")
    try:
        return OmegaConf.to_object(node)
    except MissingMandatoryValue as error:
        raise ConfigurationError(
            f"{where}.{error.full_key} is needed here: add {where}.{error.full_key}=..."
        ) from error

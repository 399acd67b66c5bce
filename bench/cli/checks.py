"""Check every job of a command before the first one starts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from bench.cli.compose import compose, expand_jobs, group_choices, opened_hydra, parse_overrides
from bench.cli.tasks import load_task, one_line
from bench.errors import ConfigurationError
from bench.plugins import load_plugins
from bench.tasks.support.config import plugin_files, report_folder

TYPES = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    list: ((list,), "a list, [ONE,ANOTHER]"),
    dict: ((dict,), "a section, whose keys are set one by one"),
}
SHORT_FORMS = ("budget",)
"""Sections that one value may stand for; the tasks that read them check it."""


def preflight(overrides: Sequence[str], *, config_dir: str | None = None, config_name: str = "config") -> None:
    """Compose and check every job that ``overrides`` ask for.

    Args:
        overrides: of the command line, sweeps included.
        config_dir: a folder of yaml files beside the project's own.
        config_name: of the primary yaml file.

    Raises:
        ConfigurationError: one line that says what is wrong, with the nearest valid names.
        DataError: images that cannot be used.
    """
    hydras = [str(item.input_line) for item in parse_overrides(overrides) if item.is_hydra_override()]
    defaults: dict[tuple[str, ...], DictConfig] = {}
    with opened_hydra(config_dir):
        for number, job in enumerate(expand_jobs(overrides)):
            config = compose([*job, *hydras], config_name)
            if number == 0:
                _check_hydra(config.hydra)
                _check_run_folder(config.hydra)
            _refuse_suite_beside_benchmark(job, config)
            _refuse_model_beside_models(job, config)
            chosen = (*group_choices(job), *(item for item in hydras if item.startswith("hydra.searchpath=")))
            if chosen != (*job, *hydras):  # else the configuration is its own default
                if chosen not in defaults:
                    defaults[chosen] = compose(chosen, config_name)
                _check_types(config, defaults[chosen])
            report_folder(config)
            load_plugins(plugin_files(config))
            task = load_task(str(config.task))
            if hasattr(task, "check"):
                task.check(config)


def refuse_sweep(overrides: Sequence[str]) -> None:
    """Refuse several values of one key where ``-m`` does not ask for a sweep.

    Raises:
        ConfigurationError: naming the override.
    """
    for item in parse_overrides(overrides):
        if item.is_sweep_override():
            raise ConfigurationError(f"{item.input_line} is a sweep over several jobs: add -m")


def _check_hydra(hydra: DictConfig) -> None:
    """Refuse a launcher that cannot be used, and sweeps whose jobs cannot be known before they start."""
    if not hydra.sweeper._target_.endswith(".BasicSweeper") or hydra.sweeper.params:
        raise ConfigurationError("hydra.sweeper: list a sweep's jobs on the command line, KEY=ONE,ANOTHER with -m")
    try:
        get_class(hydra.launcher._target_)
    except Exception as error:
        message = f"the launcher {hydra.launcher._target_} cannot be used: {one_line(error)}"
        raise ConfigurationError(message) from error


def _check_run_folder(hydra: DictConfig) -> None:
    from bench.results.files import why_no_folder  # not for lists of names, which start in a moment

    folder = Path(str(hydra.run.dir))
    reason = why_no_folder(folder)
    if reason:
        raise ConfigurationError(f"hydra.run.dir={folder} cannot be made: {reason}")


def _refuse_suite_beside_benchmark(overrides: Sequence[str], config: DictConfig) -> None:
    """``benchmark=NAME`` runs by its own yaml: a suite given beside it, and its threat model, would be ignored."""
    given = dict(override.partition("=")[::2] for override in overrides)
    if "suite" not in given or "benchmark" not in given:
        return
    own = config.benchmark
    entry = config.benchmarks.get(own.name, {})
    settings = _flat({key: value for key, value in entry.items() if value != own.get(key)}, "benchmark.")
    instead = f"leave out suite={given['suite']}" + (f" and give {' '.join(settings)}" if settings else "")
    raise ConfigurationError(
        f"benchmark={given['benchmark']} is run instead of a suite, with settings of its own: {instead}; or leave out"
        " benchmark, to run the whole suite"
    )


def _refuse_model_beside_models(overrides: Sequence[str], config: DictConfig) -> None:
    """``models`` replaces ``model``: one that is named beside it would be ignored."""
    named = [item for item in overrides if item.partition("=")[0] in ("model", "model.name", "model.alias")]
    if config.get("models") and named:
        raise ConfigurationError(
            f"{named[0]} beside models, which is run in place of it: add the name to models, or leave one of both out"
        )


def _flat(node: Mapping[str, Any] | DictConfig, prefix: str) -> list[str]:
    """Every value of ``node`` as the override that sets it."""
    settings = []
    for key, value in node.items():
        if isinstance(value, DictConfig):
            settings += _flat(value, f"{prefix}{key!s}.")
        else:
            settings.append(f"{prefix}{key!s}={str(value).replace(' ', '').replace(chr(39), '')}")
    return settings


def _check_types(config: DictConfig, usual: DictConfig) -> None:
    """Refuse a value at the top that is of another type than its default; the sections check their own."""
    given, defaults = (dict(OmegaConf.to_container(node, resolve=False)) for node in (config, usual))  # type: ignore[arg-type]
    for key, default in defaults.items():
        kinds, expected = TYPES.get(type(default), (None, ""))
        if key not in given:
            raise ConfigurationError(f"the configuration lacks {key!r}: leave out the override that deletes it")
        if kinds is not None and type(given[key]) not in kinds and key not in SHORT_FORMS:
            raise ConfigurationError(f"{key}={given[key]}: give {expected}")

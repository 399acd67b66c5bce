"""The command line: every job of a sweep is composed and checked before the first one starts."""

import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import bench.tasks
from bench.errors import ConfigurationError, DataError, TrackingError, nearest_names
from bench.plugins import load_plugins
from bench.tasks.config import plugin_files, register_plugged_benchmarks, register_schemas, report_folder

CONF = Path(__file__).resolve().parents[2] / "conf"
GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name != "hydra")
TYPES = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    list: ((list,), "a list, [ONE,ANOTHER],"),
    dict: ((dict,), "a section, whose keys are set one by one,"),
}


def main(job: Callable[[], None]) -> int:
    """Check the command line, then hand over to Hydra.

    Args:
        job: the function decorated with ``hydra.main``.

    Returns:
        0; 1 where something failed, 2 where something was refused before any work, 130 where the user stopped it. The
        last line says what is missing. A sweep with failures exits by itself (``bench.tasks.sweep_end``).
    """
    register_schemas()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra would end in a line of its own
    try:
        arguments = get_args_parser().parse_args()
        _load_named_plugins(arguments.overrides)
        if arguments.run or arguments.multirun or not (arguments.cfg or arguments.hydra_help or arguments.info):
            if not arguments.multirun and "hydra.mode=MULTIRUN" not in arguments.overrides:
                _refuse_sweep(arguments.overrides)
            preflight(arguments.overrides)
        job()
    except (ConfigurationError, DataError) as error:  # of the checks: jobs end with a code of their own
        print(f"snowwolf: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nsnowwolf: stopped. Finished chunks are stored; the same command goes on from there.", file=sys.stderr)
        return 130
    except Exception as error:
        _say_what_failed(error)
        return 1
    return 0


def _load_named_plugins(overrides: Sequence[str]) -> None:
    """Load installed plug-ins and those of the command line, before Hydra looks for the benchmarks they bring."""
    named = [item.value() for item in _parsed(overrides) if item.key_or_group == "plugins" and not item.is_delete()]
    load_plugins([str(file) for files in named if isinstance(files, list) for file in files])
    register_plugged_benchmarks()


def preflight(overrides: Sequence[str]) -> None:
    """Compose and check every job that ``overrides`` ask for.

    Raises:
        ConfigurationError: one line saying what is wrong, with the nearest valid names.
        DataError: images that cannot be used.
    """
    with hydra.initialize_config_dir(str(CONF), version_base="1.3", job_name="run"):
        hydras = [str(item.input_line) for item in _parsed(overrides) if item.is_hydra_override()]
        for number, job in enumerate(expand_jobs(overrides)):
            first = number == 0
            config = _compose([*job, *hydras] if first else job, hydra_too=first)
            if first:
                _check_hydra(config.hydra)
            _refuse_suite_beside_benchmark(job, config)
            _check_types(config, _usual(tuple(_choices(job))))
            report_folder(config)
            load_plugins(plugin_files(config))
            task = load_task(str(config.task))
            if hasattr(task, "check"):
                task.check(config)
    GlobalHydra.instance().clear()


def expand_jobs(overrides: Sequence[str]) -> Iterator[list[str]]:
    """The overrides of each job of the sweep, Hydra's own left out."""
    parsed = _parsed(overrides)
    for item in parsed:
        chooses = item.key_or_group in GROUPS and not item.is_delete() and not item.is_sweep_override()
        if chooses and not isinstance(item.value(), str):
            names = [path.stem for path in (CONF / item.key_or_group).glob("*.yaml")]
            raise ConfigurationError(f"{item.input_line}: a name is wanted; {nearest_names('', names)}")
    yield from BasicSweeper.split_arguments([item for item in parsed if not item.is_hydra_override()], None)[0]


def _parsed(overrides: Sequence[str]) -> list[Override]:
    try:
        parsed: list[Override] = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise ConfigurationError(_one_line(error)) from error
    return parsed


def load_task(name: str) -> "bench.tasks.Task":
    """The module of a task.

    Raises:
        ConfigurationError: there is no such task.
    """
    names = [path.stem for path in (CONF / "task").glob("*.yaml")]
    if name not in names:
        raise ConfigurationError(f"unknown task {name!r}: {nearest_names(name, names)}")
    module: bench.tasks.Task = importlib.import_module(f"bench.tasks.{name}")
    return module


def run_task(config: DictConfig) -> None:
    """Run the task a config names; what the user can mend ends in one line and an exit code."""
    try:
        load_plugins(plugin_files(config))
        load_task(str(config.task)).run(config)
    except (ConfigurationError, DataError, TrackingError) as error:
        print(f"snowwolf: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, ConfigurationError) else 1)
    except Exception as error:
        _say_what_failed(error)
        sys.exit(1)


def _say_what_failed(error: Exception) -> None:
    traceback.print_exception(error)
    print(f"snowwolf: {type(error).__name__}: {_one_line(error)}", file=sys.stderr)


def _check_hydra(hydra: DictConfig) -> None:
    """Refuse a launcher that cannot be used, and sweeps whose jobs cannot be known before they start."""
    if not hydra.sweeper._target_.endswith(".BasicSweeper") or hydra.sweeper.params:
        raise ConfigurationError("hydra.sweeper: list a sweep's jobs on the command line, KEY=ONE,ANOTHER with -m")
    try:
        get_class(hydra.launcher._target_)
    except Exception as error:
        message = f"the launcher {hydra.launcher._target_} cannot be used: {_one_line(error)}"
        raise ConfigurationError(message) from error


def _compose(overrides: list[str], *, hydra_too: bool = False) -> DictConfig:
    try:
        return hydra.compose("config", overrides=overrides, return_hydra_config=hydra_too)
    except MissingConfigException as error:
        raise ConfigurationError(_missing_choice(error)) from error
    except (ConfigCompositionException, OmegaConfBaseException) as error:
        raise ConfigurationError(_bad_override(error, overrides)) from error
    except HydraException as error:
        raise ConfigurationError(_one_line(error)) from error


def _missing_choice(error: MissingConfigException) -> str:
    group, _, choice = (error.missing_cfg_file or "").rpartition("/")
    if group == "hydra/launcher" and choice.startswith("submitit_"):
        return f"hydra/launcher={choice} needs a package: pip install 'snowwolf[slurm]'"
    options = [option for option in (error.options or []) if option != "schema"]
    return f"unknown {group} {choice!r}: {nearest_names(choice, options)}" if group else _one_line(error)


def _bad_override(error: BaseException, overrides: list[str]) -> str:
    """The message for an unknown key or a wrong type, with the keys that are most like it."""
    cause = error.__cause__ or error
    key = re.match(r"(?:Could not override '|Error merging override )([^'=]+)", str(error))
    if key is None:
        return _one_line(error)
    if "not in struct" in str(cause) or "not in" in str(cause):
        return f"unknown key {key[1]!r}: {nearest_names(key[1], _known_keys(key[1], overrides))}"
    return f"{key[1]}: {str(cause).splitlines()[0]}"


def _refuse_sweep(overrides: Sequence[str]) -> None:
    for item in _parsed(overrides):
        if item.is_sweep_override():
            raise ConfigurationError(f"{item.input_line} is a sweep over several jobs: add -m")


def _refuse_suite_beside_benchmark(overrides: Sequence[str], config: DictConfig) -> None:
    """``benchmark=NAME`` runs by its own yaml: a suite given beside it, and its threat model, would go unread."""
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


def _flat(node: Mapping[str, Any] | DictConfig, prefix: str) -> list[str]:
    """Every value of ``node`` as the override that sets it."""
    settings = []
    for key, value in node.items():
        if isinstance(value, DictConfig):
            settings += _flat(value, f"{prefix}{key!s}.")
        else:
            settings.append(f"{prefix}{key!s}={str(value).replace(' ', '').replace(chr(39), '')}")
    return settings


def _choices(overrides: Sequence[str]) -> list[str]:
    """The overrides that choose a yaml."""
    return [override for override in overrides if override.partition("=")[0] in GROUPS]


@lru_cache
def _usual(choices: tuple[str, ...]) -> DictConfig:
    """The configuration with its defaults for all but the choices."""
    return hydra.compose("config", overrides=list(choices))


def _check_types(config: DictConfig, usual: DictConfig) -> None:
    """Refuse a value at the top that is of another type than its default; the sections check their own."""
    given, defaults = (dict(OmegaConf.to_container(node, resolve=False)) for node in (config, usual))  # type: ignore[arg-type]
    for key, default in defaults.items():
        kinds, wanted = TYPES.get(type(default), (None, ""))
        if key not in given:
            raise ConfigurationError(f"the configuration lacks {key!r}: leave out the override that deletes it")
        if kinds is not None and type(given[key]) not in kinds:
            raise ConfigurationError(f"{key}={given[key]}: {wanted} is wanted")


def _known_keys(like: str, overrides: list[str]) -> list[str]:
    keys: list[str] = []

    def collect(node: DictConfig, prefix: str) -> None:
        for key in map(str, node):
            keys.append(f"{prefix}{key}")
            child = None if OmegaConf.is_missing(node, key) else node._get_node(key)
            if isinstance(child, DictConfig):
                collect(child, f"{prefix}{key!s}.")

    if like.startswith("hydra."):
        collect(_compose([], hydra_too=True).hydra, "hydra.")
        return keys
    collect(_usual(tuple(_choices(overrides))), "")
    return [*keys, *GROUPS]


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())

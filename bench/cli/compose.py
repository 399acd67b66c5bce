"""Compose the configuration of a job as Hydra will, and turn each of Hydra's errors into one clear line."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hydra
from hydra import version
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bench.cli.tasks import one_line
from bench.conf_files import CONF, choices, groups
from bench.errors import ConfigurationError, nearest_names

GROUPS = groups()
VERSION_BASE = "1.3"
"""Hydra's defaults are those of this version."""


@contextmanager
def opened_hydra(config_dir: str | None = None) -> Iterator[Hydra]:
    """Hydra with one search path for checks and runs: the project's ``conf/``, then the user's folder.

    Args:
        config_dir: a folder of yaml files beside the project's own, as ``--config-dir`` gives it.
    """
    version.setbase(VERSION_BASE)
    path = create_config_search_path(str(CONF))
    if config_dir is not None:
        folder = f"file://{Path(config_dir).absolute()}"
        path.prepend(provider="command-line", path=folder, anchor=SearchPathQuery(provider="schema"))
    GlobalHydra.instance().clear()
    try:
        yield Hydra.create_main_hydra2("snowwolf", path)
    finally:
        GlobalHydra.instance().clear()


def compose(overrides: Sequence[str], config_name: str = "config") -> DictConfig:
    """The configuration of one job, Hydra's section included; inside ``opened_hydra``.

    Raises:
        ConfigurationError: one line that says what is wrong, with the nearest valid names.
    """
    try:
        return hydra.compose(config_name, overrides=list(overrides), return_hydra_config=True)
    except MissingConfigException as error:
        raise ConfigurationError(_missing_choice(error)) from error
    except (ConfigCompositionException, OmegaConfBaseException) as error:
        raise ConfigurationError(_bad_override(error, overrides)) from error
    except HydraException as error:
        raise ConfigurationError(one_line(error)) from error


def parse_overrides(overrides: Sequence[str]) -> list[Override]:
    """The parts of each ``key=value``.

    Raises:
        ConfigurationError: text that is no override.
    """
    try:
        parsed: list[Override] = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise ConfigurationError(one_line(error)) from error
    return parsed


def expand_jobs(overrides: Sequence[str]) -> Iterator[list[str]]:
    """The overrides of each job of a sweep, without Hydra's own.

    Raises:
        ConfigurationError: a group whose choice is not a name.
    """
    parsed = parse_overrides(overrides)
    for item in parsed:
        chooses = item.key_or_group in GROUPS and not item.is_delete() and not item.is_sweep_override()
        if chooses and not isinstance(item.value(), str):
            names = choices(item.key_or_group)
            raise ConfigurationError(f"{item.input_line}: give the name of one choice; {nearest_names('', names)}")
    yield from BasicSweeper.split_arguments([item for item in parsed if not item.is_hydra_override()], None)[0]


def group_choices(overrides: Sequence[str]) -> list[str]:
    """Those of the overrides that choose a yaml file, such as ``model=lite0``."""
    return [override for override in overrides if override.partition("=")[0] in GROUPS]


def _missing_choice(error: MissingConfigException) -> str:
    group, _, choice = (error.missing_cfg_file or "").rpartition("/")
    if group == "hydra/launcher" and choice.startswith("submitit_"):
        return f"hydra/launcher={choice} needs a package: pip install 'snowwolf[slurm]'"
    options = [option for option in (error.options or []) if option != "schema"]
    return f"unknown {group} {choice!r}: {nearest_names(choice, options)}" if group else one_line(error)


def _bad_override(error: BaseException, overrides: Sequence[str]) -> str:
    """The message for an unknown key or a wrong type, with the keys that are most like it."""
    cause = error.__cause__ or error
    key = re.match(r"(?:Could not override '|Error merging override )([^'=]+)", str(error))
    if key is None:
        return one_line(error)
    if "not in struct" in str(cause) or "not in" in str(cause):
        return f"unknown key {key[1]!r}: {nearest_names(key[1], _known_keys(key[1], overrides))}"
    return f"{key[1]}: {str(cause).splitlines()[0]}"


def _known_keys(like: str, overrides: Sequence[str]) -> list[str]:
    keys: list[str] = []

    def collect(node: DictConfig, prefix: str) -> None:
        for key in map(str, node):
            keys.append(f"{prefix}{key}")
            child = None if OmegaConf.is_missing(node, key) else node._get_node(key)
            if isinstance(child, DictConfig):
                collect(child, f"{prefix}{key!s}.")

    if like.startswith("hydra."):
        collect(compose([]).hydra, "hydra.")
        return keys
    search_path = [override for override in overrides if override.startswith("hydra.searchpath=")]
    composed = compose([*group_choices(overrides), *search_path])
    collect(OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"]), "")
    return [*keys, *GROUPS]

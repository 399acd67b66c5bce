"""``snowwolf.yaml`` in the working folder: the user's own defaults, as overrides that the command line overrules."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf

from bench.cli.compose import GROUPS, parse_overrides
from bench.cli.tasks import one_line
from bench.errors import ConfigurationError

FILE = "snowwolf.yaml"
_PLAIN = re.compile(r"[A-Za-z_./][\w./-]*")
_WORDS_WITH_A_MEANING = ("null", "true", "false", "nan", "inf")
_INSTEAD = {"benchmark": ("suite",), "suite": ("benchmark",)}
"""A choice on the command line -> the groups whose choice in the file it replaces, beside its own."""


def read_defaults(folder: Path) -> list[str]:
    """The overrides that ``snowwolf.yaml`` in ``folder`` stands for; none where there is no such file.

    ``data: folder`` chooses a yaml file, ``runtime: {batch_size: 8}`` and ``runtime.batch_size: 8`` set a value.

    Raises:
        ConfigurationError: naming the file, where it is not a mapping of keys that Hydra can read.
    """
    path = folder / FILE
    if not path.is_file():
        return []
    try:
        content = OmegaConf.load(path)
    except Exception as error:  # of the YAML reader, of OmegaConf, or of the disk
        raise ConfigurationError(f"{path}: it cannot be read as YAML: {one_line(error)}") from error
    if not isinstance(content, DictConfig):
        raise ConfigurationError(f"{path}: write KEY: VALUE lines, as in 'data.root: /imagenet/val'")
    values: Any = OmegaConf.to_container(content, resolve=False)
    overrides = _overrides(values)
    try:
        parse_overrides(overrides)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return overrides


def with_defaults(defaults: Sequence[str], given: Sequence[str]) -> list[str]:
    """The defaults that the command line leaves in force, then the command line.

    Args:
        defaults: of the file.
        given: of the command line. A choice such as ``data=samples`` replaces all that the file says of ``data``.
    """
    keys = {item.key_or_group for item in parse_overrides(given)}
    replaced = {group for key in keys & set(GROUPS) for group in (key, *_INSTEAD.get(key, ()))}
    kept = [item for item in parse_overrides(defaults) if item.key_or_group.partition(".")[0] not in replaced]
    return [*(str(item.input_line) for item in kept if item.key_or_group not in keys), *given]


def _overrides(values: Mapping[Any, Any], prefix: str = "") -> list[str]:
    overrides = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            overrides += _overrides(value, f"{prefix}{key}.")
        else:
            overrides.append(f"{prefix}{key}={_text(value)}")
    return overrides


def _text(value: Any) -> str:
    """A value in Hydra's grammar; a comma in a string is a comma, not a sweep."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, str):
        return str(value)
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS_WITH_A_MEANING
    return value if plain else str(QuotedString(text=value, quote=Quote.single).with_quotes())

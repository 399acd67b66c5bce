"""The command's entry point: from arguments to an exit code."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from hydra import version
from hydra._internal.utils import _run_hydra, get_args_parser

from bench import __version__
from bench.cli.checks import preflight, refuse_sweep
from bench.cli.completion import print_suggestions
from bench.cli.compose import VERSION_BASE, compose, opened_hydra
from bench.cli.defaults_file import FILE, read_defaults, with_defaults
from bench.cli.discover import LISTS, print_list
from bench.cli.help import help_text
from bench.cli.plugged import load_named_plugins
from bench.cli.schemas import register_schemas
from bench.cli.shortcuts import as_quickstart, is_quickstart, with_inferred_data
from bench.cli.tasks import report_failure, run_task
from bench.cli.text import shown_messages
from bench.conf_files import CONF
from bench.errors import ConfigurationError, DataError, nearest_names


@dataclass(frozen=True)
class Command:
    """What is to be run."""

    overrides: Sequence[str]
    """In Hydra's grammar, in the order in which they apply."""
    several: bool
    """Whether it is a sweep over jobs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; those of this process when left out.

    Returns:
        0; 1 where something failed, 2 where something was refused before any work, 130 where the user stopped it. The
        last line says what is missing. A sweep with failures exits by itself (``bench.cli.sweep_end``).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra would end in a line of its own
    try:
        _dispatch(words)
    except (ConfigurationError, DataError) as error:  # of the checks: jobs end with a code of their own
        print(f"snowwolf: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nsnowwolf: stopped. Finished chunks are stored; the same command goes on from there.", file=sys.stderr)
        return 130
    except Exception as error:
        report_failure(error)
        return 1
    return 0


def _dispatch(words: list[str]) -> None:
    if "--version" in words:  # Hydra's parser would print Hydra's
        print(f"snowwolf {__version__}")
        return
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    arguments = parser.parse_args(words)
    _refuse_options(arguments)
    folders = [CONF, *([Path(arguments.config_dir)] if arguments.config_dir else [])]
    if arguments.help:
        print(help_text(folders))
    elif arguments.overrides and arguments.overrides[0] in LISTS:
        print_list(arguments.overrides[0], arguments.overrides[1:], folders)
    else:
        register_schemas()
        _run(arguments, parser)


def _refuse(message: str) -> NoReturn:
    raise ConfigurationError(f"{message}; snowwolf --help shows what there is")


def _refuse_options(arguments: argparse.Namespace) -> None:
    if arguments.config_path is not None:
        raise ConfigurationError("--config-path would replace the project's configuration: add yours by --config-dir")
    if arguments.config_dir is not None and not Path(arguments.config_dir).is_dir():
        raise ConfigurationError(f"--config-dir {arguments.config_dir}: no folder there")
    if any(word.startswith("hydra.mode=") for word in arguments.overrides):
        raise ConfigurationError("hydra.mode is set by -m: with it the command is a sweep, without it one job")
    if arguments.experimental_rerun is not None:
        raise ConfigurationError("--experimental-rerun reads a pickle, which can run any code: repeat the command")


def _run(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Check the command, then run it; or let Hydra show or complete what was asked for."""
    given = Command(arguments.overrides, arguments.multirun)
    if arguments.shell_completion or arguments.cfg or arguments.info or arguments.hydra_help:
        _show(arguments, parser, given)
        return
    for word in given.overrides:
        if "=" not in word and not word.startswith("~"):
            hint = nearest_names(word, LISTS)
            raise ConfigurationError(f"{word!r} is not a list of names, nor a setting KEY=VALUE: {hint}")
    defaults = read_defaults(Path.cwd())
    load_named_plugins(with_defaults(defaults, given.overrides))
    command = _understand(arguments, defaults, given)
    with opened_hydra(arguments.config_dir) as hydra:
        run = hydra.multirun if command.several else hydra.run
        mode = f"hydra.mode={'MULTIRUN' if command.several else 'RUN'}"
        run(arguments.config_name or "config", run_task, [*command.overrides, mode])


def _show(arguments: argparse.Namespace, parser: argparse.ArgumentParser, given: Command) -> None:
    def run_hydra() -> None:
        _run_hydra(
            args=arguments, args_parser=parser, task_function=run_task, config_path=str(CONF), config_name="config"
        )

    version.setbase(VERSION_BASE)
    if arguments.shell_completion and any(word.startswith("query=") for word in given.overrides):
        print_suggestions(run_hydra)
        return
    if not arguments.shell_completion:
        overrides = with_defaults(read_defaults(Path.cwd()), given.overrides)
        load_named_plugins(overrides)
        arguments.overrides = with_inferred_data(overrides, arguments.config_dir)
        with opened_hydra(arguments.config_dir):
            compose(arguments.overrides, arguments.config_name or "config")  # a mistake is refused in one line
    run_hydra()


def _understand(arguments: argparse.Namespace, defaults: Sequence[str], given: Command) -> Command:
    """The command with the user's defaults and with what it leaves unsaid, checked.

    Raises:
        ConfigurationError: one line; it names the file of defaults where the mistake may be there.
        DataError: images that cannot be used.
    """
    if not given.several:
        refuse_sweep(given.overrides)
    try:
        return _checked(arguments, replace(given, overrides=with_defaults(defaults, given.overrides)))
    except (ConfigurationError, DataError) as error:
        where = _where(arguments, defaults, given, str(error)) if defaults else ""
        if not where:
            raise
        raise type(error)(f"{where}{error}") from error


def _where(arguments: argparse.Namespace, defaults: Sequence[str], given: Command, message: str) -> str:
    """What to write before ``message``: the file of defaults where it is to blame, or where the command alone works."""
    path = Path.cwd() / FILE
    if _refusal(arguments, replace(given, overrides=defaults)) == message:
        return f"{path}: "
    return f"with the defaults of {path}: " if not _refusal(arguments, given) else ""


def _refusal(arguments: argparse.Namespace, command: Command) -> str:
    try:
        _checked(arguments, command)
    except (ConfigurationError, DataError) as error:
        return str(error)
    return ""


def _checked(arguments: argparse.Namespace, command: Command) -> Command:
    overrides = list(command.overrides)
    quickstart = is_quickstart(overrides) and not arguments.run
    if quickstart:
        overrides = as_quickstart(overrides)
    overrides = with_inferred_data(overrides, arguments.config_dir)
    with shown_messages():
        preflight(overrides, config_dir=arguments.config_dir, config_name=arguments.config_name or "config")
    return Command(overrides, command.several or quickstart)

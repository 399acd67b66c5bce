"""The text of ``snowwolf --help``."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from bench.cli.text import WIDTH, aligned
from bench.conf_files import choices, groups

_HEAD = """\
snowwolf: how accurate, robust and biased are image classifiers?
Takes models (timm, torchvision, Hugging Face, CLIP, ONNX, your own code) through clean accuracy,
corruptions, attacks and shape-or-texture sets, on your images; keeps every outcome in a store, from
which a stopped sweep goes on; ends in tables and a leaderboard page.

usage: snowwolf [-m] [KEY=VALUE ...]   one job; with -m a sweep over KEY=ONE,ANOTHER
       snowwolf LIST [PATTERN]         names and what they are; LIST is models, benchmarks, attacks,
                                       data, suites, defenses or tasks"""

_COMMANDS = [
    ("snowwolf", "the quickstart: 3 models, embedded images"),
    ("snowwolf store=runs/mine", "the same, with a store of its own"),
    ("snowwolf model.name=resnet50 data.root=/imagenet/val", "one model on your class folders"),
    ("snowwolf -m model.name=resnet50,convnext_tiny suite=imagenet data.root=/imagenet/val", "a sweep"),
    ("snowwolf benchmark=pgd benchmark.epsilons=[4/255] data.limit=500", "one benchmark, 500 images"),
    ("snowwolf task=report", "tables and page again, from the store"),
    ("snowwolf task=compare baseline=resnet50 candidate=convnext_tiny", "do they differ, and on what?"),
    ("snowwolf models 'convnext*'", "find a model by its name"),
    ("snowwolf task=list", "what the store holds and lacks"),
]
_OPTIONS = [
    ("-m, --multirun", "run one job for each combination of comma-separated values"),
    ("-cd, --config-dir DIR", "add yaml files of your own: DIR/model/mine.yaml is model=mine"),
    ("-c, --cfg job", "print everything that can be set, with its value, and run nothing"),
    ("-sc install=bash", 'shell completion: eval "$(snowwolf -sc install=bash)"; also zsh and fish'),
    ("--version", "print the version"),
    ("--hydra-help", "the options of Hydra, which reads the configuration"),
]
_TAIL = """\
snowwolf.yaml in the working folder gives defaults of yours (data.root: /imagenet/val), which the
command line overrules. Relative paths start in the working folder. Exit codes: 0 all done,
1 something failed, 2 refused before any work."""


def help_text(folders: Sequence[Path]) -> str:
    """What the command does, everyday commands, tasks, groups and their choices.

    Args:
        folders: the project's configuration, then those of ``--config-dir``.
    """
    tasks = list(choices("task", folders).items())
    names = [name for name in groups(folders) if name != "task"]
    return "\n".join(
        [
            _HEAD,
            "\neveryday commands:",
            _pairs(_COMMANDS),
            "\ntasks (task=NAME):",
            aligned(tasks, indent="  "),
            "\ngroups (GROUP=NAME):",
            *(_group(name, list(choices(name, folders)), max(map(len, names))) for name in names),
            "\noptions:",
            aligned(_OPTIONS, indent="  "),
            "",
            _TAIL,
        ]
    )


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    """Commands and what they do; a long command has a line of its own."""
    left = 54
    lines = []
    for command, does in pairs:
        fits = len(command) < left
        lines += [f"  {command:{left}}{does}"] if fits else [f"  {command}", " " * (left + 2) + does]
    return "\n".join(lines)


def _group(name: str, options: Sequence[str], width: int) -> str:
    indent = " " * (width + 4)
    return textwrap.fill(", ".join(options), WIDTH, initial_indent=f"  {name:{width}}  ", subsequent_indent=indent)

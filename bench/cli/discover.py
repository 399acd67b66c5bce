"""``snowwolf models 'convnext*'`` and its like: what can be named, one line each."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from bench.cli.text import aligned
from bench.conf_files import choices
from bench.errors import ConfigurationError, nearest_names

LISTS = {
    "models": "model",
    "benchmarks": "benchmark",
    "attacks": "",
    "data": "data",
    "suites": "suite",
    "defenses": "defense",
    "tasks": "task",
}
"""The word on the command line -> the configuration group that it lists; empty where it is not a group."""


def print_list(what: str, patterns: Sequence[str], folders: Sequence[Path]) -> None:
    """Print names and what they are.

    Args:
        what: a key of ``LISTS``.
        patterns: at most one, with ``*`` and ``?``; every name when there is none.
        folders: the project's configuration, then those of ``--config-dir``.

    Raises:
        ConfigurationError: more than one pattern, or one that no name matches.
    """
    if len(patterns) > 1:
        raise ConfigurationError(f"snowwolf {what} takes one pattern, in quotes: snowwolf {what} '{patterns[0]}*'")
    rows = _attacks() if what == "attacks" else [list(item) for item in choices(LISTS[what], folders).items()]
    if what == "models" and patterns:
        rows += _timm_models(patterns[0])
        rows = [[*row, ""] if len(row) == 2 else row for row in rows]
    if patterns:
        names = [row[0] for row in rows]
        rows = [row for row in rows if fnmatchcase(row[0], patterns[0])]
        if not rows:
            hint = nearest_names(patterns[0].strip("*?"), names)
            raise ConfigurationError(f"snowwolf {what}: no name matches {patterns[0]!r}; {hint}".removesuffix("; "))
    print(aligned(rows))
    if what == "models" and not patterns:
        print("and every timm model, as model.name=NAME: list them with snowwolf models 'resnet*'")


def _timm_models(pattern: str) -> list[list[str]]:
    """The names with published weights that match: input side in pixels, classes, licence."""
    import timm

    rows = []
    for name in timm.list_models(pattern, pretrained=True):
        published = timm.get_pretrained_cfg(name, allow_unregistered=False)
        if published is None:  # timm has just listed it
            raise AssertionError(name)
        size = f"{published.input_size[-1]} px, {published.num_classes:,} classes"
        rows.append([name, size, published.license or "licence not stated"])
    return rows


def _attacks() -> list[list[str]]:
    """Every short name: what an attack sees of the classifier, its norms, and whether it has a budget."""
    from bench.attacks.catalogue import ATTACKS

    return [
        [
            name,
            "control" if attack.control else f"sees {attack.access}",
            ", ".join(attack.norms),
            "smallest perturbation" if attack.minimal_norm else "within epsilon",
        ]
        for name, attack in sorted(ATTACKS.items())
    ]

"""The yaml files of the configuration: where they lie, and what each says of itself in its first comment."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_SENTENCE_END = re.compile(r"(?<!\bal)(?<!\.)\. ")
_INSTALLED = Path(__file__).parent / "conf"
CONF = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[1] / "conf"
"""The project's own configuration: inside an installed package, else at the top of the checkout."""


def groups(folders: Iterable[Path] = (CONF,)) -> list[str]:
    """The configuration groups, such as ``model`` and ``suite``; Hydra's own are left out."""
    return sorted({path.name for folder in folders for path in folder.iterdir() if path.is_dir()} - {"hydra"})


def choices(group: str, folders: Iterable[Path] = (CONF,)) -> Mapping[str, str]:
    """What ``group=NAME`` can name.

    Args:
        group: such as ``model``.
        folders: where to look; the first one that has a name wins, as in Hydra.

    Returns:
        Name -> the first sentence of the file's leading comment, empty where there is none; in alphabetical order.
    """
    choices: dict[str, str] = {}
    for folder in folders:
        for path in (folder / group).glob("*.yaml"):
            choices.setdefault(path.stem, _summary(path))
    return dict(sorted(choices.items()))


def _summary(path: Path) -> str:
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.removeprefix("#").strip())
    sentence = _SENTENCE_END.split(" ".join(lines), maxsplit=1)[0]
    return sentence if sentence.endswith("...") else sentence.removesuffix(".")

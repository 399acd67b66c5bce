"""The short leaderboard that a sweep prints at its end."""

import html
import re
from collections.abc import Sequence
from pathlib import Path

from bench.cli.text import WIDTH

_BAR = re.compile(r"(?<!\\)(?:\\\\)*\|")
_LEFT_OUT = ("Parameters (M)", "GMACs")
_LONGEST_NAME = 40


def leaderboard_text(folder: Path) -> str:
    """The report's leaderboard, at most 100 columns wide, and where its page is.

    The figures are those of ``leaderboard.md``: the first ones that fit, each with its 95 % interval in brackets.

    Args:
        folder: of the report, as ``task=report`` has written it.
    """
    lines = (folder / "leaderboard.md").read_text().splitlines()
    table = [_cells(line) for line in lines if line.startswith("|") and not line.startswith("|---")]
    columns = [column for column in zip(*table, strict=True) if column[0] not in _LEFT_OUT]
    columns = [column for column in columns if set(column[1:]) != {"\N{EN DASH}"}]
    shown = _fitting(columns)
    left_out = len(columns) - len(shown)
    more = f" ({left_out} more columns there)" if left_out else ""
    return "\n".join([*_lines(shown), f"page: {folder / 'leaderboard.html'}{more}"])


def _cells(line: str) -> list[str]:
    """The texts of a row of a Markdown table."""
    inner = line.strip().removeprefix("|").removesuffix("|")
    cells, start = [], 0
    for bar in _BAR.finditer(inner):
        cells.append(inner[start : bar.end() - 1])
        start = bar.end()
    cells.append(inner[start:])
    return [html.unescape(re.sub(r"\\([\\|])", r"\1", cell.strip()))[:_LONGEST_NAME] for cell in cells]


def _fitting(columns: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    shown: list[Sequence[str]] = []
    left = WIDTH
    for column in columns:
        left -= max(map(len, column)) + 2
        if left < -2:
            break
        shown.append(column)
    return shown


def _lines(columns: Sequence[Sequence[str]]) -> list[str]:
    padded = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns]
    return ["  ".join(row).rstrip() for row in zip(*padded, strict=True)]

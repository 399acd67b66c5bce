"""The short leaderboard that a sweep prints at its end."""

from collections.abc import Sequence
from pathlib import Path

from bench.cli.text import WIDTH
from bench.reports.entries import read_entries
from bench.reports.protocols import with_protocols
from bench.reports.tables import DASH, Leaderboard, format_estimate, images_text, leaderboard
from bench.results import Store

_LONGEST_NAME = 40


def leaderboard_text(store: Store, page: Path) -> str:
    """The leaderboard of a store, at most 100 characters wide, and where its page is.

    Args:
        store: only read.
        page: the report's page.

    Raises:
        DataError: the store is empty or damaged.
    """
    return board_text(leaderboard(with_protocols(read_entries(store, allow_none=True))), page)


def board_text(board: Leaderboard, page: Path) -> str:
    """A leaderboard, at most 100 characters wide, and where its page is.

    It has the first figures that fit, each with its 95 % interval in brackets; a figure that no row has is left out.

    Args:
        board: the leaderboard of the report.
        page: the report's page.
    """
    rows = [row for _, row in board.table.iterrows()]
    columns = [
        ["Classifier", *(str(label) for label in board.table.index)],
        ["Images", *(images_text(row) for row in rows)],
        *(
            [column.title, *(format_estimate(row, column.name, percent=column.percent) for row in rows)]
            for column in board.columns
        ),
    ]
    columns = [[_cut(cell) for cell in column] for column in columns if set(column[1:]) != {DASH}]
    shown = _fitting(columns)
    left_out = len(columns) - len(shown)
    more = f" ({left_out} more columns there)" if left_out else ""
    return "\n".join([*_lines(shown), f"page: {page}{more}"])


def _cut(cell: str) -> str:
    """The text of a cell in one line, without what is too long."""
    return cell.replace("\n", " ").strip()[:_LONGEST_NAME]


def _fitting(columns: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The first columns that fit in a line."""
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

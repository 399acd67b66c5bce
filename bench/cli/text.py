"""Plain tables for a terminal."""

import textwrap
from collections.abc import Sequence

WIDTH = 100
"""Characters of the longest line."""
_GAP = "  "


def aligned(rows: Sequence[Sequence[str]], *, indent: str = "") -> str:
    """Rows as lines with aligned columns; what is too long in the last column is cut, marked by ``...``.

    Args:
        rows: of equal length.
        indent: before each line.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    left = len(indent) + sum(width + len(_GAP) for width in widths)
    lines = []
    for *cells, last in rows:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        lines.append((indent + _GAP.join([*padded, _cut(last, max(WIDTH - left, 20))])).rstrip())
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    return textwrap.shorten(text, width, placeholder=" ...") if len(text) > width else text

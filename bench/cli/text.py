"""Plain tables and messages for a terminal."""

import logging
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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


@contextmanager
def shown_messages() -> Iterator[None]:
    """Show what checks say, in the format of the log, which Hydra has not set up yet: what a folder was taken for."""
    logger, handler = logging.getLogger("bench"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)

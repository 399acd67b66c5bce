"""What the keyword arguments of attacks may be: type and range, checked before any work."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.records import Parameter

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "flag": "true or false",
    "choice": "one of",
    "list": "a list",
}
"""Kinds of options, in words."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """Type and range of one keyword argument of an attack."""

    kind: str
    """One of ``KINDS``."""
    low: float = -math.inf
    """Smallest value (of lists: fewest items)."""
    above: float = -math.inf
    """The value must exceed it."""
    high: float = math.inf
    """Largest value (of lists: most items)."""
    below: float = math.inf
    """The value must stay under it."""
    choices: tuple[str, ...] = ()
    """Valid words."""
    items: "Option | None" = None
    """What each item of a list is; no item may stand in it twice unless it is a number."""
    optional: bool = False
    """Whether null is a value."""
    changes_outcomes: bool = True
    """Whether an outcome may depend on it; if not, it is no part of a cell's identity."""

    def read(self, value: Any) -> Parameter:
        """``value`` as the option's type: a fraction such as ``2/255`` becomes a number, a whole float stays a float.

        Raises:
            ValueError: another type, or out of range.
        """
        if value is None and self.optional:
            return None
        if self.kind == "flag" and isinstance(value, bool):
            return value
        if self.kind == "choice" and value in self.choices:
            return str(value)
        if self.kind == "integer" and isinstance(value, int) and not isinstance(value, bool) and self._within(value):
            return value
        if self.kind == "number" and self._within(number := parse_number(value)):
            return number
        if self.kind == "list" and isinstance(value, Sequence) and not isinstance(value, str):
            return self._read_list(value)
        raise ValueError

    def _read_list(self, values: Sequence[Any]) -> Parameter:
        assert self.items is not None
        read = [self.items.read(value) for value in values]
        if not self._within(len(read)) or (self.items.kind == "choice" and len(set(map(str, read))) < len(read)):
            raise ValueError
        return read

    def _within(self, value: float) -> bool:
        inside = self.low <= value <= self.high and self.above < value < self.below
        return inside and math.isfinite(value)

    def describe(self) -> str:
        """In words: ``a whole number of at least 1``."""
        words = KINDS[self.kind]
        if self.choices:
            words += " " + ", ".join(self.choices)
        limits = (
            (f"of at least {self.low:g}", self.low),
            (f"above {self.above:g}", self.above),
            (f"up to {self.high:g}", self.high),
            (f"below {self.below:g}", self.below),
        )
        if self.items is not None:
            words += f" of {self.items.describe().removeprefix('one of ')}, each at most once"
        else:
            words += "".join(f" {limit}" for limit, value in limits if math.isfinite(value))
        return words + (", or null" if self.optional else "")


def parse_number(value: Any) -> float:
    """A number, or a fraction such as ``"4/255"``.

    Raises:
        ValueError: neither; NaN and infinity are numbers.
    """
    if isinstance(value, bool):
        raise ValueError
    top, _, bottom = str(value).partition("/")
    try:
        return float(top) / float(bottom or 1)
    except ZeroDivisionError as error:
        raise ValueError from error


COUNT = Option(kind="integer", low=1)
POSITIVE = Option(kind="number", above=0)
POSITIVE_OR_NULL = Option(kind="number", above=0, optional=True)
NOT_NEGATIVE = Option(kind="number", low=0)
SHARE = Option(kind="number", low=0, high=1)
INNER_SHARE = Option(kind="number", above=0, below=1)
DECAY = Option(kind="number", low=0, below=1)
PIXEL_STEP = Option(kind="number", above=0, high=1, optional=True)
"""A step in [0,1] pixel units of Linf: beyond 1 it is no step but the whole range (write 2/255 for 2 grey levels)."""
FLAG = Option(kind="flag")

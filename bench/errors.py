"""The errors a user can fix: each message says what was wrong, where, and what to do."""

import difflib
from collections.abc import Iterable


class ConfigurationError(ValueError):
    """Something the user asked for does not exist or cannot work; refused before any work, exit code 2."""


class DataError(ValueError):
    """Images, labels or stored results are missing, duplicated or unreadable."""


class TrackingError(RuntimeError):
    """The work is done, but a tracker lacks figures of it."""


def nearest_names(name: str, valid: Iterable[str], *, count: int = 3) -> str:
    """A hint naming the valid names closest to ``name``, or all of them when they are few.

    Returns:
        Text to end a message with, e.g. ``"did you mean 'resnet50'?"``; empty when nothing is valid.
    """
    names = sorted(set(valid))
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(match) for match in close) + "?"
    if not names:
        return ""
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"valid names: {shown}"

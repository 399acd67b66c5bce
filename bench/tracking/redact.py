"""Take secrets out of what leaves the machine."""

import re
from collections.abc import Mapping
from typing import Any

TELLING = r"key|token|secret|password|credential"
SECRET_KEY = re.compile(TELLING, re.IGNORECASE)
SECRET_OVERRIDE = re.compile(rf"({TELLING})[^=]*=.*", re.IGNORECASE)
USER_INFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")
"""``user:password`` of a URL."""
HIDDEN = "***"


def redact_override(override: str) -> str:
    """A ``key=value`` of the command line without what would be secret in a config."""
    return USER_INFO.sub(HIDDEN, SECRET_OVERRIDE.sub(rf"\1={HIDDEN}", override))


def redact(value: Any, name: str = "") -> Any:
    """A copy of a config without its secrets: values of telling names, and the user part of URLs.

    Args:
        value: of JSON's types.
        name: the key that holds it.
    """
    if isinstance(value, Mapping):
        return {key: redact(child, str(key)) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(child, name) for child in value]
    if SECRET_KEY.search(name) and value is not None:
        return HIDDEN
    return USER_INFO.sub(HIDDEN, value) if isinstance(value, str) else value

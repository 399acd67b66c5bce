"""Take secrets out of what leaves the machine."""

import re
from collections.abc import Mapping
from typing import Any

SECRET_KEY = re.compile(r"key|token|secret|password|credential", re.IGNORECASE)
USER_INFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")
"""``user:password`` of a URL."""
HIDDEN = "***"


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

"""Names from outside as parts of paths: they give letters to a path, never a way out of it."""

import hashlib
import json
import re


def path_letters(name: str) -> str:
    """At most 80 characters: ``name``'s ASCII letters, digits, hyphens and underscores, and ``_`` for whatever else."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:80] or "_"


def path_name(name: str, *identity: str) -> str:
    """``path_letters(name)`` and eight hexadecimal digits of ``name`` and ``identity``: no two share a path."""
    digest = hashlib.blake2b(json.dumps([name, *identity]).encode(), digest_size=4).hexdigest()
    return f"{path_letters(name)}-{digest}"

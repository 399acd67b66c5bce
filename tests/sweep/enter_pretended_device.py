"""A plug-in that makes the pretended devices usable in the process that loads it, for as long as it lives."""

import atexit
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pretended import pretended_device

ENTERED = pretended_device()
ENTERED.__enter__()
atexit.register(ENTERED.__exit__, None, None, None)

"""Shell completion: what Hydra suggests, without what only yaml files name, and the lists of names."""

import contextlib
import io
import os
from collections.abc import Callable

from bench.cli.discover import LISTS


def print_suggestions(print_hydras: Callable[[], None]) -> None:
    """Print the words that may stand at the end of the command line in ``COMP_LINE``.

    Args:
        print_hydras: prints Hydra's suggestions; where the line is not in its grammar, there are none.
    """
    buffer = io.StringIO()
    with contextlib.redirect_stdout(buffer), contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(Exception):
        print_hydras()
    words = [word for word in buffer.getvalue().split() if word.partition("=")[2] != "schema"]
    given = os.environ.get("COMP_LINE", "").split(" ")
    if len(given) == 2:  # the program, and the start of its first word
        words += [name for name in LISTS if name.startswith(given[1])]
    print(" ".join(words))

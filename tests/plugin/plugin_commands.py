"""Several commands in one process, as a user types them one after the other: importing torch takes seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
DRIVER = """
import json, sys
from bench.cli.main import main

for words in json.loads(sys.argv.pop(1)):
    try:
        code = main(words)
    except SystemExit as end:
        code = end.code
    print(f"exit code {code}\\n-----", flush=True)
"""


def run_commands(place: Path, commands: list[list[str]], *, installed: bool = True) -> list[str]:
    """Run ``commands`` with the store and the reports in ``place``; what each printed, exit code last.

    Args:
        place: a folder.
        commands: overrides of each; ``store`` and ``reports`` where they are to lie elsewhere.
        installed: whether the package in ``installed/`` is.
    """
    paths = [str(REPOSITORY), *([str(HERE / "installed")] if installed else [])]
    own = {"store": f"{place}/store", "reports": f"{place}/reports", "hydra.run.dir": f"{place}/out"}
    words = json.dumps(
        [
            [*command, *(f"{key}={value}" for key, value in own.items() if f"{key}=" not in " ".join(command))]
            for command in commands
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, words],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    said = done.stdout.split("\n-----\n")
    assert len(said) == len(commands) + 1, done.stdout
    return said[:-1]

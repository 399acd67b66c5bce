"""``make soak``: sweeps killed at random, resumed, damaged and repaired; each ends in the rows of an undisturbed one.

    python -m tests.soak --minutes 10 --seed 0

Not part of the suite. Every round runs one sweep of lite0 on the sample images with an engine and a chunk drawn at
random, kills it (the sweep, or one of its workers) at random moments until it is through, sometimes flips a byte of a
part or leaves half of one behind between two runs, and compares the store with the undisturbed one, row for row.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.conf_files import CONF
from tests.tasks.sweeps import assert_equal_stores, frames

RUN = str(CONF.parent / "run.py")
JOB = [
    "model=lite0",
    "suite=quickstart",
    "~benchmarks.one_pixel",
    "benchmarks.corruption.corruptions=[contrast,gaussian_noise,fog]",
    "benchmarks.corruption.severities=[2,4]",
    "benchmarks.pgd.options.steps=5",
    "runtime.threads=1",
    "runtime.workers=0",
    "runtime.batch_size=5",  # a convolution may round differently at another batch size
]
ENGINES = (["engine=local"], ["engine=processes", "engine.workers=2", "engine.threads=1"])
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(place: Path, chunk: int, engine: list[str]) -> list[str]:
    own = [f"store={place}/store", f"reports={place}/reports", f"hydra.run.dir={place}/out", f"runtime.chunk={chunk}"]
    return [sys.executable, RUN, *JOB, *own, *engine]


def children(process: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in found.split()]


def disturbed(place: Path, dice: random.Random) -> tuple[int, int]:
    """Run a sweep to its end whatever happens to it; how often it was killed, and how many parts were damaged."""
    chunk, engine = dice.choice([5, 10, 20]), dice.choice(ENGINES)
    kills, damaged = 0, 0
    for attempt in range(50):
        sweep = subprocess.Popen(
            command(place, chunk, engine), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        patience = dice.uniform(6, 25) if attempt < 6 else None
        try:
            code = sweep.wait(patience)
        except subprocess.TimeoutExpired:
            victims = [sweep.pid, *children(sweep.pid)]
            os.kill(dice.choice(victims), dice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
            kills += 1
            code = sweep.wait()
        if code == 0:
            return kills, damaged
        damaged += vandalise(place, dice)
    raise SystemExit(f"a sweep in {place} does not end")


def vandalise(place: Path, dice: random.Random) -> int:
    """Now and then flip a byte of a part, or leave half of one; what is damaged is set aside, as the errors say."""
    parts = sorted((place / "store").rglob("[0-9]*.parquet"))
    if not parts or dice.random() < 0.5:
        return 0
    part = dice.choice(parts)
    content = bytearray(part.read_bytes())
    if dice.random() < 0.5:
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    else:
        content = content[: dice.randrange(len(content))]
    part.write_bytes(content)
    repair = [sys.executable, RUN, "task=store", "action=quarantine", f"store={place}/store"]
    subprocess.run(repair, env=ENVIRONMENT, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    dice, until = random.Random(options.seed), time.monotonic() + 60 * options.minutes
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        subprocess.run(command(whole, 20, ENGINES[0]), env=ENVIRONMENT, check=True, stderr=subprocess.DEVNULL)
        expected, round_, kills, damaged = frames(whole), 0, 0, 0
        while time.monotonic() < until:
            place = Path(folder) / str(round_)
            killed, broken = disturbed(place, dice)
            found = frames(place)
            assert_equal_stores(found, expected)
            round_, kills, damaged = round_ + 1, kills + killed, damaged + broken
            n_rows = sum(map(len, found.values()))
            print(
                f"round {round_}: killed {killed} times, {broken} parts damaged, {n_rows} rows, none lost, none twice",
                flush=True,
            )
        print(f"{round_} rounds, {kills} kills, {damaged} parts damaged: every store as it should be")


if __name__ == "__main__":
    main()

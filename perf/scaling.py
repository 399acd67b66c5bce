"""A thousand classifiers on 64 devices, simulated with the real queue; two processes against one, measured.

The measured part runs the corruption benchmark on one and on two processes of one thread; it wants two idle cores.
"""

import argparse
import random
import statistics
import tempfile
import time
from functools import partial

import hydra
from rich.console import Console
from rich.table import Table

from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.library.presets import build_benchmark
from bench.results import Store
from bench.sweep import EngineConfig, open_pool, plan_cells, plan_units, run_pool
from bench.sweep.job import open_job, open_suite
from bench.sweep.messages import UnitKey
from bench.sweep.simulate import simulate
from bench.tasks.support.config import chosen_benchmarks, read_settings

MODELS, DEVICES, IMAGES = 1000, 64, 50_000


def compose(*overrides):
    """A configuration as the command line would make it."""
    register_schemas()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", overrides=list(overrides))


def units_of_the_full_suite(chunk: int) -> list[tuple[UnitKey, float]]:
    """Every unit of one classifier on 50,000 images, its cost in forward passes."""
    costs = []
    for name, node in chosen_benchmarks(compose("suite=full")).items():
        benchmark = build_benchmark(name, node)
        for condition in benchmark.conditions():
            for start in range(0, IMAGES, chunk):
                stop = min(start + chunk, IMAGES)
                key = UnitKey(f"{name} {condition.key}", start, stop)
                costs.append((key, float((stop - start) * benchmark.passes)))
    return costs


def show_simulation(console: Console) -> None:
    """Makespan over the lower bound: classifier after classifier on all devices, and one device a classifier."""
    chance = random.Random(0)
    sizes = [chance.lognormvariate(0, 1) for _ in range(MODELS)]  # relative cost of a forward pass
    heads = ("images a unit", "units", "over the even share", "over the bound", "leases")
    table = Table(*heads, title="One classifier's full suite on 64 devices: makespan")
    for chunk in (256, 1024, 4096, 16384):
        costs = units_of_the_full_suite(chunk)
        wrong = {key: chance.uniform(0.8, 1.2) for key, _ in costs}
        told = simulate(costs, workers=DEVICES, actual=lambda key, cost, wrong=wrong: cost * wrong[key])
        share = sum(cost * wrong[key] for key, cost in costs) / DEVICES
        table.add_row(str(chunk), str(len(costs)), f"{told.seconds / share:.4f}", f"{told.ratio:.4f}", str(told.leases))
    console.print(table)
    for order, chosen in (("as they come", sizes), ("largest first", sorted(sizes, reverse=True))):
        free = [0.0] * DEVICES
        for size in chosen:
            first = free.index(min(free))
            free[first] += size
        bound = max(sum(sizes) / DEVICES, max(sizes))
        console.print(f"one device a classifier (Slurm), {order}: {max(free) / bound:.4f} of the bound")


def images_a_second(workers: int, chunk: int, limit: int) -> float:
    """Throughput of the corruption benchmark on lite0 with one thread a worker, from first to last result."""
    config = compose("benchmark=corruption", f"data.limit={limit}", "runtime.workers=0")
    settings = read_settings(config)
    from bench.models import load_classifier

    classifier = load_classifier(settings.model)
    suite = open_suite(settings.benchmarks, classifier, settings.runtime)
    with tempfile.TemporaryDirectory() as folder:
        units = plan_units(plan_cells(classifier, suite, seed=0), Store(folder), chunk=chunk)
        engine = EngineConfig(name="processes", workers=workers, threads=1)
        pool = open_pool(engine, partial(open_job, settings, frozenset()), "cpu")
        marks: list[tuple[float, int]] = []
        for result in run_pool(units, pool, timeout=600, start_timeout=600, retries=0, on_batch=lambda *_: None):
            assert result.outcomes is not None, result.error
            marks.append((time.perf_counter(), len(result.unit)))
    settled = marks[len(marks) * 2 // 5 : -len(marks) // 10]  # all workers have started, and none has ended
    return sum(n for _, n in settled[1:]) / (settled[-1][0] - settled[0][0])


def main() -> None:
    """Simulate, or measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulate-only", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    console = Console()
    show_simulation(console)
    if arguments.simulate_only:
        return
    pairs = [(images_a_second(1, 5, 20), images_a_second(2, 5, 20)) for _ in range(arguments.rounds)]
    one, two = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    ratios = ", ".join(f"{pair[1] / pair[0]:.2f}" for pair in pairs)
    console.print(f"one process {one:.1f} images/s, two {two:.1f} images/s; ratios {ratios}")


if __name__ == "__main__":
    main()

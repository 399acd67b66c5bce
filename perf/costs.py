"""What a cell costs: seconds an image of each benchmark of the full suite, and bytes a row of its outcomes.

``python -m perf.costs``: the sample images through every benchmark, against bare forward passes of the same network in
the same run. ``planned`` is what the queue orders by, ``measured`` is what it was: both in forward passes an image.
The planner is then simulated on 64 devices with the measured costs in place of the planned ones.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import nn

from bench.models import ModelConfig, load_classifier
from bench.models.fast import prepare_fast
from bench.records import Outcomes, Provenance
from bench.results import Store
from bench.sweep import RuntimeConfig, plan_cells, plan_units, run_local
from bench.sweep.job import open_suite
from bench.sweep.plan import Cell
from bench.sweep.simulate import simulate
from bench.tasks.support.config import read_settings
from perf.scaling import DEVICES, compose, units_of_the_full_suite

BATCH = 20
PROVENANCE = Provenance("0" * 40, False, {}, "none", "none", {}, {"parameters": 1, "gmacs": 1}, "", "2026-01-01", 1.0)


@dataclass(frozen=True)
class Cost:
    """Of one benchmark, an image."""

    planned: int
    """Forward passes over all conditions, as the queue takes them."""
    seconds: float
    """Over all conditions."""
    conditions: int
    """Its cells."""
    cell: Cell
    """One of its cells."""
    outcomes: Outcomes
    """Of that cell."""


def forward_seconds(network: nn.Module, images: torch.Tensor, rounds: int = 15) -> float:
    """Median seconds an image of a bare forward pass."""
    times = []
    with torch.no_grad():
        network(images)
        for _ in range(rounds):
            began = time.perf_counter()
            network(images)
            times.append((time.perf_counter() - began) / len(images))
    return statistics.median(times)


def measure(model: str, suite: str) -> tuple[float, dict[str, Cost]]:
    """Seconds of a forward pass, and each benchmark's cost."""
    settings = read_settings(compose(f"suite={suite}", f"model={model}"))
    classifier = load_classifier(settings.model)
    network = prepare_fast(classifier)
    opened = open_suite(settings.benchmarks, classifier, settings.runtime)
    runtime = RuntimeConfig(device="cpu", batch_size=BATCH, workers=0)
    costs = {}
    crops = next(iter(opened.values()))[1]
    pixels = crops.read(range(min(BATCH, len(crops)))).float() / 255
    forward = forward_seconds(network, pixels)
    for name, (benchmark, crops) in opened.items():
        cells = plan_cells(classifier, {name: (benchmark, crops)}, seed=0)
        with tempfile.TemporaryDirectory() as folder:
            units = plan_units(cells, Store(folder), chunk=runtime.chunk)
        began = time.perf_counter()
        results = list(run_local({classifier.name: network}, units, runtime, seed=0))
        seconds = (time.perf_counter() - began) / len(crops)
        last = results[-1]
        assert last.outcomes is not None, last.error
        costs[name] = Cost(benchmark.passes * len(cells), seconds, len(cells), last.unit.cell, last.outcomes)
    return min(forward, forward_seconds(network, pixels)), costs


def many(outcomes: Outcomes, n: int) -> Outcomes:
    """``n`` rows drawn from those of ``outcomes``, no two floats alike, with ImageNet's file names."""
    chance = np.random.default_rng(0)
    rows = chance.integers(0, len(outcomes), n)

    def drawn(column: NDArray[np.generic]) -> NDArray[np.generic]:
        taken = column[rows]
        if column.dtype.kind != "f" or len(np.unique(column)) == 1:
            return taken
        return (taken * chance.uniform(0.98, 1, n)).astype(column.dtype)

    names = np.array([f"ILSVRC2012_val_{index:08d}.JPEG" for index in range(n)])
    label = chance.integers(0, 1000, n)
    correct = outcomes.correct[rows]
    prediction = np.where(correct, label, (label + chance.integers(1, 1000, n)) % 1000)
    extra = {name: drawn(column) for name, column in outcomes.extra.items()}
    return Outcomes(names, label, prediction, drawn(outcomes.confidence), extra)


def store_cost(cost: Cost, n: int, parts: int = 20) -> tuple[float, float, float]:
    """Bytes a row, and milliseconds to write and to read a part of ``n`` rows (medians)."""
    outcomes, written, read = many(cost.outcomes, n), [], []
    with tempfile.TemporaryDirectory() as folder:
        store, spec = Store(folder), replace(cost.cell.spec, n_images=n * parts)
        for part in range(parts):
            began = time.perf_counter()
            store.write_part(spec, outcomes, part * n, PROVENANCE)
            written.append(time.perf_counter() - began)
        for part in range(parts):
            began = time.perf_counter()
            store.part(spec, (part * n, (part + 1) * n))
            read.append(time.perf_counter() - began)
        size = sum(file.stat().st_size for file in Path(folder).rglob("*.parquet")) / (n * parts)
    return size, 1e3 * statistics.median(written), 1e3 * statistics.median(read)


def show_models(console: Console, models: list[str]) -> None:
    """Forward passes of architectures whose weights are not at hand: time does not ask for them."""
    table = Table(
        "architecture", "GMACs", "ms a forward pass", "GMACs a second", title="Forward passes, random weights"
    )
    for name in models:
        classifier = load_classifier(ModelConfig(name=name, weights="random"))
        crop = classifier.crop
        images = torch.rand(8, 3, crop.height, crop.width)
        gmacs = classifier.cost()["gmacs"]
        seconds = forward_seconds(prepare_fast(classifier), images, rounds=3)
        table.add_row(name, f"{gmacs:.2f}", f"{1e3 * seconds:.1f}", f"{gmacs / seconds:.0f}")
    console.print(table)


def show_benchmarks(console: Console, measured: Mapping[str, tuple[float, dict[str, Cost]]]) -> None:
    """Seconds and passes of each benchmark on each model."""
    heads = [f"{model}, {what}" for model in measured for what in ("s", "passes")]
    table = Table(
        "benchmark", "planned passes", *heads, title="Cost an image over all conditions: seconds, and forward passes"
    )
    for name in next(iter(measured.values()))[1]:
        planned = next(iter(measured.values()))[1][name].planned
        figures = [
            text
            for forward, costs in measured.values()
            for text in (f"{costs[name].seconds:.3f}", f"{costs[name].seconds / forward:.0f}")
        ]
        table.add_row(name, str(planned), *figures)
    forwards = ", ".join(f"{model} {1e3 * forward:.1f} ms" for model, (forward, _) in measured.items())
    console.print(table)
    console.print(f"a bare forward pass: {forwards}; {torch.get_num_threads()} torch threads")


def show_store(console: Console, costs: Mapping[str, Cost]) -> None:
    """Bytes and milliseconds of parts."""
    table = Table("rows of", "rows a part", "bytes a row", "ms to write", "ms to read", title="What the store takes")
    suite = 0.0
    for name, cost in costs.items():
        for n in (256, 1024, 4096) if name == "clean" else (1024,):
            size, write, read = store_cost(cost, n)
            table.add_row(name, str(n), f"{size:.1f}", f"{write:.2f}", f"{read:.2f}")
            if n == 1024:
                suite += size * cost.conditions
    console.print(table)
    console.print(f"the suite at 1,024 rows a part: {suite:.0f} bytes an image")


def show_planner(console: Console, forward: float, costs: Mapping[str, Cost]) -> None:
    """The queue orders by planned costs, the devices take the measured ones."""
    ratio = {name: cost.seconds / forward / cost.planned for name, cost in costs.items()}
    units = units_of_the_full_suite(1024)

    def actual(key: object, cost: float) -> float:
        return cost * ratio[str(key.cell_id).split()[0]]  # type: ignore[attr-defined]

    told = simulate(units, workers=DEVICES, actual=actual)
    share = sum(actual(key, cost) for key, cost in units) / DEVICES
    console.print(f"planned costs, measured times, {DEVICES} devices: {told.seconds / share:.4f} of the even share")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["lite0", "lite1", "lite2"])
    parser.add_argument("--suite", default="full")
    names = ["resnet50", "convnext_tiny", "vit_base_patch16_224"]
    parser.add_argument("--architectures", nargs="*", default=names)
    arguments = parser.parse_args()
    console = Console(width=120)
    measured = {model: measure(model, arguments.suite) for model in arguments.models}
    show_benchmarks(console, measured)
    forward, costs = next(iter(measured.values()))
    if arguments.suite == "full":
        show_planner(console, forward, costs)
    show_store(console, costs)
    show_models(console, arguments.architectures)


if __name__ == "__main__":
    main()

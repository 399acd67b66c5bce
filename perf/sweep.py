"""The corruption benchmark against the bare forward passes it needs, and the crop cache against decoding again.

``python -m perf.sweep``: both sides of each ratio run in turns within a round; a figure is the median over the rounds.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from bench.benchmarks.corruption import Corruption
from bench.benchmarks.protocol import IMAGENET_C_CROP
from bench.data import Crops, DataConfig, load_dataset, open_crops
from bench.models import ModelConfig, load_classifier
from bench.models.fast import prepare_fast
from bench.results import Store
from bench.sweep import RuntimeConfig, plan_cells, plan_units, run_local
from bench.sweep.memory import keep_freed_memory

BATCH = 32


def seconds(function: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def open_samples(cache: Path, *, cache_gb: float) -> Crops:
    """The embedded images, as the published corruption protocol starts from them."""
    recipe = IMAGENET_C_CROP
    dataset = load_dataset(DataConfig(name="samples", source="samples"))
    return open_crops(dataset, recipe, cache_dir=cache, cache_gb=cache_gb, workers=0, on_error="refuse")


def compare_corruption_sweep(crops: Crops, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of the 15 x 5 benchmark through the engine, and of as many bare forward passes on the same network."""
    classifier = load_classifier(ModelConfig(name="lite0"))
    network = prepare_fast(classifier)
    pixels = crops.read(range(len(crops))).float() / 255
    benchmark = Corruption()
    runtime = RuntimeConfig(device="cpu", batch_size=BATCH, workers=0)

    def sweep() -> None:
        with tempfile.TemporaryDirectory() as folder:
            cells = plan_cells(classifier, {"corruption": (benchmark, crops)}, seed=0)
            units = plan_units(cells, Store(folder), chunk=runtime.chunk)
            for result in run_local({classifier.name: network}, units, runtime, seed=0):
                assert result.outcomes is not None, result.error

    def bare() -> None:
        with torch.no_grad():
            for _ in benchmark.conditions():
                for start in range(0, len(pixels), BATCH):
                    network(pixels[start : start + BATCH])

    keep_freed_memory()
    bare()
    pairs = [(seconds(sweep), seconds(bare)) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def compare_cache(crops: Crops, decoded: Crops, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds to read every image from the cache, and decoding it again."""
    everything = range(len(crops))
    pairs = [
        (seconds(lambda: crops.read(everything)), seconds(lambda: decoded.read(everything))) for _ in range(rounds)
    ]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        crops = open_samples(Path(folder) / "cached", cache_gb=1)
        decoded = open_samples(Path(folder) / "checked", cache_gb=0)
        measured = {
            "15 x 5 corruptions, lite0 | bare forward passes": compare_corruption_sweep(crops, rounds),
            "read the crops from the cache | decode them again": compare_cache(crops, decoded, 5 * rounds),
        }
    print_ratios("Sweep and cache", measured, rounds)


def print_ratios(title: str, measured: Mapping[str, Sequence[Sequence[float]]], rounds: int) -> None:
    """Print a table of medians and ratios.

    Args:
        title: of the table.
        measured: what was compared -> seconds of each round: ours, and what they are set against.
        rounds: named above the table.
    """
    table = Table("what", "ours", "against", "ratio (median)", "spread", title=title)
    for what, (ours, against) in measured.items():
        ratios = np.array(ours) / np.array(against)
        table.add_row(
            what,
            f"{np.median(ours):.3f} s",
            f"{np.median(against):.3f} s",
            f"{np.median(ratios):.3f}",
            f"{ratios.min():.3f} to {ratios.max():.3f}",
        )
    Console().print(f"{torch.get_num_threads()} torch threads, median of {rounds} rounds")
    Console().print(table)


if __name__ == "__main__":
    main()

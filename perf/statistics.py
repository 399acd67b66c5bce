"""The summary of a large store: every estimate, interval and rank of 100 classifiers x 80 cells x 50,000 images.

``python -m perf.statistics``: makes a synthetic store, one Parquet part a cell with all the columns of a real one, then
reads and summarises it in a process of its own, whose time and peak memory are printed.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.attacks import AttackSpec
from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.records import Condition, Outcomes, Provenance, RunSpec
from bench.reports.columns import columns_of
from bench.reports.entries import read_entries
from bench.reports.protocols import with_protocols
from bench.reports.summary import summarise
from bench.results import Store

UNITS = {"corruption": "severity", "fgsm": "epsilon", "pgd": "epsilon"}
CROP = "224x224-center-0.875-bicubic"
PROVENANCE = Provenance("0" * 40, False, {}, "none", "none", {}, {"parameters": 1, "gmacs": 1}, "", "2026-01-01", 1.0)


def plan() -> list[tuple[str, Condition]]:
    """80 cells: clean, the 15 x 5 corruptions, and four of attacks."""
    corruptions = [("corruption", Condition(name, float(level))) for name in CORRUPTIONS for level in SEVERITIES]
    attacks = [("fgsm", 1 / 255), ("fgsm", 4 / 255), ("pgd", 1 / 255), ("pgd", 4 / 255)]
    return [("clean", Condition("clean")), *corruptions, *((name, Condition(name, eps)) for name, eps in attacks)]


def write_classifier(root: str, place: int, cells: int, images: int) -> None:
    """The cells of one classifier: right on an image where its skill beats how hard the image is."""
    generator = np.random.default_rng([1, place])
    hard = np.random.default_rng(0).normal(size=images).astype(np.float32)
    label = np.arange(images) % 1000
    names = np.array([f"validation/{index:08d}" for index in range(images)])
    store = Store(root)
    for entry, condition in plan()[:cells]:
        margin = 0.5 + place / 100 - condition.strength / 5 - hard
        correct = margin + 0.5 * generator.standard_normal(images, dtype=np.float32) > 0
        confidence = generator.integers(0, 256, images).astype(np.float32) / 256
        benchmark, parameters, extra, threat = entry, {}, {}, None
        if entry in ("fgsm", "pgd"):
            benchmark = "attack"
            attack = AttackSpec({"pgd": "pgd_linf"}.get(entry, entry))
            parameters, threat = {"attack": attack.name, "options": dict(attack.identity)}, attack.threat
            extra = {
                "distance": np.full(images, condition.strength),
                "success": ~correct,
                "queries": np.ones(images, dtype=np.int64),
                "zero_gradient": np.zeros(images, dtype=np.float32),
                "stage": np.where(correct, "", "attack"),
            }
        spec = RunSpec(
            f"classifier_{place:03d}", f"{place:032x}", CROP, "", "synthetic", "0", images, "imagenet", 1000, benchmark,
            entry, "1", parameters, condition, UNITS.get(entry, ""), 0, "float32", (224, 224), threat=threat,
        )  # fmt: skip
        outcomes = Outcomes(names, label, np.where(correct, label, label + 1), confidence, extra)
        store.write_part(spec, outcomes, 0, PROVENANCE)


def measure(root: str, answers: "multiprocessing.Queue[dict[str, float]]") -> None:
    """Summarise the store; put seconds and peak memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    entries = with_protocols(read_entries(Store(root)))
    described = time.perf_counter()
    for entry in entries:
        for benchmark in entry.benchmarks:
            for condition in entry.conditions(benchmark):
                entry.correct(benchmark, condition)
    read = time.perf_counter()
    summary = summarise(entries, columns_of(entries))
    done = time.perf_counter()
    answers.put(
        {
            "find the cells": described - began,
            "read right or wrong": read - described,
            "estimates, intervals, ranks": done - read,
            "all": done - began,
            "peak memory, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
            "of which imports": before / 2**20,
            "figures": float(len(summary.estimates)),
        }
    )


def main() -> None:
    """Generate, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classifiers", type=int, default=100)
    parser.add_argument("--cells", type=int, default=80)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--store", help="keep the synthetic store here, and use it again where it exists")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        root = options.store or folder
        if not any(Path(root).glob("*/*.parquet")):
            jobs = [(root, place, options.cells, options.images) for place in range(options.classifiers)]
            with context.Pool() as pool:
                pool.starmap(write_classifier, jobs, chunksize=1)
        answers = context.Queue()
        process = context.Process(target=measure, args=(root, answers))
        process.start()
        figures = answers.get()
        process.join()
    size = f"{options.classifiers} classifiers x {options.cells} cells x {options.images:,} images"
    table = Table("what", "seconds or GiB", title=f"Summary of {size}")
    for name, value in figures.items():
        table.add_row(name, f"{value:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()

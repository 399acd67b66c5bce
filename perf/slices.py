"""Results by group of images: 20 classifiers x 76 cells x 50,000 images in 16 groups, against pandas cell by cell.

``python -m perf.slices``: makes the synthetic store of ``perf.statistics``, then slices it in a process of its own. The
reference reads each cell's outcomes with pandas and takes a mean by group, without intervals or tests.
"""

import argparse
import multiprocessing
import tempfile
import time

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from bench.library.results import Results
from bench.results import Store
from perf.statistics import write_classifier

FACTORS = 16
REFERENCE_CELLS = 20
"""Cells that the reference reads; its time is that of all, in proportion."""


def groups_of(images: int) -> pd.DataFrame:
    """Every image in one of 16 groups at random, as columns of yes and no."""
    chosen = np.random.default_rng(2).integers(0, FACTORS, images)
    columns = {f"factor_{place}": chosen == place for place in range(FACTORS)}
    return pd.DataFrame(columns, index=[f"{index:08d}" for index in range(images)])


def measure(root: str, images: int, answers: "multiprocessing.Queue[dict[str, float]]") -> None:
    """Slice the store; put seconds."""
    groups = groups_of(images)
    began = time.perf_counter()
    table = Results(Store(root)).slices(groups)
    ours = time.perf_counter() - began
    store = Store(root)
    cells = store.cells()
    chosen = cells[:: max(1, len(cells) // REFERENCE_CELLS)]
    began = time.perf_counter()
    for cell in chosen:
        rows = store.outcomes(cell.spec)
        joined = rows.assign(name=rows["image_id"].str.split("/").str[1]).join(groups, on="name")
        for factor in groups.columns:
            joined.loc[joined[factor], "correct"].mean()
    reference = (time.perf_counter() - began) * len(cells) / len(chosen)
    answers.put({"rows": float(len(table)), "slices, s": ours, "pandas, s": reference, "ratio": reference / ours})


def main() -> None:
    """Generate, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classifiers", type=int, default=20)
    parser.add_argument("--cells", type=int, default=76)
    parser.add_argument("--images", type=int, default=50_000)
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as root:
        jobs = [(root, place, options.cells, options.images) for place in range(options.classifiers)]
        with context.Pool() as pool:
            pool.starmap(write_classifier, jobs, chunksize=1)
        answers = context.Queue()
        process = context.Process(target=measure, args=(root, options.images, answers))
        process.start()
        figures = answers.get()
        process.join()
    size = f"{options.classifiers} classifiers x {options.cells} cells x {options.images:,} images in {FACTORS} groups"
    table = Table("what", "figure", title=f"Slices of {size}")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()

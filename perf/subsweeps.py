"""What samples of full sweeps would have shown: how often their intervals hold, and how wide they are.

``python -m perf.subsweeps STORE``: the store holds full sweeps of the clean images and the 75 corruptions, of one
classifier or several. Each is sampled 200 times at a few percent of its cost, as a budget would, in an order of the
images that is drawn anew each time; and the same images are shown under all conditions, as ``data.limit`` does.
"""

import argparse
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.benchmarks.corruption import Corruption
from bench.data.order import window
from bench.errors import DataError
from bench.metrics.corruption import ALEXNET_ERROR
from bench.metrics.sampling import completed, standard_error
from bench.results import Store

CONDITIONS = Corruption.complete_conditions()
WEIGHTS = np.array([100 / ALEXNET_ERROR[condition.name] / len(CONDITIONS) for condition in CONDITIONS])


def wrong_by_classifier(store: Store) -> dict[str, NDArray[np.bool_]]:
    """``(75, N)`` whether each image is wrong under each condition, by classifier; ``N`` in the order of the names."""
    found: dict[str, dict[object, NDArray[np.bool_]]] = {}
    for cell in store.cells():
        if cell.spec.benchmark == Corruption.name and cell.complete:
            rows = store.outcomes(cell.spec).sort_values("image_id")
            wrong = (rows["prediction"] != rows["label"]).to_numpy()
            found.setdefault(cell.spec.classifier, {})[cell.spec.condition] = wrong
    whole = {name: own for name, own in found.items() if set(CONDITIONS) <= own.keys()}
    if not whole:
        raise DataError(f"{store.root} has no full sweep of the 75 corruptions")
    return {name: np.stack([own[condition] for condition in CONDITIONS]) for name, own in sorted(whole.items())}


def sampled_column(wrong: NDArray[np.bool_], k: int, order: NDArray[np.int64], *, shared: bool) -> NDArray[np.float64]:
    """``(N,)`` the mCE's column of a sample of ``k`` images per condition."""
    n = wrong.shape[1]
    column = np.zeros(n)
    for number, (weight, row) in enumerate(zip(WEIGHTS, wrong, strict=True)):
        ranges = window(0 if shared else number, len(CONDITIONS), k, n)
        places = order[np.concatenate([np.arange(*part) for part in ranges])]
        column += weight * completed(row[places], places, n)
    return column


def figures(wrong: dict[str, NDArray[np.bool_]]) -> Iterator[tuple[str, list[tuple[float, NDArray[np.bool_]]]]]:
    """Title of each figure, and the matrices that it is a sum of, each with its sign."""
    for name, own in wrong.items():
        yield f"mCE of {name}", [(1.0, own)]
    for one, two in combinations(wrong, 2):
        yield f"{one} less {two}", [(1.0, wrong[one]), (-1.0, wrong[two])]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("--share", type=float, default=0.04, help="of the full sweep's cost")
    parser.add_argument("--samples", type=int, default=200)
    arguments = parser.parse_args()
    wrong = wrong_by_classifier(Store(arguments.store))
    n = next(iter(wrong.values())).shape[1]
    k = round(arguments.share * n)
    generator = np.random.default_rng(0)
    orders = [generator.permutation(n) for _ in range(arguments.samples)]
    table = Table(
        "figure",
        "full sweep",
        "coverage",
        "half-width",
        "same images",
        "ratio",
        title=f"{k} of {n} images per condition",
    )
    for title, parts in figures(wrong):
        truth = sum(sign * float(WEIGHTS @ own.mean(axis=1)) for sign, own in parts)
        own_images, same_images, covered = [], [], 0
        for order in orders:
            column, shared = (
                np.sum([sign * sampled_column(own, k, order, shared=which) for sign, own in parts], axis=0)
                for which in (False, True)
            )
            own_images.append(1.96 * standard_error(column))
            same_images.append(1.96 * standard_error(shared))
            covered += abs(column.mean() - truth) <= own_images[-1]
        narrow, wide = np.median(own_images), np.median(same_images)
        table.add_row(
            title,
            f"{truth:.2f}",
            f"{covered / len(orders):.1%}",
            f"{narrow:.2f}",
            f"{wide:.2f}",
            f"{wide / narrow:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()

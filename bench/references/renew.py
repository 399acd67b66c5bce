"""Make the packaged table of published figures anew: ``python -m bench.references.renew FOLDER``.

FOLDER has the sources' own files: ``timm/results-*.csv`` (huggingface/pytorch-image-models, results/),
``testbed/robustness_top1s.csv`` (modestyachts/imagenet-testbed) and ``robustbench/<data set>/<threat model>/*.json``
(RobustBench/robustbench, model_info/).
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.errors import DataError
from bench.metrics.corruption import ALEXNET_ERROR
from bench.references.published import COLUMNS, ROBUSTBENCH, TABLE, TESTBED, TIMM

TIMM_TABLES = {
    "results-imagenet.csv": ("clean", 50_000),
    "results-imagenet-real.csv": ("real", 46_837),
    "results-imagenetv2-matched-frequency.csv": ("imagenet_v2", 10_000),
    "results-sketch.csv": ("imagenet_sketch", 50_889),
    "results-imagenet-a.csv": ("imagenet_a", 7_500),
    "results-imagenet-a-clean.csv": ("imagenet_a_clean", 10_000),
    "results-imagenet-r.csv": ("imagenet_r", 30_000),
    "results-imagenet-r-clean.csv": ("imagenet_r_clean", 10_000),
}
"""File -> first part of its figures' names, and its images."""
TESTBED_COLUMNS = {
    "val": ("clean_accuracy", 50_000),
    "imagenetv2-matched-frequency-format-val": ("imagenet_v2_accuracy", 10_000),
    "imagenetv2-threshold-0.7-format-val": ("imagenet_v2_threshold_accuracy", 10_000),
    "imagenetv2-top-images-format-val": ("imagenet_v2_top_images_accuracy", 10_000),
    "imagenet-sketch": ("imagenet_sketch_accuracy", 50_889),
    "imagenet-a": ("imagenet_a_accuracy", 7_500),
    "imagenet-r": ("imagenet_r_accuracy", 30_000),
    "objectnet-1.0-beta": ("objectnet_accuracy", 18_514),
}
"""Column -> figure and its images."""
ON_DISK = "imagenet-c.{name}.{severity}_on-disk"
ROBUSTBENCH_IMAGES = {"imagenet": 5_000, "cifar10": 10_000, "cifar100": 10_000}
Row = tuple[str, str, int, str, float, int]


def timm_rows(folder: Path) -> Iterator[Row]:
    """Top-1 and top-5 of every model, image size and set, in the order of the models' names."""
    for name, (figure, n_images) in TIMM_TABLES.items():
        table = pd.read_csv(folder / name).sort_values(["model", "img_size", "crop_pct"], kind="stable")
        for row in table.to_dict("records"):
            for part, column in (("accuracy", "top1"), ("top5_accuracy", "top5")):
                yield TIMM, row["model"], int(row["img_size"]), f"{figure}_{part}", float(row[column]), n_images


def testbed_rows(folder: Path) -> Iterator[Row]:
    """The natural shifts of every model; accuracy under each corruption on disk, and the mCE that follows from them."""
    table = pd.read_csv(folder / "robustness_top1s.csv")
    for row in table.to_dict("records"):
        for column, (figure, n_images) in TESTBED_COLUMNS.items():
            if not np.isnan(row[column]):
                yield TESTBED, row["model"], 0, figure, float(row[column]), n_images
        yield from _corruption_rows(row)


def _corruption_rows(row: dict[Any, Any]) -> Iterator[Row]:
    columns = {
        (name, severity): ON_DISK.format(name=name, severity=severity)
        for name in CORRUPTIONS
        for severity in SEVERITIES
    }
    if any(np.isnan(row[column]) for column in columns.values()):
        return
    for (name, severity), column in columns.items():
        yield TESTBED, row["model"], 0, f"corruption_accuracy/{name}/{severity}", float(row[column]), 50_000
    ratios = [
        np.mean([1 - row[columns[name, severity]] / 100 for severity in SEVERITIES]) / ALEXNET_ERROR[name]
        for name in CORRUPTIONS
    ]
    yield TESTBED, row["model"], 0, "mean_corruption_error", round(100 * float(np.mean(ratios)), 3), 50_000


def robustbench_rows(folder: Path) -> Iterator[Row]:
    """Clean and robust accuracy of every entry; the epsilon of an attack is part of its figure's name."""
    for path in sorted(folder.glob("*/*/*.json")):
        dataset, threat = path.parts[-3:-1]
        entry = json.loads(path.read_text())
        model, n_images = f"{dataset}/{threat}/{path.stem}", ROBUSTBENCH_IMAGES[dataset]
        attack = f"autoattack_{threat.lower()}_{entry['eps']}"
        figures = {
            "clean_acc": "clean_accuracy",
            "corruptions_acc": "mean_corruption_accuracy",
            "corruptions_mce": "mean_corruption_error",
            "corruptions_acc_3d": "mean_corruption_accuracy_3d",
            "corruptions_mce_3d": "mean_corruption_error_3d",
            "autoattack_acc": attack,
        }
        for key, figure in figures.items():
            if entry.get(key):
                yield ROBUSTBENCH, model, 0, figure, float(entry[key]), n_images


def published_table(folder: Path) -> pd.DataFrame:
    """Every figure of the sources below ``folder``.

    Raises:
        DataError: a file is not there, or a model has one figure twice.
    """
    try:
        rows = [
            *timm_rows(folder / "timm"),
            *testbed_rows(folder / "testbed"),
            *robustbench_rows(folder / "robustbench"),
        ]
    except (OSError, KeyError) as error:
        raise DataError(f"{folder} lacks a source's file or column: {error}") from error
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    others = table[table["source"] != TIMM]
    if others.duplicated(["source", "model", "figure"]).any():
        raise DataError(f"{folder} has a figure twice")
    return table.astype(
        {"source": "category", "model": "category", "figure": "category", "image_size": "int16", "n_images": "int32"}
    )


def main(folder: str) -> None:
    """Write the packaged table from the sources' files below ``folder``."""
    target = Path(__file__).with_name(TABLE)
    table = published_table(Path(folder))
    table.to_parquet(target, index=False, compression="zstd", compression_level=19)
    print(f"{len(table)} figures of {table['model'].nunique()} models, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1])

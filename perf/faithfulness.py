"""Batched corruptions against the reference package on real images: lite0's error and the PSNR, cell by cell.

``python -m perf.faithfulness --root FOLDER [--limit N]``: class folders of ImageNet images. The two draw different
random numbers, so they agree in distribution: the error within sampling noise (z), the mean PSNR against the clean
image within hundredths of a decibel.
"""

import argparse
import math
import tempfile
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from bench.benchmarks.corruption import Corruption
from bench.corruptions import CORRUPTIONS
from bench.data import Crops, DataConfig, load_dataset, open_crops
from bench.models import ModelConfig, load_classifier
from bench.models.fast import prepare_fast
from bench.sweep.memory import keep_freed_memory

BATCH = 25


def wrong(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """``(B,)`` whether each image is misclassified."""
    with torch.no_grad():
        return network(images.float() / 255).argmax(dim=1) != labels


def psnr(images: Tensor, clean: Tensor) -> Tensor:
    """``(B,)`` decibels against the clean image; infinite where nothing changed."""
    error = (images.float() - clean.float()).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(255**2 / error)


def compare(network: nn.Module, crops: Crops, benchmarks: dict[str, Corruption]) -> list[dict[str, object]]:
    """One row a condition: errors and PSNR of both sources, image by image."""
    labels = torch.as_tensor(crops.labels)
    rows = []
    for condition in track(benchmarks["batched"].conditions(), description="conditions"):
        row: dict[str, object] = {"condition": condition.name, "severity": int(condition.strength)}
        for source, benchmark in benchmarks.items():
            errors, decibels = [], []
            for start in range(0, len(crops), BATCH):
                some = slice(start, min(start + BATCH, len(crops)))
                clean = crops.read(range(some.start, some.stop))
                made = benchmark.corrupted(clean, crops.image_ids[some], condition, seed=0)
                errors.append(wrong(network, made, labels[some]))
                decibels.append(psnr(made, clean))
            row[f"{source}_wrong"] = torch.cat(errors).numpy()
            row[f"{source}_psnr"] = torch.cat(decibels).numpy()
        rows.append(row)
    return rows


def print_table(rows: list[dict[str, object]]) -> None:
    """Every cell, then the pooled difference and the largest ones."""
    table = Table("corruption", "severity", "error, batched", "error, reference", "z", "PSNR difference (dB)")
    worst_z, pooled = 0.0, []
    for row in rows:
        ours, theirs = np.asarray(row["batched_wrong"]), np.asarray(row["reference_wrong"])
        difference = ours.astype(float) - theirs
        spread = difference.std() / math.sqrt(len(difference))
        z = difference.mean() / spread if spread else 0.0
        worst_z = max(worst_z, abs(z))
        pooled.append(difference.mean())
        gap = np.asarray(row["batched_psnr"], dtype=float) - np.asarray(row["reference_psnr"], dtype=float)
        gap = gap[np.isfinite(gap)]
        decibels = f"{gap.mean():+.3f} ± {gap.std() / math.sqrt(len(gap)):.3f}"
        name, severity = str(row["condition"]), str(row["severity"])
        table.add_row(name, severity, f"{ours.mean():.3f}", f"{theirs.mean():.3f}", f"{z:+.2f}", decibels)
    Console(width=110).print(table)
    print(f"largest |z| {worst_z:.2f}; pooled error difference {100 * float(np.mean(pooled)):+.3f} points")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", required=True)
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    keep_freed_memory()
    classifier = load_classifier(ModelConfig(name="lite0"))
    dataset = load_dataset(DataConfig(source="folder", root=arguments.root, limit=arguments.limit))
    with tempfile.TemporaryDirectory() as cache:
        crops = open_crops(dataset, classifier.crop, cache_dir=Path(cache), cache_gb=10, workers=0, on_error="refuse")
        benchmarks = {
            "batched": Corruption(corruptions=CORRUPTIONS, definition="imagecorruptions"),
            "reference": Corruption(corruptions=CORRUPTIONS, source="reference"),
        }
        print_table(compare(prepare_fast(classifier), crops, benchmarks))


if __name__ == "__main__":
    main()

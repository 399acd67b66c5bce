"""Bytes that differ between images made on the fly and the files of ``task=make_corrupted``, all deterministic cells.

``python -m tests.corruptions.published_bytes --limit 50`` writes the files with Pillow through the command line, and
shows both to a classifier of 224 and one of 260 pixels, as a sweep does.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from bench.benchmarks import Batch
from bench.benchmarks.corruption import Corruption
from bench.corruptions import SEVERITIES
from bench.data import CropRecipe, Crops, DataConfig, load_dataset, open_crops
from tests.corruptions.deterministic import DETERMINISTIC
from tests.corruptions.imagenet_c_table import DATA


def shown(benchmark: Corruption, crops: Crops, size: int, condition) -> torch.Tensor:
    """``(N,3,size,size)`` uint8, as the classifier sees them."""
    images = benchmark.read(crops, range(len(crops)), condition, seed=0).images
    batch = Batch(images, torch.as_tensor(crops.labels), crops.image_ids, condition=condition, input_size=(size, size))
    return benchmark.shown(batch, condition, seed=0).images


def main() -> None:
    """Write, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=50)
    limit = parser.parse_args().limit
    with tempfile.TemporaryDirectory() as folder:
        out, cache = Path(folder) / "files", Path(folder) / "cache"
        names = "[" + ",".join(DETERMINISTIC) + "]"
        command = [sys.executable, "run.py", "task=make_corrupted", "benchmark=corruption", "data=folder"]
        settings = [f"benchmark.corruptions={names}", f"data.root={DATA}", f"data.limit={limit}"]
        subprocess.run([*command, *settings, f"out={out}", f"runtime.cache_dir={cache}"], check=True)
        data = DataConfig(name="imagenet_samples", source="folder", root=str(DATA), limit=limit)
        made = Corruption(corruptions=DETERMINISTIC)
        files = Corruption(corruptions=DETERMINISTIC, source="files", root=str(out))
        for size in (224, 260):
            own = CropRecipe(size, size, 0.875, "center", "bicubic")
            opened = {"cache_dir": cache, "cache_gb": 2, "workers": 0, "on_error": "refuse"}
            crops = open_crops(load_dataset(data), made.prepared(own, cache).recipe(own), **opened)
            differing = sum(
                int((shown(made, crops, size, item) != shown(files, crops, size, item)).sum())
                for item in made.conditions()
            )
            cells = len(DETERMINISTIC) * len(SEVERITIES)
            print(f"input of {size} pixels: {cells} cells x {len(crops)} images, {differing} bytes differ")


if __name__ == "__main__":
    main()

"""lite0's error on images made on the fly, and on files written by an independent transcription of the script.

``python -m tests.corruptions.imagenet_c_table --files /tmp/imagenet-c --limit 500`` writes the files where they are
missing (about 10 minutes of one core), evaluates both through the sweep engine and prints the table, cell by cell. The
transcription shares no code with `bench.corruptions`: the imagecorruptions package where its bytes are those of the
published script, `imagenet_c_oracle` where they are not, NumPy's draws, and Pillow's files.
"""

import argparse
import math
import os
import tempfile
from pathlib import Path

import imagecorruptions
import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torchvision import transforms

from bench.benchmarks.corruption import Corruption
from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.data import DataConfig, load_dataset, open_crops
from bench.models import ModelConfig, load_classifier
from bench.models.fast import prepare_fast
from bench.results import Store
from bench.sweep import RuntimeConfig, plan_cells, plan_units, run_local
from tests.corruptions import imagenet_c_oracle as oracle

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "imagenet_samples"
TEXTURES = [(1, "png"), (2, "png"), (3, "png"), (4, "jpg"), (5, "jpg")]


def transcribed(image: np.ndarray, name: str, severity: int, draw: np.random.Generator) -> np.ndarray:
    """One ``(224,224,3)`` uint8 image, corrupted by the published script's steps."""
    side = image.shape[0]
    if name == "motion_blur":
        return oracle.motion_blur(image, severity, draw.uniform(-45, 45))
    if name == "zoom_blur":
        return oracle.zoom_blur(image, severity)
    if name == "snow":
        return oracle.snow(image, severity, draw.standard_normal((side, side)), draw.uniform(-135, -45))
    if name == "frost":
        index = int(draw.integers(5))
        number, suffix = TEXTURES[index]
        folder = Path(imagecorruptions.__file__).parent / "frost"
        with Image.open(folder / f"frost{number}.{suffix}") as texture:
            width, height = texture.size
        return oracle.frost(image, severity, index, int(draw.integers(height - side)), int(draw.integers(width - side)))
    if name == "elastic_transform":
        moves, displacement = draw.uniform(-1, 1, (3, 2)), draw.uniform(-1, 1, (2, side, side))
        return oracle.elastic_transform(image, severity, moves, displacement)
    np.random.seed(int(draw.integers(2**32)))
    own = {"seed": int(draw.integers(2**32))} if name in ("impulse_noise", "glass_blur") else {}
    return np.array(imagecorruptions.corrupt(image, severity=severity, corruption_name=name, **own))


def write_files(root: Path, images: Path, image_ids: list[str], seed: int) -> None:
    """``<corruption>/<severity>/<class>/<image>.JPEG`` below ``root``; what is there already is left alone."""
    base = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])
    for number, image_id in enumerate(image_ids):
        crop = np.array(base(Image.open(images / image_id).convert("RGB")))
        for place, name in enumerate(CORRUPTIONS):
            for severity in SEVERITIES:
                target = (root / name / str(severity) / image_id).with_suffix(".JPEG")
                if target.exists():
                    continue
                corrupted = transcribed(crop, name, severity, np.random.default_rng([seed, number, place, severity]))
                target.parent.mkdir(parents=True, exist_ok=True)
                handle, writing = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
                with os.fdopen(handle, "wb") as file:
                    Image.fromarray(np.uint8(corrupted)).save(file, "JPEG", quality=85, optimize=True)
                Path(writing).replace(target)


def errors(model: str, benchmark: Corruption, data: DataConfig, store: Store, cache: Path) -> dict[str, np.ndarray]:
    """Whether each image is misclassified, by condition; cells that are in ``store`` are read from it."""
    classifier = load_classifier(ModelConfig(name=model))
    benchmark = benchmark.prepared(classifier.crop, cache)
    crops = open_crops(
        load_dataset(data, classifier.label_space),
        benchmark.recipe(classifier.crop),
        cache_dir=cache,
        cache_gb=4,
        workers=0,
        on_error="refuse",
    )
    cells = plan_cells(classifier, {"corruption": (benchmark, crops)}, seed=0)
    runtime = RuntimeConfig(device="cpu", batch_size=50, workers=0)
    network = prepare_fast(classifier)
    wrong = {}
    kept = Path(store.root) / f"{benchmark.source}.npz"
    if kept.exists():
        return dict(np.load(kept))
    for result in run_local({classifier.name: network}, plan_units(cells, store, chunk=len(crops)), runtime, seed=0):
        assert result.outcomes is not None, result.error
        order = np.argsort(result.unit.positions)
        wrong[result.unit.cell.spec.condition.key] = ~result.outcomes.correct[order]
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez(kept, **wrong)
    return wrong


def print_table(batched: dict[str, np.ndarray], files: dict[str, np.ndarray]) -> None:
    """Errors in percent, and their paired difference in standard errors."""
    table = Table("cell", "batched %", "files %", "difference", "standard errors", title="error on the same images")
    worst, differences = 0.0, []
    for name, ours in batched.items():
        difference = ours.astype(float) - files[name]
        deviation = difference.std(ddof=1) / math.sqrt(len(difference))
        ratio = abs(difference.mean()) / deviation if deviation else 0.0
        worst, differences = max(worst, ratio), [*differences, difference.mean()]
        table.add_row(
            name,
            f"{100 * ours.mean():.1f}",
            f"{100 * files[name].mean():.1f}",
            f"{100 * difference.mean():+.1f}",
            f"{ratio:.2f}",
        )
    console = Console()
    console.print(table)
    console.print(f"largest difference {worst:.2f} standard errors; pooled {100 * np.mean(differences):+.3f} points")


def main() -> None:
    """Write, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, required=True, help="folder of the transcription's files")
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--model", default="lite0")
    parser.add_argument("--write-only", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = DataConfig(name="imagenet_samples", source="folder", root=str(DATA), limit=arguments.limit)
    write_files(arguments.files, DATA, list(load_dataset(data).image_ids), seed=11)
    if arguments.write_only:
        return
    cache, results = arguments.files / ".cache", arguments.files / ".results" / arguments.model
    batched = errors(arguments.model, Corruption(), data, Store(str(results)), cache)
    files = errors(
        arguments.model, Corruption(source="files", root=str(arguments.files)), data, Store(str(results)), cache
    )
    print_table(batched, files)


if __name__ == "__main__":
    main()

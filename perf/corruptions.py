"""Batched corruptions against the imagecorruptions package, side by side: ``python -m perf.corruptions``.

Both sides make the published images: the corruption, then JPEG of quality 85 and back (``--without-jpeg`` leaves that
out), here by Pillow after the package and by `bench.imaging.jpeg` after ours. Both run on one core, in turns within
each round, on the same photographs; a figure is the median over the rounds of the mean over the five severities, the
spread the distance between the quartiles. On a machine with a CUDA device the batched corruptions' images per second
there follow.
"""

import argparse
import io
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.resources import files

import cv2
import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torchvision.transforms.functional import center_crop, pil_to_tensor, resize

from bench.benchmarks.protocol import JPEG_QUALITY
from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS, SEVERITIES
from bench.corruptions.batched import corrupt
from bench.corruptions.catalogue import Definition
from bench.corruptions.reference import corrupt_reference
from bench.imaging.jpeg import round_trip
from bench.records import Condition

ALL = CORRUPTIONS + EXTRA_CORRUPTIONS
Corrupt = Callable[[Tensor, Condition, Sequence[int]], Tensor]


def photographs(count: int) -> Tensor:
    """``(count,3,224,224)`` uint8 crops of the photographs shipped with foolbox."""
    folder = files("foolbox") / "data"
    paths = sorted((path for path in folder.iterdir() if path.name.startswith("imagenet_")), key=lambda path: path.name)
    crops = []
    for path in paths[:count]:
        with path.open("rb") as file:
            crops.append(pil_to_tensor(center_crop(resize(Image.open(file).convert("RGB"), 256), [224, 224])))
    return torch.stack(crops)


def seconds_an_image(function: Corrupt, images: Tensor, name: str, seed: int) -> float:
    """Seconds of one core for one image at one severity, averaged over the severities."""
    start = time.process_time()  # what other programs take of the machine is not counted
    for severity in SEVERITIES:
        function(images, Condition(name, severity), range(seed, seed + len(images)))
    return (time.process_time() - start) / len(SEVERITIES) / len(images)


def through_pillow(images: Tensor) -> Tensor:
    """Saved as the published script saves them, and read again."""
    read = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=JPEG_QUALITY, optimize=True)
        read.append(torch.from_numpy(np.array(Image.open(file).convert("RGB"))).permute(2, 0, 1))
    return torch.stack(read)


def measure(
    images: Tensor, reference: Corrupt, batched: Corrupt, rounds: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Milliseconds an image, reference and batched, for every corruption and round."""
    times = {name: (np.empty(rounds), np.empty(rounds)) for name in ALL}
    for turn in range(-1, rounds):  # the first round fills caches and compiles the reference's shuffle
        for name, (theirs, ours) in times.items():
            one = images[turn % len(images)][None]
            pair = seconds_an_image(reference, one, name, turn + 1), seconds_an_image(batched, images, name, 0)
            if turn >= 0:
                theirs[turn], ours[turn] = pair[0] * 1e3, pair[1] * 1e3
    return times


def add_row(table: Table, label: str, reference: np.ndarray, ours: np.ndarray, *, total: bool = False) -> None:
    def shown(values: np.ndarray) -> str:
        low, middle, high = np.percentile(values, [25, 50, 75])
        return f"{middle:.2f} ± {(high - low) / 2:.2f}"

    ratio = np.median(reference / ours)
    table.add_row(label, shown(reference), shown(ours), f"{ratio:.1f}x", style="bold" if total else None)


def side_by_side(definition: Definition, rounds: int, *, jpeg: bool) -> Table:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)

    def reference(images: Tensor, condition: Condition, seeds: Sequence[int]) -> Tensor:
        corrupted = corrupt_reference(images, condition, seeds)
        return through_pillow(corrupted) if jpeg else corrupted

    def batched(images: Tensor, condition: Condition, seeds: Sequence[int]) -> Tensor:
        corrupted = corrupt(images, condition, seeds, definition=definition)
        return round_trip(corrupted, JPEG_QUALITY) if jpeg else corrupted

    times = measure(photographs(8), reference, batched, rounds)
    steps = "with the JPEG round trip" if jpeg else "without JPEG"
    table = Table(title=f"ms per 224 x 224 image and core {steps}, {rounds} rounds, batched definition {definition}")
    for column in ("corruption", "imagecorruptions", "batched", "times as fast"):
        table.add_column(column, justify="left" if column == "corruption" else "right")
    for name in ALL:
        if name == EXTRA_CORRUPTIONS[0]:
            table.add_section()
        add_row(table, name, *times[name])
    table.add_section()
    for label, names in (
        ("the 15 together", CORRUPTIONS),
        ("the 15 without zoom_blur", [name for name in CORRUPTIONS if name != "zoom_blur"]),
    ):
        reference, ours = (sum(times[name][side] for name in names) for side in (0, 1))
        add_row(table, label, np.asarray(reference), np.asarray(ours), total=True)
    return table


def on_cuda(definition: Definition, rounds: int) -> Table:
    images = photographs(8).repeat(32, 1, 1, 1).cuda()
    table = Table(title=f"batched on {torch.cuda.get_device_name()}, batches of {len(images)}")
    table.add_column("corruption")
    table.add_column("images/s", justify="right")
    for name in ALL:
        speeds = []
        for turn in range(-1, min(rounds, 5)):
            torch.cuda.synchronize()
            start = time.perf_counter()
            for severity in SEVERITIES:
                corrupt(images, Condition(name, severity), range(len(images)), definition=definition)
            torch.cuda.synchronize()
            if turn >= 0:
                speeds.append(len(SEVERITIES) * len(images) / (time.perf_counter() - start))
        table.add_row(name, f"{np.median(speeds):,.0f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the batched corruptions against the imagecorruptions package.")
    parser.add_argument("--rounds", type=int, default=15, help="rounds to take the median over (default 15)")
    parser.add_argument("--definition", choices=("imagenet_c", "imagecorruptions"), default="imagenet_c")
    parser.add_argument("--without-jpeg", action="store_true", help="leave the JPEG round trip out on both sides")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    console = Console()
    console.print(side_by_side(arguments.definition, arguments.rounds, jpeg=not arguments.without_jpeg))
    if torch.cuda.is_available():
        console.print(on_cuda(arguments.definition, arguments.rounds))


if __name__ == "__main__":
    main()

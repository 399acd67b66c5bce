"""Accuracies under CIFAR-10-C, batched beside transcribed: ``python -m tests.corruptions.cifar10_c_table``.

Takes cifar10_resnet18 and the 1,000 images of the maintainers' ``cifar10`` folder. Both draw their random numbers
independently, on the same images; the standard error is that of the paired difference. Each cell is kept below
``--cache`` once it is done, so that the script may be stopped and started again.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))  # as pytest has it
import cifar10_c_oracle as oracle

from bench.corruptions import CORRUPTIONS, SEVERITIES
from bench.corruptions.batched import corrupt
from bench.data.label_spaces import CIFAR10
from bench.models import ModelConfig, load_classifier
from bench.models.fast import prepare_fast
from bench.records import Condition
from bench.seeding import derive_seed

SHARED_DATA = Path(os.environ.get("SNOWWOLF_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
CLASSES = list(CIFAR10.class_names)
BATCH = 100


def read_images(root):
    """``(N,32,32,3)`` uint8 images, ``(N,)`` labels, and the names they are seeded by."""
    paths = sorted(root.glob("*/*.jpg"))
    images = np.stack([np.array(Image.open(path).convert("RGB")) for path in paths])
    labels = np.array([CLASSES.index(path.parent.name) for path in paths])
    return images, labels, [path.relative_to(root).as_posix() for path in paths]


@torch.no_grad()
def judge(classifier, images, labels):
    """``(N,)`` whether each of ``(N,3,32,32)`` uint8 images is classified right."""
    batches = [
        classifier((images[start : start + BATCH].float() / 255).to(memory_format=torch.channels_last)).argmax(1)
        for start in range(0, len(images), BATCH)
    ]
    return torch.cat(batches).numpy() == labels if batches else np.zeros(0, bool)


def run_cell(classifier, images, labels, names, condition):
    """``(2,N)`` whether batched and transcribed images are classified right, and how many bytes differ."""
    clean = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    seeds = [derive_seed(0, condition.key, name) for name in names]
    batched = corrupt(clean, condition, seeds, definition="cifar10_c")
    other_seeds = [derive_seed("transcription", condition.key, name) for name in names]
    transcribed = oracle.corrupt(images, condition.name, int(condition.strength), other_seeds)
    transcribed = torch.from_numpy(transcribed).permute(0, 3, 1, 2).contiguous()
    right = np.stack([judge(classifier, batched, labels)] * 2)
    differ = (batched != transcribed).flatten(1).any(1)
    right[1, differ.numpy()] = judge(classifier, transcribed[differ], labels[differ.numpy()])
    return right, int((batched != transcribed).sum())


def print_table(cells, count):
    print(f"cifar10_resnet18, {count} images, accuracies in %")
    print("| corruption | severity | batched | transcription | difference | standard error | beyond 3 SE |")
    print("|---|---|---|---|---|---|---|")
    for condition, right in cells.items():
        difference = right[0].astype(float) - right[1]
        error = difference.std(ddof=1) / np.sqrt(count)
        beyond = "yes" if abs(difference.mean()) > 3 * error else ""
        ours, theirs = 100 * right.mean(1)
        print(
            f"| {condition.name} | {condition.strength:g} | {ours:.1f} | {theirs:.1f} |"
            f" {100 * difference.mean():+.1f} | {100 * error:.2f} | {beyond} |"
        )
    ours, theirs = 100 * np.mean([right.mean(1) for right in cells.values()], axis=0)
    by_image = np.mean([right[0].astype(float) - right[1] for right in cells.values()], axis=0)
    error = 100 * by_image.std(ddof=1) / np.sqrt(count)
    print(
        f"mean corruption accuracy over {len(cells)} cells: batched {ours:.2f}, transcription {theirs:.2f},"
        f" difference {ours - theirs:+.2f}, standard error {error:.2f}"
    )


def main():
    parser = argparse.ArgumentParser(description="CIFAR-10-C accuracies, batched beside transcribed.")
    parser.add_argument("--data", type=Path, default=SHARED_DATA / "cifar10", help="folder of class folders")
    parser.add_argument(
        "--cache", type=Path, default=Path("/tmp/cifar10_c_table"), help="where finished cells are kept"
    )
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further cell after these")
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    images, labels, names = read_images(options.data)
    classifier = prepare_fast(load_classifier(ModelConfig(name="cifar10_resnet18")), torch.rand(1, 3, 32, 32))
    conditions = [Condition(name, float(severity)) for name in CORRUPTIONS for severity in SEVERITIES]
    for condition in conditions:
        path = options.cache / f"{len(images)}-{condition.name}-{condition.strength:g}.npy"
        if path.exists():
            continue
        if time.monotonic() - started > options.seconds:
            print(f"stopped before {condition.key}: run again for the rest")
            return
        right, differing = run_cell(classifier, images, labels, names, condition)
        print(f"{condition.key}: {100 * right.mean(1)} %, {differing} bytes differ", flush=True)
        np.save(path, right)
    cells = {
        condition: np.load(options.cache / f"{len(images)}-{condition.name}-{condition.strength:g}.npy")
        for condition in conditions
    }
    print(f"clean accuracy {100 * judge(classifier, torch.from_numpy(images).permute(0, 3, 1, 2), labels).mean():.1f}")
    print_table(cells, len(images))


if __name__ == "__main__":
    main()

"""What each attack does to some images: clean image, perturbation and adversarial image, as one picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from bench.attacks import AttackResult
from bench.benchmarks import Batch, Benchmark
from bench.benchmarks.adversarial import attack_batch
from bench.benchmarks.attack import Attack
from bench.benchmarks.words import describe_condition
from bench.errors import DataError
from bench.imaging.division import bytes_to_pixels
from bench.records import describe_entry
from bench.reports.galleries.input import GalleryInput
from bench.reports.galleries.text import short_name
from bench.sweep.progress import SweepProgress

SIDE, GAP, TOP, LINES = 150, 8, 30, 34
"""Pixels: side of an image, gap between images, height of the headings, height of the text below an image."""
AMPLIFICATION = 10
FIRST = 256
"""Number of images, from the first, among which correctly classified ones are searched."""


@dataclass(frozen=True)
class Attacked:
    """One attack on the images of a gallery."""

    title: str
    """Attack and epsilon in words."""
    result: AttackResult
    """The adversarial images and the decisions on them."""


def attacks_among(benchmarks: Mapping[str, tuple[Benchmark, object]]) -> dict[str, Attack]:
    """The attacks of a suite, by entry.

    Args:
        benchmarks: entry -> benchmark and its images.
    """
    return {name: benchmark for name, (benchmark, _) in benchmarks.items() if isinstance(benchmark, Attack)}


def attack_gallery(inputs: GalleryInput, attacks: Mapping[str, Attack], n_images: int) -> Image.Image:
    """Attack the first images that are classified correctly, each attack at its largest epsilon, and draw the result.

    Args:
        inputs: the classifier and the images.
        attacks: by entry of the suite.
        n_images: rows of the picture, fewer if fewer images are classified correctly.

    Raises:
        DataError: none of the first 256 images is classified correctly.
    """
    network, crops = inputs.network, inputs.crops
    logits = _logits(network, crops.read(range(min(len(crops), FIRST))).to(inputs.device))
    rows = first_correct(logits, crops.labels, n_images)
    batch = inputs.batch(rows)
    attacked = []
    work = sum(attack.passes for attack in attacks.values())
    with SweepProgress(f"attacking {len(rows)} images of {crops.name}", len(attacks) * len(rows), work) as progress:
        for name, attack in attacks.items():
            condition = max(attack.conditions(), key=lambda item: item.strength)
            result = attack_batch(network, batch, attack.spec, condition, seed=inputs.seed)
            words = describe_condition(condition, attack.unit(condition), (name, attack.spec.name))
            attacked.append(Attacked(f"{describe_entry(name, attack.departure)}, {words}", result))
            progress.advance(len(rows), name, attack.passes)
    return draw_gallery(batch, logits[rows].softmax(dim=1).amax(dim=1).tolist(), attacked, inputs.names)


@torch.no_grad()
def _logits(network: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([network(bytes_to_pixels(part)) for part in torch.split(images, 16)]).cpu()


def first_correct(logits: Tensor, labels: NDArray[np.int64], n_images: int) -> list[int]:
    """Positions of the first ``n_images`` images that are classified correctly, fewer if there are fewer.

    Args:
        logits: ``(B,K)`` of the first ``B`` images.
        labels: ``(N,)`` of the dataset, ``N >= B``.
        n_images: at least 1.

    Raises:
        DataError: none is classified correctly.
    """
    correct = np.flatnonzero(logits.argmax(dim=1).numpy() == labels[: len(logits)])
    if not len(correct):
        raise DataError(f"none of the first {len(logits)} images is classified correctly: there is nothing to attack")
    return [int(row) for row in correct[:n_images]]


def draw_gallery(
    batch: Batch, confidence: Sequence[float], attacked: Sequence[Attacked], names: Sequence[str]
) -> Image.Image:
    """One row per image: clean, then for each attack its perturbation (times 10, around grey) and adversarial image.

    Args:
        batch: the clean images, all classified correctly.
        confidence: softmax probability of each clean image's class.
        attacked: what each attack did to them.
        names: class names, by logit column.
    """
    step = SIDE + GAP
    size = (GAP + step * (1 + 2 * len(attacked)), TOP + (SIDE + LINES + GAP) * len(batch))
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    pen.text((GAP, 6), "clean", fill="black", font=font)
    for column, shown in enumerate(attacked):
        pen.text(
            (GAP + step * (1 + 2 * column), 6), f"{shown.title}: perturbation x 10, image", fill="black", font=font
        )
    clean = batch.pixels()
    for row in range(len(batch)):
        top = TOP + (SIDE + LINES + GAP) * row
        sheet.paste(_thumbnail(clean[row]), (GAP, top))
        words = f"{short_name(names[int(batch.labels[row])])}\n{confidence[row]:.0%}"
        pen.text((GAP, top + SIDE + 2), words, fill="black", font=font)
        for column, shown in enumerate(attacked):
            left = GAP + step * (1 + 2 * column)
            image = shown.result.adversarials[row]
            sheet.paste(_thumbnail(0.5 + AMPLIFICATION * (image - clean[row])), (left, top))
            sheet.paste(_thumbnail(image), (left + step, top))
            fooled = bool(shown.result.success[row])
            words = f"{short_name(names[int(shown.result.prediction[row])])}\n{shown.result.confidence[row]:.0%}"
            colour = "#B03000" if fooled else "#006040"
            pen.text((left + step, top + SIDE + 2), words, fill=colour, font=font)
            pen.text((left, top + SIDE + 2), _size(shown, row, fooled=fooled), fill=colour, font=font)
    return sheet


def _size(shown: Attacked, row: int, *, fooled: bool) -> str:
    """``fooled, 1.00 of epsilon``."""
    verdict = "fooled" if fooled else "withstood"
    distance = float(shown.result.distance[row])
    return f"{verdict}\n{distance / shown.result.epsilon:.2f} of epsilon" if np.isfinite(distance) else verdict


def _thumbnail(picture: Tensor) -> Image.Image:
    """``(3,H,W)`` float in [0,1], clipped, at the gallery's size; small images are enlarged without smoothing."""
    values = (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    image = Image.fromarray(values)
    smooth = Image.Resampling.NEAREST if image.width < SIDE else Image.Resampling.LANCZOS
    return image.resize((SIDE, SIDE), smooth)

"""``task=attack_gallery``: what each attack of the suite does to some images, as a picture to look at."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from bench.attacks import AttackResult
from bench.benchmarks import Batch
from bench.benchmarks.adversarial import attack_batch
from bench.benchmarks.attack import Attack
from bench.benchmarks.words import describe_condition
from bench.data.label_spaces import column_names
from bench.errors import ConfigurationError, DataError
from bench.models import load_classifier
from bench.records import describe_entry
from bench.reports.galleries.files import gallery_path
from bench.sweep.images import open_images
from bench.sweep.job import describe_defense, prepare
from bench.sweep.progress import SweepProgress
from bench.sweep.settings import Settings
from bench.tasks.support.config import read_settings, report_folder
from bench.tasks.evaluate import check as check_evaluation

logger = logging.getLogger(__name__)
SIDE, GAP, TOP, LINES = 150, 8, 30, 34
AMPLIFICATION = 10
FIRST = 256
"""Images among which correctly classified ones are looked for."""


@dataclass(frozen=True)
class Attacked:
    """One attack on the images of a gallery."""

    title: str
    """Attack and epsilon in words."""
    result: AttackResult
    """What it did."""


def check(config: DictConfig) -> None:
    """Refuse what ``task=evaluate`` refuses, and a suite without an attack."""
    check_evaluation(config)
    settings = read_settings(config)
    if not _attacks(settings):
        raise ConfigurationError(f"none of {', '.join(settings.benchmarks)} is an attack: choose another suite")
    if int(config.images) < 1:
        raise ConfigurationError(f"images={config.images}: a gallery shows at least one")


def run(config: DictConfig) -> None:
    """Write the gallery of the classifier to ``reports/<name>/galleries/``, where the next report finds it."""
    settings = read_settings(config)
    device = settings.runtime.torch_device()
    classifier = load_classifier(settings.model)
    crops = open_images(settings.data, classifier.crop, settings.runtime, classifier.label_space)
    network = prepare(classifier, settings.runtime, settings.defense)
    logits = _logits(network, crops.read(range(min(len(crops), FIRST))).to(device))
    rows = _first_correct(logits, crops.labels, int(config.images))
    names = column_names(crops.label_space, settings.data.class_map)
    batch = Batch(crops.read(rows).to(device), torch.as_tensor(crops.labels[rows]).to(device), crops.image_ids[rows])
    attacked = []
    plan = _attacks(settings)
    work = sum(attack.passes for attack in plan.values())
    with SweepProgress(f"attacking {len(rows)} images of {crops.name}", len(plan) * len(rows), work) as progress:
        for name, attack in plan.items():
            condition = max(attack.conditions(), key=lambda item: item.strength)
            result = attack_batch(network, batch, attack.spec, condition, seed=settings.seed)
            words = describe_condition(condition, attack.unit(condition), (name, attack.spec.name))
            attacked.append(Attacked(f"{describe_entry(name, attack.departure)}, {words}", result))
            progress.advance(len(rows), name, attack.passes)
    report = report_folder(config)
    out = gallery_path(report, classifier.weights_digest, crops.digest, defense=describe_defense(settings.defense))
    out.parent.mkdir(parents=True, exist_ok=True)
    draw_gallery(batch, logits[rows].softmax(dim=1).amax(dim=1).tolist(), attacked, names).save(out, optimize=True)
    logger.info("wrote %s", out)


def _attacks(settings: Settings) -> Mapping[str, Attack]:
    built = {name: benchmark for name, (benchmark, _) in settings.benchmarks.items()}
    return {name: benchmark for name, benchmark in built.items() if isinstance(benchmark, Attack)}


@torch.no_grad()
def _logits(network: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([network(part.float() / 255) for part in torch.split(images, 16)]).cpu()


def _first_correct(logits: Tensor, labels: NDArray[np.int64], n_images: int) -> list[int]:
    """Positions of the first images that the classifier gets right."""
    correct = np.flatnonzero(logits.argmax(dim=1).numpy() == labels[: len(logits)])
    if not len(correct):
        raise DataError(f"none of the first {len(logits)} images is classified correctly: there is nothing to attack")
    return [int(row) for row in correct[:n_images]]


def draw_gallery(
    batch: Batch, confidence: Sequence[float], attacked: Sequence[Attacked], names: Sequence[str]
) -> Image.Image:
    """A row an image: clean, then for each attack its perturbation (times 10, around grey) and the adversarial image.

    Args:
        batch: the clean images, all classified correctly.
        confidence: softmax probability of each clean image's class.
        attacked: what each attack did to them.
        names: of the classes.
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
        words = f"{_short(names[int(batch.labels[row])])}\n{confidence[row]:.0%}"
        pen.text((GAP, top + SIDE + 2), words, fill="black", font=font)
        for column, shown in enumerate(attacked):
            left = GAP + step * (1 + 2 * column)
            image = shown.result.adversarials[row]
            sheet.paste(_thumbnail(0.5 + AMPLIFICATION * (image - clean[row])), (left, top))
            sheet.paste(_thumbnail(image), (left + step, top))
            fell = bool(shown.result.success[row])
            words = f"{_short(names[int(shown.result.prediction[row])])}\n{shown.result.confidence[row]:.0%}"
            colour = "#B03000" if fell else "#006040"
            pen.text((left + step, top + SIDE + 2), words, fill=colour, font=font)
            pen.text((left, top + SIDE + 2), _size(shown, row, fell=fell), fill=colour, font=font)
    return sheet


def _size(shown: Attacked, row: int, *, fell: bool) -> str:
    """``fooled, 1.00 of epsilon``."""
    verdict = "fooled" if fell else "withstood"
    distance = float(shown.result.distance[row])
    return f"{verdict}\n{distance / shown.result.epsilon:.2f} of epsilon" if np.isfinite(distance) else verdict


def _thumbnail(picture: Tensor) -> Image.Image:
    """``(3,H,W)`` float in [0,1], clipped, at the gallery's size; small images are enlarged without smoothing."""
    values = (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    image = Image.fromarray(values)
    smooth = Image.Resampling.NEAREST if image.width < SIDE else Image.Resampling.LANCZOS
    return image.resize((SIDE, SIDE), smooth)


def _short(name: str) -> str:
    head = name.partition(",")[0]
    return head if len(head) <= 20 else f"{head[:19]}…"

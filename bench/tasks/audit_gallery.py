"""``task=audit_gallery``: what a classifier looks at in some images, as overlays to compare with other classifiers'."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from omegaconf import DictConfig
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from bench.benchmarks import Batch, judge
from bench.benchmarks.cam_audit import CamAudit, attribution_maps
from bench.data import check_data
from bench.data.label_spaces import column_names
from bench.data.regions import check_regions, read_regions
from bench.errors import ConfigurationError
from bench.explain.localisation import energy_inside
from bench.models import check_model, load_classifier
from bench.records import Outcomes
from bench.reports.galleries.files import AUDIT, gallery_path
from bench.reports.galleries.overlay import overlay
from bench.sweep.images import open_images
from bench.sweep.job import describe_defense, prepare
from bench.tasks.support.config import read_settings, report_folder

logger = logging.getLogger(__name__)
SIDE, GAP, LINES = 168, 8, 70
RIGHT, WRONG = "#006040", "#B03000"


def check(config: DictConfig) -> None:
    """Refuse images, models, regions and methods that do not exist."""
    settings = read_settings(config)
    check_data(settings.data)
    check_model(settings.model)
    settings.runtime.check()
    if settings.data.regions is not None:
        check_regions(settings.data.regions)
    CamAudit(method=str(config.method))
    if int(config.images) < 1:
        raise ConfigurationError(f"images={config.images}: a gallery shows at least one")


def run(config: DictConfig) -> None:
    """Write the strip of the classifier to ``reports/<name>/galleries/``, where the next report finds it."""
    settings = read_settings(config)
    device = settings.runtime.torch_device()
    classifier = load_classifier(settings.model)
    crops = open_images(settings.data, classifier.crop, settings.runtime, classifier.label_space)
    network = prepare(classifier, settings.runtime, settings.defense)
    rows = evenly_spaced(len(crops), int(config.images))
    batch = Batch(crops.read(rows).to(device), torch.as_tensor(crops.labels[rows]).to(device), crops.image_ids[rows])
    with torch.no_grad():
        logits = network(batch.pixels())
    predicted = logits.argmax(dim=1)
    method = str(config.method)
    maps = attribution_maps(network, batch.pixels(), predicted, method, batch, seed=settings.seed).cpu()
    source = settings.data.regions
    regions = None if source is None else read_regions(crops, rows, source, missing="absent")[:, 0] > 0
    outcomes = judge(logits, batch)
    report = report_folder(config)
    out = gallery_path(
        report, classifier.weights_digest, crops.digest, defense=describe_defense(settings.defense), kind=AUDIT
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    names = column_names(crops.label_space, settings.data.class_map)
    draw_strip(batch.images.cpu(), maps, outcomes, names, regions).save(out, optimize=True)
    logger.info("wrote %s", out)


def evenly_spaced(n: int, count: int) -> list[int]:
    """``count`` positions spread over ``0 .. n - 1``, or all of them."""
    return [int(row) for row in np.unique(np.linspace(0, n - 1, min(count, n)).round())]


def draw_strip(
    images: Tensor, maps: Tensor, outcomes: Outcomes, names: Sequence[str], regions: Tensor | None
) -> Image.Image:
    """The images in one row, each under its map, with the prediction below.

    Args:
        images: ``(B,3,H,W)`` uint8.
        maps: ``(B,H,W)`` attributions of the predicted classes.
        outcomes: the decisions.
        names: of the classes.
        regions: ``(B,H,W)`` bool, true on the labelled object; None where objects are not known.
    """
    strip = Image.new("RGB", (GAP + (SIDE + GAP) * len(images), SIDE + LINES), "white")
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default(size=13)
    shares = None if regions is None else energy_inside(maps, regions)
    for place in range(len(images)):
        left = GAP + (SIDE + GAP) * place
        region = None if regions is None else regions[place].numpy()
        strip.paste(
            overlay(images[place], maps[place], region).resize((SIDE, SIDE), Image.Resampling.LANCZOS), (left, 0)
        )
        words = [_short(names[int(outcomes.prediction[place])]), f"{outcomes.confidence[place]:.0%} sure"]
        if not outcomes.correct[place]:
            words.insert(1, f"is {_short(names[int(outcomes.label[place])])}")
        if shares is not None:
            share = float(shares[place])
            words.append("no object or map" if np.isnan(share) else f"{share:.0%} in the object")
        colour = RIGHT if outcomes.correct[place] else WRONG
        pen.text((left, SIDE + 2), "\n".join(words), fill=colour, font=font)
    return strip


def _short(name: str) -> str:
    head = name.partition(",")[0]
    return head if len(head) <= 20 else f"{head[:19]}…"

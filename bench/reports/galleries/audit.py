"""What a classifier looks at in some images: attribution overlays in one strip, to compare between classifiers."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from bench.data.dataset import evenly_spaced
from bench.explain.localisation import energy_inside
from bench.records import Outcomes
from bench.reports.galleries.explainer import Explainer
from bench.reports.galleries.overlay import overlay
from bench.reports.galleries.text import short_name

SIDE, GAP, LINES = 168, 8, 70
"""Pixels: side of an image, gap between images, height of the text below an image."""
RIGHT, WRONG = "#006040", "#B03000"


def audit_gallery(explainer: Explainer, regions: str | None, n_images: int) -> Image.Image:
    """The strip of ``n_images`` images, evenly spaced over the dataset.

    Args:
        explainer: of the classifier.
        regions: source of object regions (``bench.data.regions``) to outline; None for none.
        n_images: all if the dataset has fewer.
    """
    rows = evenly_spaced(len(explainer.inputs.crops), n_images)
    return explained_strip(explainer, rows, regions)


def explained_strip(explainer: Explainer, rows: Sequence[int], regions: str | None) -> Image.Image:
    """The strip of the images at the positions ``rows``; ``regions`` as in ``audit_gallery``."""
    batch = explainer.inputs.batch(rows)
    explained = explainer.explain(batch)
    masks = explainer.regions(rows, regions)
    return draw_strip(batch.images.cpu(), explained.maps.cpu(), explained.outcomes, explainer.inputs.names, masks)


def draw_strip(
    images: Tensor, maps: Tensor, outcomes: Outcomes, names: Sequence[str], regions: Tensor | None
) -> Image.Image:
    """The images in one row, each covered by its map, with the prediction below.

    Args:
        images: ``(B,3,H,W)`` uint8.
        maps: ``(B,H,W)`` attributions of the predicted classes.
        outcomes: the decisions, one row per image.
        names: class names, by logit column.
        regions: ``(B,H,W)`` bool, true on the labelled object; None if regions are not known.
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
        words = [short_name(names[int(outcomes.prediction[place])]), f"{outcomes.confidence[place]:.0%} sure"]
        if not outcomes.correct[place]:
            words.insert(1, f"is {short_name(names[int(outcomes.label[place])])}")
        if shares is not None:
            share = float(shares[place])
            words.append("no object or map" if np.isnan(share) else f"{share:.0%} in the object")
        colour = RIGHT if outcomes.correct[place] else WRONG
        pen.text((left, SIDE + 2), "\n".join(words), fill=colour, font=font)
    return strip

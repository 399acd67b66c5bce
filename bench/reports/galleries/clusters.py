"""Groups of images that are decided on in the same way: one strip of attribution overlays per cluster."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bench.explain.clusters import Clusters
from bench.reports.galleries.audit import explained_strip
from bench.reports.galleries.explainer import BATCH, Explainer

TITLE = 26
"""Pixels: height of a strip's heading."""


def draw_clusters(
    explainer: Explainer, clusters: Clusters, rows: NDArray[np.int64], regions: str | None, *, n_images: int
) -> Image.Image:
    """One titled strip per cluster, the largest cluster first, the most typical images first.

    Args:
        explainer: of the classifier.
        clusters: of the images at ``rows``.
        rows: ``(N,)`` positions in the dataset.
        regions: source of object regions to outline; None for none.
        n_images: images of each cluster.
    """
    strips = []
    for cluster in range(int(clusters.labels.max()) + 1):
        members = rows[clusters.members(cluster)]
        strip = explained_strip(explainer, members[:n_images].tolist(), regions)
        strips.append((f"Cluster {cluster + 1}: {_summary(explainer, members)}", strip))
    width = max(strip.width for _, strip in strips)
    sheet = Image.new("RGB", (width, sum(TITLE + strip.height for _, strip in strips)), "white")
    pen, font, top = ImageDraw.Draw(sheet), ImageFont.load_default(size=15), 0
    for title, strip in strips:
        pen.text((8, top + 3), title, fill="black", font=font)
        sheet.paste(strip, (0, top + TITLE))
        top += TITLE + strip.height
    return sheet


def _summary(explainer: Explainer, members: NDArray[np.int64]) -> str:
    """How many images, and the classes that are predicted most."""
    predictions: Counter[int] = Counter()
    for start in range(0, len(members), BATCH):
        outcomes = explainer.decide(explainer.inputs.batch(members[start : start + BATCH].tolist()))
        predictions.update(outcomes.prediction.tolist())
    names = explainer.inputs.names
    most = [f"{names[label].partition(',')[0]} ({count})" for label, count in predictions.most_common(3)]
    return f"{len(members)} images, taken for {', '.join(most)}"

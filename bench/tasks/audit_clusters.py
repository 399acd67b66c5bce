"""``task=audit_clusters``: unknown shortcuts, as groups of images that are decided on in the same way."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

from bench.benchmarks import Batch, judge
from bench.benchmarks.cam_audit import attribution_maps
from bench.data import Crops
from bench.data.label_spaces import column_names
from bench.data.regions import read_regions
from bench.errors import ConfigurationError, DataError
from bench.explain.clusters import FEWEST_IMAGES, Clusters, attributed_features, pooled_maps, spectral_clusters
from bench.models import load_classifier
from bench.records import Outcomes
from bench.reports.galleries.files import CLUSTERS, gallery_path
from bench.sweep.images import open_images
from bench.sweep.job import describe_defense, prepare
from bench.sweep.progress import SweepProgress
from bench.tasks import audit_gallery
from bench.tasks.audit_gallery import draw_strip
from bench.tasks.support.config import read_settings, report_folder

logger = logging.getLogger(__name__)
BATCH, TITLE = 16, 26
CHOICES = {"of": ("wrong", "all"), "by": ("map", "features")}


@dataclass(frozen=True)
class Explained:
    """Decisions on some images, with their maps."""

    outcomes: Outcomes
    """One row an image."""
    maps: Tensor
    """``(B,H,W)`` attributions of the predicted classes."""


@dataclass(frozen=True)
class Explainer:
    """A classifier that is asked about images of a dataset by their positions."""

    network: nn.Module
    """``(B,3,H,W)`` in [0,1] -> logits."""
    crops: Crops
    """The images."""
    method: str
    """Of attribution."""
    device: torch.device
    """Where the network is."""
    seed: int
    """The sweep's seed."""

    def batch(self, rows: Sequence[int]) -> Batch:
        """The images at ``rows``."""
        labels = torch.as_tensor(self.crops.labels[list(rows)]).to(self.device)
        return Batch(self.crops.read(rows).to(self.device), labels, self.crops.image_ids[list(rows)])

    def decide(self, batch: Batch) -> Outcomes:
        """The decisions alone."""
        with torch.no_grad():
            return judge(self.network(batch.pixels()), batch)

    def explain(self, rows: Sequence[int]) -> Explained:
        """Decisions and maps."""
        return self._explain(self.batch(rows))

    def describe(self, rows: Sequence[int], by: str) -> Tensor:
        """``(B,D)`` descriptors of the decisions on the images at ``rows``."""
        batch = self.batch(rows)
        explained = self._explain(batch)
        if by == "map":
            return pooled_maps(explained.maps)
        targets = torch.as_tensor(explained.outcomes.prediction).to(self.device)
        return attributed_features(self.network, batch.pixels(), targets, explained.maps)

    def _explain(self, batch: Batch) -> Explained:
        outcomes = self.decide(batch)
        targets = torch.as_tensor(outcomes.prediction).to(self.device)
        maps = attribution_maps(self.network, batch.pixels(), targets, self.method, batch, seed=self.seed)
        return Explained(outcomes, maps)


def check(config: DictConfig) -> None:
    """Refuse what ``task=audit_gallery`` refuses, and unknown choices."""
    audit_gallery.check(config)
    for key, valid in CHOICES.items():
        if config[key] not in valid:
            raise ConfigurationError(f"{key} is {' or '.join(valid)}, not {config[key]!r}")
    if config.clusters is not None and int(config.clusters) < 1:
        raise ConfigurationError(f"clusters={config.clusters}: at least 1, or null")


def run(config: DictConfig) -> None:
    """Write the sheets of the classifier to ``reports/<name>/galleries/``, where the next report finds them.

    Raises:
        DataError: too few images of the kind asked for.
    """
    settings = read_settings(config)
    device = settings.runtime.torch_device()
    classifier = load_classifier(settings.model)
    crops = open_images(settings.data, classifier.crop, settings.runtime, classifier.label_space)
    network = prepare(classifier, settings.runtime, settings.defense)
    explainer = Explainer(network, crops, str(config.method), device, settings.seed)
    rows, points = _collect(explainer, config)
    clusters = spectral_clusters(points, clusters=config.clusters, seed=settings.seed)
    names = column_names(crops.label_space, settings.data.class_map)
    sheet = draw_sheet(explainer, clusters, rows, names, settings.data.regions, shown=int(config.images))
    report = report_folder(config)
    identity = describe_defense(settings.defense)
    out = gallery_path(report, classifier.weights_digest, crops.digest, defense=identity, kind=CLUSTERS)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out, optimize=True)
    if config.clusters is None and not clusters.labels.any():
        logger.info("no group stands out among %d images; clusters=N divides them all the same", len(rows))
    logger.info("%d images in %d clusters; wrote %s", len(rows), clusters.labels.max() + 1, out)


def _collect(explainer: Explainer, config: DictConfig) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Positions and descriptors of the images asked for."""
    crops = explainer.crops
    wanted = np.arange(len(crops)) if config.class_index is None else np.flatnonzero(crops.labels == config.class_index)
    kept, points = [], []
    with SweepProgress(f"explaining {crops.name}", len(wanted)) as progress:
        for start in range(0, len(wanted), BATCH):
            rows = wanted[start : start + BATCH]
            batch = explainer.batch(rows.tolist())
            chosen = rows if config.of == "all" else rows[~explainer.decide(batch).correct]
            if len(chosen):
                found = explainer.describe(chosen.tolist(), str(config.by)).numpy()
                mapped = np.isfinite(found).all(axis=1)  # a map without a positive value looks nowhere
                kept.append(chosen[mapped])
                points.append(found[mapped])
            progress.advance(len(rows))
    n = sum(len(rows) for rows in kept)
    if n < FEWEST_IMAGES:
        kind = "wrong predictions" if config.of == "wrong" else "images"
        raise DataError(
            f"{crops.name} has {n} {kind} with a map: {FEWEST_IMAGES} are needed; try of=all or more images"
        )
    return np.concatenate(kept), np.concatenate(points)


def draw_sheet(
    explainer: Explainer,
    clusters: Clusters,
    rows: NDArray[np.int64],
    names: Sequence[str],
    regions: str | None,
    *,
    shown: int,
) -> Image.Image:
    """A titled strip a cluster, the largest first, the most typical images first.

    Args:
        explainer: who decided.
        clusters: of the images at ``rows``.
        rows: ``(N,)`` positions in the dataset.
        names: of the classes.
        regions: where the objects are, to be outlined; null for none.
        shown: images of each cluster.
    """
    strips = []
    for cluster in range(int(clusters.labels.max()) + 1):
        members = rows[clusters.members(cluster)]
        explained = explainer.explain(members[:shown].tolist())
        masks = None
        if regions is not None:
            masks = read_regions(explainer.crops, members[:shown].tolist(), regions, missing="absent")[:, 0] > 0
        images = explainer.crops.read(members[:shown].tolist())
        strip = draw_strip(images, explained.maps.cpu(), explained.outcomes, names, masks)
        strips.append((f"Cluster {cluster + 1}: {_summary(explainer, members, names)}", strip))
    width = max(strip.width for _, strip in strips)
    sheet = Image.new("RGB", (width, sum(TITLE + strip.height for _, strip in strips)), "white")
    pen, font, top = ImageDraw.Draw(sheet), ImageFont.load_default(size=15), 0
    for title, strip in strips:
        pen.text((8, top + 3), title, fill="black", font=font)
        sheet.paste(strip, (0, top + TITLE))
        top += TITLE + strip.height
    return sheet


def _summary(explainer: Explainer, members: NDArray[np.int64], names: Sequence[str]) -> str:
    """How many images, and which classes they are taken for most."""
    predictions: Counter[int] = Counter()
    for start in range(0, len(members), BATCH):
        decided = explainer.decide(explainer.batch(members[start : start + BATCH].tolist()))
        predictions.update(decided.prediction.tolist())
    most = [f"{names[label].partition(',')[0]} ({count})" for label, count in predictions.most_common(3)]
    return f"{len(members)} images, taken for {', '.join(most)}"

"""The files of galleries: where they are written, and how they get onto the report's page."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.reports.entries import LeaderboardEntry

ATTACKS, AUDIT, CLUSTERS = "attacks", "audit", "clusters"


@dataclass(frozen=True)
class Gallery:
    """Pictures of one kind, one per classifier."""

    title: str
    """Heading."""
    note: str
    """How to read the pictures."""
    pictures: Sequence[tuple[str, str]]
    """Label and data URI of each."""
    together: bool = False
    """Whether all are open below one another, to be compared, or only the first."""


HEADINGS = {
    ATTACKS: (
        "Adversarial images",
        "Clean, perturbation times 10 (grey is none) and attacked image, with what the classifier sees in it and how"
        " sure it is.",
    ),
    AUDIT: (
        "What the classifiers look at",
        "The same images for every classifier: attribution of the predicted class, bright where the evidence is;"
        " the white line is the labelled object. Below each, the prediction (red where wrong) and the share of"
        " attribution in the object.",
    ),
    CLUSTERS: (
        "Decided on in the same way",
        "Images in groups of like attribution (spectral relevance analysis). A group that is decided on beside the"
        " object and taken for one class hints at a shortcut.",
    ),
}
"""Heading and note of each kind, in the order of the page."""


def gallery_path(report: Path, weights_digest: str, dataset_digest: str, *, defense: str, kind: str = ATTACKS) -> Path:
    """File of the gallery of a classifier on a dataset; its name is made of digests.

    Args:
        report: folder of the report.
        weights_digest: of the classifier.
        dataset_digest: of the images.
        defense: name and parameters of the defense; empty for none.
        kind: one of ``HEADINGS``.
    """
    key = f"{weights_digest}|{dataset_digest}|{defense}"
    return report / "galleries" / f"{kind}-{hashlib.blake2b(key.encode(), digest_size=8).hexdigest()}.png"


def read_galleries(report: Path, entries: Sequence[LeaderboardEntry]) -> list[Gallery]:
    """The galleries that ``task=attack_gallery``, ``audit_gallery`` and ``audit_clusters`` wrote for these rows."""
    galleries = []
    for kind, (title, note) in HEADINGS.items():
        pictures = []
        for entry in entries:
            spec = entry.spec
            path = gallery_path(report, spec.weights_digest, spec.dataset_digest, defense=spec.defense, kind=kind)
            if path.is_file():
                content = base64.b64encode(path.read_bytes()).decode()
                pictures.append((entry.label, f"data:image/png;base64,{content}"))
        if pictures:
            galleries.append(Gallery(title, note, pictures, together=kind == AUDIT))
    return galleries

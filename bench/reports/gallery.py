"""Where the pictures that go with a report's rows are, and how they get onto the page."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from bench.reports.subjects import Subject


def gallery_path(report: Path, weights_digest: str, dataset_digest: str, *, defense: str) -> Path:
    """The gallery of a classifier on a dataset, named by digests alone."""
    key = f"{weights_digest}|{dataset_digest}|{defense}"
    return report / "galleries" / f"attacks-{hashlib.blake2b(key.encode(), digest_size=8).hexdigest()}.png"


def read_galleries(report: Path, subjects: Sequence[Subject]) -> list[tuple[str, str]]:
    """Label and data URI of every gallery that ``task=attack_gallery`` has left for one of the subjects."""
    found = []
    for subject in subjects:
        spec = subject.spec
        path = gallery_path(report, spec.weights_digest, spec.dataset_digest, defense=spec.defense)
        if path.is_file():
            content = base64.b64encode(path.read_bytes()).decode()
            found.append((subject.label, f"data:image/png;base64,{content}"))
    return found

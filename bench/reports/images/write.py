"""Write the images page: ``images.html``, and the pictures in a folder beside it."""

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from bench.benchmarks import Benchmark
from bench.configs import DataConfig, RuntimeConfig
from bench.data import Crops
from bench.records import Condition
from bench.reports.entries import LeaderboardEntry, read_entries
from bench.reports.images.answers import page_data, strips_of
from bench.reports.images.choose import Shown, choose_images, variant_of
from bench.reports.images.recreate import NotTheSameError, open_shown, shown_images
from bench.reports.page import environment, template
from bench.reports.protocols import with_protocols
from bench.results import Store
from bench.sweep.progress import SweepProgress

logger = logging.getLogger(__name__)
PAGE, FOLDER = "images.html", "images"
SIDE, QUALITY = 176, 82
"""Pixels of a picture's shorter side, and quality of its JPEG file."""
Opened = dict[str, tuple[Benchmark, Crops]]
"""Key of a benchmark -> what its pictures are made with."""


def write_images(
    store: Store,
    out_dir: Path,
    suite: Mapping[str, tuple[Benchmark, DataConfig]],
    runtime: RuntimeConfig,
    most: int,
) -> Path | None:
    """Write ``images.html`` with pictures of the images that tell the classifiers of the store apart.

    Pictures are made again as the sweep made them, and only where the images and settings at hand are those of the
    store.

    Args:
        store: only read.
        out_dir: folder of the report.
        suite: entry -> benchmark and its images.
        runtime: crop cache and workers.
        most: images of each set that get pictures.

    Returns:
        The page; None where no picture can be made.

    Raises:
        DataError: the store is empty or damaged.
    """
    sets: list[dict[str, Any]] = []
    shutil.rmtree(out_dir / FOLDER, ignore_errors=True)
    (out_dir / PAGE).unlink(missing_ok=True)
    for entries, keys in _by_images(with_protocols(read_entries(store, allow_none=True))):
        opened = _opened(entries, keys, suite, runtime)
        conditions = [(key, condition) for key in opened for condition in _conditions(entries, key)]
        if conditions:
            positions = choose_images(entries, conditions, len(next(iter(opened.values()))[1]), most)
            sets.append(_draw(entries, opened, conditions, positions, out_dir / FOLDER / str(len(sets))))
    if not sets:
        return None
    text = json.dumps(sets, separators=(",", ":")).replace("<", "\\u003c")
    page = (
        environment()
        .get_template("images.html.j2")
        .render(
            name=out_dir.name,
            data=text,
            side=SIDE,
            folder=FOLDER,
            style=template("leaderboard.css") + template("images.css"),
            script=template("images.js"),
        )
    )
    (out_dir / PAGE).write_text(page)
    return out_dir / PAGE


def _by_images(entries: Sequence[LeaderboardEntry]) -> list[tuple[list[LeaderboardEntry], list[str]]]:
    """The entries of each set of images and seed, with the keys of the benchmarks that can be pictured on it."""
    sets: dict[tuple[str, str, int], tuple[dict[int, LeaderboardEntry], dict[str, None]]] = {}
    for number, entry in enumerate(entries):
        for key, variant in entry.benchmarks.items():
            spec = variant.spec
            if variant.declared.pictured:
                own = sets.setdefault((spec.dataset_digest, spec.label_space, spec.seed), ({}, {}))
                own[0][number] = entry
                own[1][key] = None
    return [(list(shown.values()), list(keys)) for shown, keys in sets.values()]


def _conditions(entries: Sequence[LeaderboardEntry], key: str) -> list[Condition]:
    """Conditions of a benchmark with outcomes of a classifier: in the order of the published set, by strength."""
    variant = variant_of(entries, key)
    published = list(dict.fromkeys(condition.name for condition in variant.declared.complete_conditions()))
    found = {it for entry in entries for it in entry.conditions(key) if entry.has(key, it)}
    return sorted(found, key=lambda it: (published.index(it.name) if it.name in published else len(published), it))


def _opened(
    entries: Sequence[LeaderboardEntry],
    keys: Sequence[str],
    suite: Mapping[str, tuple[Benchmark, DataConfig]],
    runtime: RuntimeConfig,
) -> Opened:
    """What can be pictured, by the benchmark's key; what cannot is said in the log."""
    opened: Opened = {}
    for key in keys:
        variant = variant_of(entries, key)
        try:
            opened[key] = open_shown(variant.spec, suite, runtime)
        except NotTheSameError as error:
            logger.info("no pictures of %s: %s", key, error)
    return opened


def _draw(
    entries: Sequence[LeaderboardEntry],
    opened: Opened,
    conditions: Sequence[Shown],
    positions: Sequence[int],
    folder: Path,
) -> dict[str, Any]:
    """Write the pictures of one set of images, and return what the page knows of them."""
    folder.mkdir(parents=True)
    strips = strips_of(conditions)
    crops, seed = next(iter(opened.values()))[1], entries[0].spec.seed
    with SweepProgress(f"pictures of {crops.name}", len(conditions) * len(positions)) as progress:
        for number, strip in enumerate(strips):
            benchmark, own = opened[strip.benchmark]
            pictures = [shown_images(benchmark, own, positions, it, seed=seed) for it in strip.conditions]
            for row in range(len(positions)):
                _strip([images[row] for images in pictures]).save(folder / f"{row}-{number}.jpg", quality=QUALITY)
            progress.advance(len(strip.conditions) * len(positions), strip.name)
    return page_data(entries, strips, crops, positions)


def _strip(images: Sequence[Tensor]) -> Image.Image:
    """Images ``(3,H,W)`` side by side, each scaled to a square of ``SIDE``."""
    strip = Image.new("RGB", (SIDE * len(images), SIDE))
    for place, image in enumerate(images):
        picture = Image.fromarray(image.permute(1, 2, 0).to(torch.uint8).cpu().numpy())
        strip.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (SIDE * place, 0))
    return strip

"""``task=make_corrupted``: write a dataset's corrupted images to disk in ImageNet-C's layout."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from bench.benchmarks.corruption import Corruption
from bench.benchmarks.protocol import IMAGENET_C_CROP, JPEG_QUALITY
from bench.corruptions.files import corrupted_path, write_corrupted
from bench.data import Crops, check_data
from bench.errors import ConfigurationError
from bench.records import Condition
from bench.sweep.images import open_images
from bench.sweep.progress import SweepProgress
from bench.sweep.settings import Settings
from bench.tasks.support.config import read_settings

logger = logging.getLogger(__name__)
BATCH = 16


def check(config: DictConfig) -> None:
    """Refuse a missing output folder or a suite without on-the-fly corruptions."""
    settings = read_settings(config)
    _corruption(settings)
    check_data(settings.data)
    if config.out is None:
        raise ConfigurationError("task=make_corrupted needs out=FOLDER to write to")


def run(config: DictConfig) -> None:
    """Write ``<out>/<corruption>/<severity>/<class>/<image>.JPEG``; files that exist are not written again."""
    settings = read_settings(config)
    benchmark, out = _corruption(settings), Path(str(config.out))
    crops = open_images(settings.data, IMAGENET_C_CROP, settings.runtime, None)
    conditions = benchmark.conditions()
    with SweepProgress(f"corrupting {crops.name}", len(conditions) * len(crops)) as progress:
        for condition in conditions:
            folder = out / condition.name / f"{condition.strength:g}"
            for start in range(0, len(crops), BATCH):
                positions = range(start, min(start + BATCH, len(crops)))
                _write_missing(folder, benchmark, crops, positions, condition, seed=settings.seed)
                progress.advance(len(positions), condition.key)
    logger.info("wrote %s", out)


def _corruption(settings: Settings) -> Corruption:
    for benchmark, _ in settings.benchmarks.values():
        if isinstance(benchmark, Corruption) and benchmark.source != "files":
            if benchmark.resolved_definition == "cifar10_c":
                raise ConfigurationError(
                    "task=make_corrupted writes ImageNet-C's folders of 224-pixel images: definition=cifar10_c has none"
                )
            return benchmark
    raise ConfigurationError("task=make_corrupted needs benchmark=corruption, or a suite with it, made on the fly")


def _write_missing(
    folder: Path, benchmark: Corruption, crops: Crops, positions: range, condition: Condition, *, seed: int
) -> None:
    targets = {position: corrupted_path(folder, str(crops.image_ids[position])) for position in positions}
    missing = [position for position, target in targets.items() if not target.exists()]
    if missing:
        images = benchmark.corrupted(crops.read(missing), crops.image_ids[missing], condition, seed=seed)
        for position, image in zip(missing, images, strict=True):
            write_corrupted(targets[position], image, quality=JPEG_QUALITY)

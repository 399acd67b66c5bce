"""Open a job's images: the crop cache with its progress, and a word on what was left out."""

import logging
from pathlib import Path

from bench.configs import RuntimeConfig
from bench.data import CropRecipe, Crops, DataConfig, Dataset, LabelSpace, load_dataset, open_crops
from bench.sweep.engine import automatic_workers
from bench.sweep.progress import SweepProgress

logger = logging.getLogger(__name__)
IMAGES_A_WORKER = 64


def open_images(
    data: DataConfig | Dataset, recipe: CropRecipe, runtime: RuntimeConfig, classifier: LabelSpace | None
) -> Crops:
    """The crops of ``data``, decoded now unless they were before.

    Args:
        data: which images; a ``Dataset`` is labelled for the classifier already.
        recipe: resize and crop.
        runtime: workers and crop cache.
        classifier: the label space of the classifier that will see them; None where none will.

    Raises:
        ConfigurationError: the dataset does not exist, or its classes do not fit the classifier's.
        DataError: images that do not decode, unless ``data.on_error=skip``.
    """
    dataset = data if isinstance(data, Dataset) else load_dataset(data, classifier)
    workers = automatic_workers(len(dataset) // IMAGES_A_WORKER) if runtime.workers is None else runtime.workers
    progress = SweepProgress(f"decoding {dataset.name} at {recipe.key}", len(dataset))
    with progress:
        crops = open_crops(
            dataset,
            recipe,
            cache_dir=Path(runtime.cache_dir).expanduser(),
            cache_gb=runtime.cache_gb,
            workers=workers,
            on_error="refuse" if isinstance(data, Dataset) else data.on_error,
            progress=lambda done, _: progress.advance(done - progress.done),
        )
    if crops.skipped:
        named = ", ".join(crops.skipped[:5]) + (", ..." if len(crops.skipped) > 5 else "")
        logger.warning("%s: %d unreadable images left out: %s", crops.name, len(crops.skipped), named)
    return crops

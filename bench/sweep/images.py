"""Open a job's images: the crop cache with its progress, and a word on what was left out."""

import logging
from pathlib import Path

from bench.configs import RuntimeConfig, available_cores
from bench.data import CropRecipe, Crops, DataConfig, Dataset, LabelSpace, load_dataset, open_crops
from bench.sweep.progress import SweepProgress

logger = logging.getLogger(__name__)
IMAGES_PER_WORKER = 64
"""Images that are decoded in about the time that a process takes to start."""
MOST_WORKERS = 32
"""More would wait for one another at the disk and at the file that the crops are written to."""


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
    workers = decoding_workers(len(dataset)) if runtime.workers is None else runtime.workers
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


def decoding_workers(n_images: int) -> int:
    """DataLoader workers that decode ``n_images``: none for a handful, else one per core: nothing else runs yet."""
    workers = min(available_cores(), MOST_WORKERS, n_images // IMAGES_PER_WORKER)
    return workers if workers > 1 else 0  # one worker decodes as fast as this process does

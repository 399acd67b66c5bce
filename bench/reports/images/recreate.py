"""Make the images again that classifiers were shown, from the images of the sweep and the identities in the store."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from bench.benchmarks import Batch, Benchmark
from bench.configs import DataConfig, RuntimeConfig
from bench.data import CropRecipe, Crops
from bench.data.label_spaces import WHOLE_SPACES
from bench.errors import ConfigurationError, DataError
from bench.records import Condition, RunSpec
from bench.sweep.images import open_images


class NotTheSameError(DataError):
    """The images or settings at hand are not those of the stored outcomes."""


def open_shown(
    spec: RunSpec, suite: Mapping[str, tuple[Benchmark, DataConfig]], runtime: RuntimeConfig
) -> tuple[Benchmark, Crops]:
    """The benchmark and the images that a stored cell was computed with.

    Args:
        spec: of the cell.
        suite: entry -> benchmark and its images, as the configuration has them.
        runtime: crop cache and workers.

    Raises:
        NotTheSameError: the suite has no such entry, or has it with other settings or images.
    """
    if spec.entry not in suite:
        raise NotTheSameError(f"the suite has no entry {spec.entry}")
    given, data = suite[spec.entry]
    crop = CropRecipe.from_key(spec.crop)
    benchmark = given.prepared(crop, Path(runtime.cache_dir).expanduser())
    if (benchmark.name, benchmark.version, dict(benchmark.parameters())) != (
        spec.benchmark,
        spec.version,
        dict(spec.parameters),
    ):
        raise NotTheSameError(f"{spec.entry} was run with other settings")
    space = WHOLE_SPACES[spec.label_space]() if spec.label_space in WHOLE_SPACES else None
    try:
        crops = open_images(data, benchmark.recipe(crop), runtime, space)
    except (ConfigurationError, DataError) as error:
        raise NotTheSameError(f"the images of {spec.entry} cannot be read: {error}") from error
    if crops.digest != spec.dataset_digest:
        raise NotTheSameError(f"the images of {spec.entry} are not those of {spec.dataset} in the store")
    return benchmark, crops


def shown_images(
    benchmark: Benchmark, crops: Crops, positions: Sequence[int], condition: Condition, *, seed: int
) -> Tensor:
    """``(B,3,H,W)`` uint8: the images as every classifier was shown them, before the resize to its input.

    Args:
        benchmark: one that is ``pictured``.
        crops: its images.
        positions: ``B`` of them.
        condition: one of its conditions.
        seed: the sweep's seed.
    """
    rows = list(positions)
    shown = benchmark.read(crops, rows, condition, seed=seed)
    labels = torch.as_tensor(crops.labels[rows])
    batch = Batch(shown.images, labels, crops.image_ids[rows], condition=condition, side=shown.side)
    return benchmark.make(batch, condition, seed=seed).images

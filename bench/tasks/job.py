"""From settings to a classifier and its suite: once in the sweep, to plan, and once in each worker, to run."""

import json
from collections.abc import Mapping, Set
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

from bench.benchmarks import Benchmark
from bench.data import Crops
from bench.models import Classifier, defend, load_classifier
from bench.models.fast import prepare_fast
from bench.plugins import load_plugins
from bench.sweep import Job, Placement, plan_cells
from bench.sweep.worker import cell_is_not_here
from bench.tasks.config import Settings
from bench.tasks.images import open_images
from bench.tasks.provenance import describe_device


def open_suite(settings: Settings, classifier: Classifier) -> dict[str, tuple[Benchmark, Crops]]:
    """The benchmarks of the suite, by name, each with its images at the classifier's crop.

    Raises:
        ConfigurationError: images whose classes do not fit the classifier's.
        DataError: images that do not decode, unless ``data.on_error=skip``.
    """
    opened: dict[str, Crops] = {}
    suite = {}
    for name, (given, data) in settings.benchmarks.items():
        benchmark = given.prepared(classifier.crop, Path(settings.runtime.cache_dir).expanduser())
        benchmark.check_classifier(classifier.label_space)
        recipe = benchmark.recipe(classifier.crop)
        key = json.dumps([asdict(data), recipe.key], sort_keys=True)
        if key not in opened:
            opened[key] = open_images(data, recipe, settings.runtime, classifier.label_space)
        suite[name] = (benchmark, opened[key])
    return suite


def prepare(classifier: Classifier, settings: Settings) -> nn.Module:
    """What is run: the classifier on its device, on its fast path, behind its defense."""
    on_device = classifier.to(settings.runtime.torch_device())
    return defend(prepare_fast(on_device) if settings.runtime.fast else on_device, settings.defense)


def open_job(settings: Settings, wanted: Set[str], placement: Placement) -> Job:
    """The job as a worker builds it, from settings alone.

    Args:
        settings: the sweep's.
        wanted: ids of the cells that the sweep will ask for.
        placement: this worker's device and threads.

    Raises:
        DataError: this worker has other cells: its weights or images are not those of the sweep.
    """
    load_plugins(settings.plugins)
    runtime = replace(settings.runtime, device=placement.device, threads=placement.threads)
    settings = replace(settings, runtime=runtime)
    if placement.threads is not None:
        torch.set_num_threads(placement.threads)
    classifier = load_classifier(settings.model)
    suite: Mapping[str, tuple[Benchmark, Crops]] = open_suite(settings, classifier)
    cells = plan_cells(classifier, suite, seed=settings.seed, defense=settings.defense, auxiliary=settings.auxiliary)
    lacking = wanted - {cell.spec.cell_id for cell in cells}
    if lacking:
        raise cell_is_not_here(min(lacking))
    return Job(
        network=prepare(classifier, settings),
        cells={cell.spec.cell_id: cell for cell in cells},
        runtime=runtime,
        seed=settings.seed,
        device=describe_device(runtime.torch_device()),
    )

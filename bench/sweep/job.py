"""Classifiers and their suite, opened: once in the sweep, to plan, and once in each worker, to run."""

import json
from collections.abc import Mapping, Set
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import nn

from bench.benchmarks import Benchmark
from bench.configs import DataConfig, RuntimeConfig
from bench.data import Crops, Dataset
from bench.models import Classifier, Defense, defend, has_gradient, load_classifier
from bench.models.fast import prepare_fast
from bench.plugins import load_plugins
from bench.sweep.engine import shared_batch
from bench.sweep.images import open_images
from bench.sweep.plan import plan_cells
from bench.sweep.provenance import describe_device
from bench.sweep.settings import Settings
from bench.sweep.worker import Job, Placement, cell_is_not_here

Suite = Mapping[str, tuple[Benchmark, Crops]]
"""Entry -> benchmark and its images."""


def open_suite(
    benchmarks: Mapping[str, tuple[Benchmark, DataConfig | Dataset]], classifier: Classifier, runtime: RuntimeConfig
) -> Suite:
    """The benchmarks with their images decoded at the crop that each shows the classifier.

    Args:
        benchmarks: by the name of the suite's entry, each with its images.
        classifier: what will see them.
        runtime: workers and crop cache.

    Raises:
        ConfigurationError: images whose classes do not fit the classifier's, or a benchmark that needs a gradient
            where the classifier has none.
        DataError: images that do not decode, unless ``data.on_error=skip``.
    """
    if not has_gradient(classifier):
        for benchmark, _ in benchmarks.values():
            benchmark.check_without_gradient(classifier.name)
    opened: dict[str, Crops] = {}
    suite = {}
    for name, (given, images) in benchmarks.items():
        benchmark = given.prepared(classifier.crop, Path(runtime.cache_dir).expanduser())
        benchmark.check_classifier(classifier.label_space)
        recipe = benchmark.recipe(classifier.crop)
        source = images.fingerprint if isinstance(images, Dataset) else asdict(images)
        key = json.dumps([source, recipe.key], sort_keys=True)
        if key not in opened:
            opened[key] = open_images(images, recipe, runtime, classifier.label_space)
        suite[name] = (benchmark, opened[key])
    return suite


def prepare(classifier: Classifier, runtime: RuntimeConfig, defense: Defense | None = None) -> nn.Module:
    """What is run: the classifier on its device, on its fast path, behind its defense."""
    on_device = classifier.to(runtime.torch_device())
    return defend(prepare_fast(on_device) if runtime.fast else on_device, defense)


def open_job(settings: Settings, needed: Set[str], placement: Placement) -> Job:
    """The job as a worker builds it, from settings alone.

    Args:
        settings: the sweep's.
        needed: ids of the cells that the sweep will ask for.
        placement: this worker's device and threads.

    Raises:
        DataError: this worker has other cells: its weights or images are not those of the sweep.
    """
    load_plugins(settings.plugins)
    runtime = replace(settings.runtime, device=placement.device, threads=placement.threads)
    if placement.threads is not None:
        torch.set_num_threads(placement.threads)
    networks, cells = {}, {}
    for model in settings.models:
        classifier = load_classifier(model)
        planned = plan_cells(
            classifier,
            open_suite(settings.benchmarks, classifier, runtime),
            seed=settings.seed,
            defense=settings.defense,
            auxiliary=settings.auxiliary,
        )
        cells.update({cell.spec.cell_id: cell for cell in planned})
        networks[classifier.name] = prepare(classifier, runtime, settings.defense)
    lacking = needed - cells.keys()
    if lacking:
        raise cell_is_not_here(min(lacking))
    # once per worker, and not with each of its leases
    batch_size = shared_batch(networks, runtime, runtime.torch_device())
    return Job(
        networks=networks,
        cells=cells,
        runtime=replace(runtime, batch_size=batch_size),
        seed=settings.seed,
        device=describe_device(runtime.torch_device()),
    )


def describe_defense(defense: Defense | None) -> str:
    """Name and parameters of the defense, as cells are identified by them; empty for none."""
    return "" if defense is None else defense.describe()

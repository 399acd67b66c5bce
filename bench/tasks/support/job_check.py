"""What is refused before any work of a job: models, images, benchmarks, places to write."""

from collections import Counter
from pathlib import Path

from omegaconf import DictConfig

from bench.benchmarks import Benchmark
from bench.data import CropRecipe, DataConfig, LabelSpace
from bench.errors import ConfigurationError, DataError
from bench.models import ModelConfig, check_input_size, check_model, display_name
from bench.reports.exports import check_exports
from bench.results import Store
from bench.results.files import why_no_folder
from bench.sweep import Settings
from bench.sweep.checks import Examined, check_benchmark, check_images
from bench.tasks.support.config import check_max_images, check_report_folder, read_settings, read_tracker
from bench.tracking import check_tracker


def check_job(config: DictConfig) -> None:
    """Refuse, before any work, what cannot be run.

    Raises:
        ConfigurationError: naming what is wrong and the nearest valid names.
    """
    settings = read_settings(config)
    _check_names(settings)
    outlines = [check_model(model) for model in settings.models]
    settings.runtime.check()
    settings.engine.check()
    check_tracker(read_tracker(config))
    check_exports(config.exports)
    check_report_folder(config)
    check_max_images(config)
    _check_places(settings)
    if not settings.benchmarks:
        raise ConfigurationError("the suite has no benchmark: choose another, or name one with benchmark=NAME")
    for model, outline in zip(settings.models, outlines, strict=True):
        seen = Examined(model.stated_name, outline.label_space, outline.has_gradient)
        for name, (benchmark, data) in settings.benchmarks.items():
            check_benchmark(name, benchmark, seen, data)
            _check_images(config, name, settings, data, outline.label_space)
            _check_shown_size(model, name, benchmark, outline.crop)
    _check_store_is_apart(settings)


def _check_names(settings: Settings) -> None:
    """Refuse classifiers that reports could not tell apart, and a budget that compares a single one."""
    names = Counter(display_name(model) for model in settings.models)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ConfigurationError(f"models has {twice[0]} twice: give one of them an alias, {{name: ..., alias: ...}}")
    settings.budget.check_classifiers(len(settings.models))


def _check_places(settings: Settings) -> None:
    """Refuse a store or a crop cache that cannot be made."""
    if not settings.store.strip():
        raise ConfigurationError("store is empty: give store=FOLDER, or leave it out")
    Store(settings.store).files.check_place()
    cache = Path(settings.runtime.cache_dir).expanduser()
    reason = why_no_folder(cache)
    if reason:
        raise ConfigurationError(f"runtime.cache_dir={cache} cannot be made: {reason}")


def _check_store_is_apart(settings: Settings) -> None:
    """Refuse a store among the images, where its folders would be taken for classes."""
    files, root = Store(settings.store).files, settings.data.root
    local = files.is_local and root is not None and Path(root).is_dir()
    if local and Path(files.root).resolve().is_relative_to(Path(str(root)).resolve()):
        raise ConfigurationError(f"store={settings.store} lies among the images of data.root={root}: give another")


def _check_shown_size(model: ModelConfig, name: str, benchmark: Benchmark, crop: CropRecipe) -> None:
    size = benchmark.shown_size(crop)
    if size != (crop.height, crop.width):
        try:
            check_input_size(model, size)
        except ConfigurationError as error:
            raise ConfigurationError(f"{name} shows images without a resize: {error}; set its resize=own") from error


def _check_images(config: DictConfig, name: str, settings: Settings, data: DataConfig, classes: LabelSpace) -> None:
    try:
        check_images(data, classes)
    except (ConfigurationError, DataError) as error:
        if data is settings.data:
            raise
        own = "benchmark" if config.get("benchmark") is not None else f"benchmarks.{name}"
        raise ConfigurationError(f"{name} has images of its own, set with {own}.data: {error}") from error

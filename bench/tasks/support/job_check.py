"""What is refused before any work of a job: models, images, benchmarks, places to write."""

from omegaconf import DictConfig

from bench.benchmarks import Benchmark
from bench.data import CropRecipe, DataConfig, LabelSpace
from bench.errors import ConfigurationError, DataError
from bench.models import ModelConfig, check_input_size, check_model
from bench.reports.exports import check_exports
from bench.results import Store
from bench.sweep import Settings
from bench.sweep.checks import Examined, check_benchmark, check_images
from bench.tasks.support.config import check_report_folder, read_settings, read_tracker
from bench.tracking import check_tracker


def check_job(config: DictConfig) -> None:
    """Refuse, before any work, what cannot be run.

    Raises:
        ConfigurationError: naming what is wrong and the nearest valid names.
    """
    settings = read_settings(config)
    model = check_model(settings.model)
    seen = Examined(settings.name, model.label_space, model.has_gradient)
    settings.runtime.check()
    settings.engine.check()
    check_tracker(read_tracker(config))
    check_exports(config.exports)
    check_report_folder(config)
    Store(settings.store).files.check_place()
    if not settings.benchmarks:
        raise ConfigurationError("the suite has no benchmark: choose another, or name one with benchmark=NAME")
    for name, (benchmark, data) in settings.benchmarks.items():
        check_benchmark(name, benchmark, seen, data)
        _check_images(config, name, settings, data, model.label_space)
        _check_shown_size(settings.model, name, benchmark, model.crop)


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

"""``task=train_adversarial``: train a network plainly or adversarially; the same command resumes."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from bench.data import check_data, check_labels
from bench.data.label_spaces import KNOWN_SPACES, unnamed_classes
from bench.errors import ConfigurationError
from bench.models import ModelConfig, check_model
from bench.sweep.evaluate import set_threads
from bench.sweep.images import open_images
from bench.sweep.memory import keep_freed_memory
from bench.sweep.progress import SweepProgress
from bench.tasks.support.config import read_recipe, read_settings
from bench.training import Recipe, Training, check_recipe, classifier_to_train

logger = logging.getLogger(__name__)


def check(config: DictConfig) -> None:
    """Refuse, before any work, a recipe, model, folder or data that cannot be used."""
    settings, recipe = read_settings(config), read_recipe(config)
    check_recipe(recipe)
    classes = check_model(settings.model).label_space
    check_data(settings.data)
    settings.runtime.check()
    if settings.model.precision == "float16":
        raise ConfigurationError("model.precision=float16 cannot train here: take float32 or bfloat16")
    declared = KNOWN_SPACES.get(settings.data.label_space or "")
    if declared is not None and declared.subset is not None:
        raise ConfigurationError(
            f"data.label_space={settings.data.label_space} restricts decisions; training decides among all"
        )
    check_labels(settings.data, classes if recipe.new_head is None else unnamed_classes(recipe.new_head))
    if config.out is None:
        raise ConfigurationError("task=train_adversarial needs out=FOLDER for the checkpoint, log and weights")
    if Path(str(config.out)).is_file():
        raise ConfigurationError(f"out={config.out} is a file; task=train_adversarial needs a folder")


def run(config: DictConfig) -> None:
    """Train the epochs that are missing, log one line per epoch, and say how to evaluate the result."""
    settings, recipe = read_settings(config), read_recipe(config)
    set_threads(settings.runtime)
    device = settings.runtime.torch_device()
    if device.type == "cpu" and settings.runtime.keep_memory:
        keep_freed_memory()
    classifier = classifier_to_train(settings.model, settings.data, recipe, seed=settings.seed)
    crops = open_images(settings.data, classifier.crop, settings.runtime, classifier.label_space)
    training = Training(classifier, crops, recipe, Path(str(config.out)), seed=settings.seed, device=device)
    if training.history:
        logger.info("%s holds %d of %d epochs", config.out, len(training.history), recipe.epochs)
    with SweepProgress(f"{recipe.name} {classifier.name}", training.images_left) as progress:
        for record in training.epochs(lambda epoch, n: progress.advance(n, f"epoch {epoch}/{recipe.epochs}")):
            logger.info("%s", record.describe(recipe))
    if training.stopped:
        logger.warning("stopped early: %s", training.stopped)
    logger.info("best epoch %d: %s", training.best.epoch, training.weights)
    logger.info("evaluate it with: snowwolf %s", _overrides(settings.model, recipe, training.weights))


def _overrides(model: ModelConfig, recipe: Recipe, weights: Path) -> str:
    """The overrides that load the trained weights."""
    classes = recipe.new_head or model.num_classes
    return f"model.name={model.name} model.checkpoint={weights}" + (f" model.num_classes={classes}" if classes else "")

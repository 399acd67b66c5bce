"""``task=train_adversarial``: train a network plainly or adversarially; the same command goes on where it stopped."""

import logging
from pathlib import Path

import torch
from omegaconf import DictConfig

from bench.data import check_data, check_labels, load_dataset
from bench.data.label_spaces import KNOWN_SPACES, unnamed_classes
from bench.errors import ConfigurationError
from bench.models import Classifier, ModelConfig, check_model, load_classifier
from bench.sweep.images import open_images
from bench.sweep.memory import keep_freed_memory
from bench.sweep.progress import SweepProgress
from bench.sweep.settings import Settings
from bench.tasks.support.config import read_recipe, read_settings
from bench.training import EpochRecord, Recipe, Training, check_classes, check_recipe, with_new_head

logger = logging.getLogger(__name__)


def check(config: DictConfig) -> None:
    """Refuse, before any work, a recipe, model, folder or data that cannot be."""
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
    """Train what is not trained yet, a line an epoch, and say how to evaluate the result."""
    settings, recipe = read_settings(config), read_recipe(config)
    if settings.runtime.threads is not None:
        torch.set_num_threads(settings.runtime.threads)
    device = settings.runtime.torch_device()
    if device.type == "cpu" and settings.runtime.keep_memory:
        keep_freed_memory()
    classifier = _start(settings, recipe)
    crops = open_images(settings.data, classifier.crop, settings.runtime, classifier.label_space)
    training = Training(classifier, crops, recipe, Path(str(config.out)), seed=settings.seed, device=device)
    if training.history:
        logger.info("%s holds %d of %d epochs", config.out, len(training.history), recipe.epochs)
    with SweepProgress(f"{recipe.name} {classifier.name}", training.images_left) as progress:
        for record in training.epochs(lambda epoch, n: progress.advance(n, f"epoch {epoch}/{recipe.epochs}")):
            logger.info("%s", _describe(record, recipe))
    if training.stopped:
        logger.warning("stopped early: %s", training.stopped)
    logger.info("best epoch %d: %s", training.best.epoch, training.weights)
    logger.info("evaluate it with: python run.py %s", _overrides(settings.model, recipe, training.weights))


def _start(settings: Settings, recipe: Recipe) -> Classifier:
    """The classifier to train, its head fit for the images' labels."""
    classifier = load_classifier(settings.model)
    if recipe.new_head is not None:
        with_new_head(classifier, recipe.new_head, seed=settings.seed)
    remark = check_classes(classifier, load_dataset(settings.data, classifier.label_space).labels)
    if remark:
        logger.warning("%s; for a smaller head, set model.num_classes or recipe.new_head", remark)
    return classifier


def _describe(record: EpochRecord, recipe: Recipe) -> str:
    """The line of one epoch."""
    held_out = record.holdout
    trained_on = "adversarial train accuracy" if recipe.steps else "train accuracy"
    line = f"epoch {record.epoch}/{recipe.epochs}: loss {record.loss:.3f}, {trained_on} {record.train_accuracy:.1%};"
    line += f" held out: clean {held_out.clean:.1%}"
    if held_out.own_attack is not None and held_out.pgd is not None:
        line += f", {recipe.name} {held_out.own_attack:.1%}, PGD-10 {held_out.pgd:.1%}"
    return f"{line}; {record.seconds:.1f} s"


def _overrides(model: ModelConfig, recipe: Recipe, weights: Path) -> str:
    """What makes the harness load the trained weights."""
    classes = recipe.new_head or model.num_classes
    return f"model.name={model.name} model.checkpoint={weights}" + (f" model.num_classes={classes}" if classes else "")

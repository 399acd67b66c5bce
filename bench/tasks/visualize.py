"""``task=visualize``: an atlas of what a classifier has learned, as one page and its pictures."""

import logging

from omegaconf import DictConfig

from bench.data import Crops, check_data
from bench.data.label_spaces import column_names
from bench.errors import ConfigurationError, nearest_names
from bench.explain.activation_maximisation import MaximisationConfig, check_maximisation
from bench.explain.units import read_unit
from bench.library.presets import filled
from bench.models import Classifier, check_model, load_classifier
from bench.paths import path_name
from bench.reports.atlas.chapters import CHAPTERS
from bench.reports.atlas.input import AtlasInput, classes_to_maximise, image_files, images_to_explain, logits_of
from bench.reports.atlas.write import write_atlas
from bench.sweep import Settings
from bench.sweep.images import open_images
from bench.tasks.support.config import read_settings, report_folder

logger = logging.getLogger(__name__)


def check(config: DictConfig) -> None:
    """Refuse models, images, parts and settings that do not exist."""
    settings = read_settings(config)
    check_model(settings.model)
    check_data(settings.data)
    settings.runtime.check()
    check_maximisation(filled(MaximisationConfig, config.maximise, "maximise"))
    for part in config.parts or []:
        if part not in CHAPTERS:
            raise ConfigurationError(f"unknown part {part!r}: {nearest_names(str(part), CHAPTERS)}")
    if config.image is not None:
        image_files(str(config.image))
    if int(config.images) < 1 or int(config.top) < 1:
        raise ConfigurationError("images and top are at least 1")


def run(config: DictConfig) -> None:
    """Write ``reports/<name>/atlas/<classifier>/``: ``index.html`` and one PNG file per picture.

    Raises:
        ConfigurationError: a model, part, image, class, unit or layer that does not exist.
        DataError: an image that does not decode.
    """
    check(config)
    settings = read_settings(config)
    classifier = load_classifier(settings.model).to(settings.runtime.torch_device())
    crops = open_images(settings.data, classifier.crop, settings.runtime, classifier.label_space)
    folder = report_folder(config) / "atlas" / path_name(classifier.name, classifier.weights_digest)
    parts = [name for name in CHAPTERS if config.parts is None or name in config.parts]
    n_pictures = write_atlas(_inputs(config, settings, classifier, crops), parts, folder)
    logger.info("wrote %s with %d pictures", folder / "index.html", n_pictures)


def _inputs(config: DictConfig, settings: Settings, classifier: Classifier, crops: Crops) -> AtlasInput:
    location = None if config.image is None else str(config.image)
    chosen = images_to_explain(crops, classifier.crop, location=location, count=int(config.images))
    logits = logits_of(classifier, chosen.images)
    return AtlasInput(
        classifier=classifier,
        crops=crops,
        images=chosen.images,
        titles=chosen.titles,
        names=column_names(crops.label_space, settings.data.class_map),
        top=min(int(config.top), logits.shape[1]),
        classes=classes_to_maximise(logits, [int(class_) for class_ in config.classes]),
        units=[read_unit(classifier, str(text)) for text in config.units],
        maximise=filled(MaximisationConfig, config.maximise, "maximise"),
        layer=None if config.layer is None else str(config.layer),
        seed=settings.seed,
    )

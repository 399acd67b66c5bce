"""``task=visualize``: an atlas of what a classifier has learned, as one page and its pictures."""

import logging
from pathlib import Path

import torch
from omegaconf import DictConfig

from bench.data import Crops, check_data
from bench.data.label_spaces import column_names
from bench.errors import ConfigurationError, nearest_names
from bench.explain.activation_maximisation import MaximisationConfig, check_maximisation
from bench.explain.stimuli import Source, load_sources
from bench.explain.units import read_unit
from bench.library.presets import filled
from bench.models import Classifier, check_model, load_classifier
from bench.paths import path_name
from bench.reports.atlas import png, render_atlas
from bench.sweep.images import open_images
from bench.sweep.progress import SweepProgress
from bench.sweep.settings import Settings
from bench.tasks.atlas_chapters import CHAPTERS, count_steps, draw_chapter
from bench.tasks.atlas_subject import Subject
from bench.tasks.audit_gallery import evenly_spaced
from bench.tasks.config import read_settings, report_folder

logger = logging.getLogger(__name__)
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def check(config: DictConfig) -> None:
    """Refuse models, images, parts and settings that do not exist."""
    settings = read_settings(config)
    check_model(settings.model)
    check_data(settings.data)
    settings.runtime.check()
    _maximisation(config)
    _parts(config)
    if config.image is not None:
        _image_files(str(config.image))
    if int(config.images) < 1 or int(config.top) < 1:
        raise ConfigurationError("images and top are at least 1")


def run(config: DictConfig) -> None:
    """Write ``reports/<name>/atlas/<classifier>/``: ``index.html`` and a PNG file a picture.

    Raises:
        ConfigurationError: something does not exist.
        DataError: an image that does not decode.
    """
    check(config)
    settings = read_settings(config)
    classifier = load_classifier(settings.model).to(settings.runtime.torch_device())
    crops = open_images(settings.data, classifier.crop, settings.runtime, classifier.label_space)
    subject = _subject(config, settings, classifier, crops)
    parts = _parts(config)
    folder = report_folder(config) / "atlas" / path_name(classifier.name, classifier.weights_digest)
    folder.mkdir(parents=True, exist_ok=True)
    steps = {part: count_steps(part, subject) + 1 for part in parts}
    chapters = []
    with SweepProgress(f"atlas of {classifier.name}", sum(steps.values())) as progress:
        for part in parts:
            before = progress.done
            chapters.append(draw_chapter(part, subject, lambda part=part: progress.advance(1, part)))  # type: ignore[misc]
            progress.advance(before + steps[part] - progress.done, part)
    for chapter in chapters:
        if chapter.refusal:
            logger.warning("%s: %s", chapter.name, chapter.refusal)
        for panel in chapter.panels:
            (folder / panel.file).write_bytes(png(panel.picture))
    (folder / "index.html").write_text(render_atlas(classifier.name, chapters))
    logger.info("wrote %s with %d pictures", folder / "index.html", sum(len(chapter.panels) for chapter in chapters))


def _subject(config: DictConfig, settings: Settings, classifier: Classifier, crops: Crops) -> Subject:
    if config.image is None:
        rows = evenly_spaced(len(crops), int(config.images))
        images, titles = crops.read(rows), [str(name) for name in crops.image_ids[rows]]
    else:
        files = _image_files(str(config.image))
        sources = [Source(path, "", 0) for path in files]
        loaded = load_sources(sources, classifier.crop)
        pixels = torch.stack([loaded[path.absolute()].pixels for path in files])
        images, titles = (pixels * 255).round().to(torch.uint8), [path.name for path in files]
    device = classifier.mean.device
    with torch.no_grad():
        logits = classifier(images.to(device).float() / 255)
    classes = [int(class_) for class_ in config.classes] or logits.mean(dim=0).topk(
        min(3, logits.shape[1])
    ).indices.tolist()
    for class_ in classes:
        if not 0 <= class_ < logits.shape[1]:
            raise ConfigurationError(f"classes: {classifier.name} has {logits.shape[1]} classes, and no {class_}")
    return Subject(
        classifier=classifier,
        crops=crops,
        images=images,
        titles=titles,
        names=column_names(crops.label_space, settings.data.class_map),
        top=min(int(config.top), logits.shape[1]),
        classes=classes,
        units=[read_unit(classifier, str(text)) for text in config.units],
        maximise=_maximisation(config),
        layer=None if config.layer is None else str(config.layer),
        seed=settings.seed,
    )


def _image_files(location: str) -> list[Path]:
    path = Path(location)
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise ConfigurationError(f"image={location}: no image file there, nor a folder of them")
    return files


def _parts(config: DictConfig) -> list[str]:
    if config.parts is None:
        return list(CHAPTERS)
    for part in config.parts:
        if part not in CHAPTERS:
            raise ConfigurationError(f"unknown part {part!r}: {nearest_names(str(part), CHAPTERS)}")
    return [name for name in CHAPTERS if name in config.parts]


def _maximisation(config: DictConfig) -> MaximisationConfig:
    settings = filled(MaximisationConfig, config.maximise, "maximise")
    check_maximisation(settings)
    return settings

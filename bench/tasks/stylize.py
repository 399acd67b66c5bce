"""``task=stylize``: the content of one image in the texture of another, or a whole cue-conflict set of such images."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from bench.errors import ConfigurationError
from bench.explain.stimuli import find_sources, make_pairs
from bench.explain.stimulus_files import PictureFiles
from bench.explain.stimulus_set import (
    StimulusSet,
    choose_backbone,
    describe_recipe_run,
    load_backbone,
    make_pictures,
    make_recipe,
    recipe_digest,
)
from bench.explain.style_transfer import TransferConfig, check_transfer
from bench.library.presets import filled
from bench.models import ModelConfig, check_model
from bench.sweep.evaluate import set_threads
from bench.sweep.progress import SweepProgress
from bench.sweep.provenance import describe_run
from bench.tasks.support.config import read_seed, read_settings, report_folder

logger = logging.getLogger(__name__)


def check(config: DictConfig) -> None:
    """Refuse missing or unreadable images, unknown backbones and settings that cannot work."""
    stimuli = read_stimuli(config)
    check_model(stimuli.backbone)
    read_settings(config).runtime.check()
    stimuli.load_images()


def run(config: DictConfig) -> None:
    """Write the pictures that are missing, then the recipe with every picture's losses."""
    stimuli, runtime = read_stimuli(config), read_settings(config).runtime
    device = runtime.torch_device()
    set_threads(runtime)
    classifier, images = load_backbone(stimuli.backbone).to(device), stimuli.load_images()
    recipe = make_recipe(stimuli, classifier, images)
    files, digest = stimuli.files, recipe_digest(recipe)
    missing = files.missing(digest)
    steps = stimuli.transfer.steps * stimuli.transfer.passes
    with SweepProgress(f"stylizing with {classifier.name}", len(missing), len(missing) * steps) as progress:
        make_pictures(missing, stimuli, classifier, images, digest, progress.advance)
    provenance = describe_run(device, "snowwolf", settings={}, cost={})
    files.write_recipe({**recipe, "run": describe_recipe_run(provenance, classifier)})
    n_there = len(files.pairs) - len(missing)
    logger.info("%d pictures made, %d there already: %s", len(missing), n_there, files.out)


def read_stimuli(config: DictConfig) -> StimulusSet:
    """The set that a configuration describes.

    Raises:
        ConfigurationError: something is missing, unknown, or of the wrong type.
        DataError: images whose category is unclear.
    """
    for key in ("content", "style"):
        if config[key] is None:
            raise ConfigurationError(f"task=stylize needs {key}=FILE or {key}=FOLDER")
    transfer = filled(TransferConfig, config.transfer, "transfer")
    check_transfer(transfer)
    contents, styles = (find_sources(str(config[key]), key) for key in ("content", "style"))
    pairs = tuple(make_pairs(contents, styles, same_category=bool(config.same_category)))
    out = report_folder(config) / "stylized" if config.out is None else Path(str(config.out))
    backbone = choose_backbone(filled(ModelConfig, config.backbone, "backbone"))
    files, size, batch = PictureFiles(pairs, out), int(config.size), int(config.pairs)
    stimuli = StimulusSet(files, size, batch, backbone, transfer, read_seed(config))
    stimuli.check()
    return stimuli

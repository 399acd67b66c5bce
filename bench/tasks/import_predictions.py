"""``task=import_predictions``: put someone else's predictions on labelled images into the store, as a classifier's."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

import torch
from omegaconf import DictConfig

from bench.benchmarks.clean import Clean
from bench.benchmarks.words import CLEAN
from bench.data.label_spaces import WHOLE_SPACES
from bench.data.predictions import Predictions, check_predictions, read_predictions
from bench.errors import ConfigurationError, nearest_names
from bench.records import Outcomes, RunSpec
from bench.results import Store
from bench.sweep.provenance import describe_run
from bench.tasks.support.command import command_line
from bench.tasks.support.config import decisions_path

logger = logging.getLogger(__name__)
AS_IMPORTED = "as imported"


def check(config: DictConfig) -> None:
    """Refuse files that are not there, and an unknown label space."""
    check_predictions(decisions_path(config), config.data.labels)
    _space(config)


def run(config: DictConfig) -> None:
    """Store the predictions as one cell of the clean images; what is stored already stays as it is."""
    path, space = decisions_path(config), _space(config)
    predictions = read_predictions(path, config.data.labels, WHOLE_SPACES[space]())
    spec = imported_spec(predictions, str(config.classifier or path.stem), str(config.data.name or space), space)
    described = describe_run(torch.device("cpu"), command_line(), settings={}, cost={})
    started = datetime.now(UTC).isoformat(timespec="seconds")
    provenance = replace(described, device="not computed here: imported", started=started)
    outcomes = Outcomes(predictions.image_ids, predictions.labels, predictions.predicted, predictions.probability)
    new = Store(str(config.store)).write_part(spec, outcomes, 0, provenance)
    state = "imported" if new else "in the store already"
    logger.info(
        "%s: %d predictions %s, %.3f %% right", spec.classifier, len(outcomes), state, 100 * outcomes.correct.mean()
    )


def imported_spec(predictions: Predictions, classifier: str, dataset: str, label_space: str) -> RunSpec:
    """The identity of imported predictions: their digest takes the place of that of weights."""
    return RunSpec(
        classifier=classifier,
        weights_digest=predictions.digest,
        crop=AS_IMPORTED,
        defense="",
        dataset=dataset,
        dataset_digest=predictions.images_digest,
        n_images=len(predictions.image_ids),
        label_space=label_space,
        n_classes=WHOLE_SPACES[label_space]().n_classes,
        benchmark=Clean.name,
        entry=Clean.name,
        version=Clean.version,
        parameters={},
        condition=CLEAN,
        strength_unit="",
        seed=0,
        precision=AS_IMPORTED,
        image_size=(0, 0),
    )


def _space(config: DictConfig) -> str:
    name = str(config.data.label_space or "imagenet")
    if name not in WHOLE_SPACES:
        raise ConfigurationError(f"unknown data.label_space {name!r}: {nearest_names(name, WHOLE_SPACES)}")
    return name

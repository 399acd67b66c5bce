"""``task=import_decisions``: put the decisions of humans and published networks into the store."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import torch
from omegaconf import DictConfig

from bench.benchmarks.cue_conflict import CueConflict
from bench.benchmarks.sixteen_way import PUBLISHED_SIDE, SixteenWay
from bench.data.categories import CATEGORY_NUMBERS, CATEGORY_SPACE
from bench.data.decisions import CUE_CONFLICT, Decisions, decision_files, read_decisions
from bench.records import Outcomes, RunSpec
from bench.results import Store
from bench.sweep.provenance import describe_run
from bench.tasks.support.command import command_line
from bench.tasks.support.config import decisions_path

logger = logging.getLogger(__name__)


def check(config: DictConfig) -> None:
    """Refuse a path without decisions."""
    decision_files(decisions_path(config))


def run(config: DictConfig) -> None:
    """Store one cell per decision maker and experiment; cells that are stored already stay as they are."""
    store = Store(str(config.store))
    described = describe_run(torch.device("cpu"), command_line(), settings={}, cost={})
    now = datetime.now(UTC).isoformat(timespec="seconds")
    provenance = replace(described, device="not computed here: imported", started=now)
    for decisions in read_decisions(decisions_path(config)):
        new = store.write_part(imported_spec(decisions), _outcomes(decisions), 0, provenance)
        state = "imported" if new else "in the store already"
        logger.info("%s: %d decisions %s (%s)", decisions.name, len(decisions.image_ids), state, decisions.experiment)


def imported_spec(decisions: Decisions) -> RunSpec:
    """The identity of a decision maker's cell: the digest of the decisions takes the place of that of weights."""
    benchmark = CueConflict() if decisions.experiment == CUE_CONFLICT else SixteenWay()
    return RunSpec(
        classifier=decisions.name,
        weights_digest=decisions.digest,
        crop="as published",
        defense="",
        dataset=decisions.experiment,
        dataset_digest="as published",
        n_images=len(decisions.image_ids),
        label_space=CATEGORY_SPACE.name,
        n_classes=CATEGORY_SPACE.n_classes,
        benchmark=benchmark.name,
        entry=decisions.experiment,
        version=benchmark.version,
        parameters={"categories": "imported"},
        condition=benchmark.conditions()[0],
        strength_unit="",
        seed=0,
        precision="as published",
        image_size=(PUBLISHED_SIDE, PUBLISHED_SIDE),
        auxiliary=True,
        decision_maker="human" if decisions.is_human else "network",
    )


def _outcomes(decisions: Decisions) -> Outcomes:
    cues = {"shape": decisions.shape, "texture": decisions.texture} if decisions.experiment == CUE_CONFLICT else {}
    return Outcomes(
        image_id=decisions.image_ids,
        label=np.array([CATEGORY_NUMBERS[shape] for shape in decisions.shape.tolist()], dtype=np.int64),
        prediction=decisions.numbers,
        confidence=np.full(len(decisions.image_ids), np.nan, dtype=np.float32),  # none was published
        extra={"decision": decisions.decision, **cues},
    )

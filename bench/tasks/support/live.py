"""The figures that a job and a report send to the tracker."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from bench.errors import DataError, TrackingError
from bench.reports.entries import newest, read_entries
from bench.reports.protocols import with_protocols
from bench.reports.tables import leaderboard
from bench.results import Store
from bench.sweep import UnitResult, WorkUnit
from bench.sweep.evaluate import Follower
from bench.tasks.support.config import read_tracker
from bench.tracking import Run, Tracker, open_tracker, redact

logger = logging.getLogger(__name__)


def tracked_run(config: DictConfig, name: str, kind: str) -> Run:
    """The run that a tracker shows; its group is that of the sweep."""
    hydra = config.get("hydra") or HydraConfig.get()
    folder = hydra.sweep.dir if str(hydra.mode).endswith("MULTIRUN") else hydra.run.dir
    settings: Any = OmegaConf.to_container(
        OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    )
    return Run(name, str(config.tracker.group or "-".join(Path(folder).parts[-2:])), kind, redact(settings))


class CellFollower(Follower):
    """Sends a cell's accuracy to the tracker as soon as its last unit is stored.

    Args:
        tracker: where it goes.
        store: only read.
        several: whether the run has several classifiers, whose figures then have their names.
    """

    def __init__(self, tracker: Tracker, store: Store, *, several: bool = False) -> None:
        self._tracker, self._store, self._several = tracker, store, several
        self._left: Counter[str] = Counter()
        self._cells = 0

    def planned(self, units: Sequence[WorkUnit]) -> None:
        """These units are about to run."""
        self._left = Counter(unit.cell.spec.cell_id for unit in units)
        self._cells = len(self._left)

    def line(self, figures: Mapping[str, float]) -> None:
        """Progress, every ten seconds."""
        self._tracker.log(figures)

    def stored(self, result: UnitResult[WorkUnit]) -> None:
        """One unit is in the store, outcomes or failure."""
        spec = result.unit.cell.spec
        self._left[spec.cell_id] -= 1
        if self._left[spec.cell_id] or not self._tracker.active or result.outcomes is None:
            return
        done = sum(left == 0 for left in self._left.values())
        progress = {"cells": done, "cells_left": self._cells - done}
        if result.unit.cell.benchmark.unlabelled:  # there is no accuracy
            self._tracker.log(progress)
            return
        try:
            accuracy = float(self._store.sampled_correct(spec)[0].mean())
        except DataError as error:  # an older part is damaged; the report will say so
            logger.warning("the tracker gets no figure of this cell: %s", error)
            return
        own = f"{spec.classifier}/" if self._several else ""
        name = f"accuracy/{own}{spec.title}/{spec.condition.key}"
        self._tracker.log({name: accuracy, **progress})


def summarise_job(tracker: Tracker, store: Store, weights_digest: str, defense: str, prefix: str = "") -> None:
    """Send a classifier's row of the leaderboard, with the figures that the store has.

    Args:
        tracker: where they go.
        store: only read.
        weights_digest: of the classifier.
        defense: what stands in front of it.
        prefix: of the figures' names, where several classifiers share a run.
    """
    if not tracker.active:
        return
    try:
        rows_of_classifier = [
            entry
            for entry in read_entries(store)
            if (entry.spec.weights_digest, entry.spec.defense) == (weights_digest, defense)
        ]
        rows = leaderboard(with_protocols([newest(rows_of_classifier)] if rows_of_classifier else [])).table
        if len(rows):
            tracker.summarise({f"{prefix}{name}": value for name, value in row_figures(rows.iloc[0]).items()})
    except DataError as error:
        logger.warning("the tracker gets no summary of this job: %s", error)


def row_figures(row: "pd.Series[Any]") -> dict[str, float]:
    """The numbers of a leaderboard's row, by column; what was not measured is left out."""
    numbers = (int, float, np.integer, np.floating)
    return {str(key): float(value) for key, value in row.items() if isinstance(value, numbers) and not pd.isna(value)}


def publish_report(config: DictConfig, folder: Path) -> None:
    """Send the report in ``folder`` to the tracker: every figure, table and gallery, the page, and the store.

    Raises:
        TrackingError: the tracker lacks part of it.
    """
    tracker_config = read_tracker(config)
    if tracker_config.name == "none":
        return
    with open_tracker(tracker_config, tracked_run(config, "report", "report")) as tracker:
        tracker.summarise(_all_figures(pd.read_csv(folder / "leaderboard.csv")))
        for path in sorted(folder.glob("*.csv")):
            tracker.table(path.stem, pd.read_csv(path))
        for path in sorted((folder / "galleries").glob("*.png")):
            tracker.picture(f"galleries/{path.stem}", path)
        tracker.page("leaderboard_page", folder / "leaderboard.html")
        if tracker_config.store and "://" not in str(config.store):
            tracker.artifact(f"store-{config.name}", Path(str(config.store)))
    if tracker.lost:
        raise TrackingError(f"the report is written, and the tracker lacks some of it: {tracker.lost}")


def _all_figures(board: pd.DataFrame) -> Mapping[str, float]:
    return {f"{row['label']}/{name}": value for _, row in board.iterrows() for name, value in row_figures(row).items()}

"""``task=history``: every figure over the dates on which something was computed; no classifier is loaded."""

import logging

from omegaconf import DictConfig

from bench.reports.entries import absent_plugins
from bench.reports.history import history_plots, history_table
from bench.reports.page import render_history
from bench.results import Store
from bench.tasks.support.config import report_folder

logger = logging.getLogger(__name__)


def run(config: DictConfig) -> None:
    """Write ``reports/<name>/history.csv`` and ``history.html``.

    Raises:
        DataError: the store is empty.
    """
    store = Store(str(config.store))
    history = history_table(store)
    for sentence in absent_plugins(store):
        logger.warning(sentence)
    folder = report_folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    dates = sorted(set(history["date"]))
    page = render_history(str(config.name), dates, history_plots(history))
    for name, text in {"history.csv": history.to_csv(index=False), "history.html": page}.items():
        (folder / name).write_text(text)
        logger.info("wrote %s", folder / name)

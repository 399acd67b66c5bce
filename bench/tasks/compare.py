"""``task=compare``: two or more classifiers, or one on two dates, image by image; no classifier is loaded."""

import logging
import sys
from dataclasses import replace

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from bench.errors import ConfigurationError
from bench.reports.choose import choose_entry
from bench.reports.comparison_page import render_comparison
from bench.reports.comparison_report import compare_rows
from bench.reports.entries import absent_plugins
from bench.reports.images.write import PAGE
from bench.results import Store
from bench.tasks.support.config import report_folder

WIDTH = 160
"""Characters per line if standard output is no terminal."""

logger = logging.getLogger(__name__)


def check(config: DictConfig) -> None:
    """Refuse a comparison without both sides.

    Raises:
        ConfigurationError: ``baseline`` or ``candidate`` is not given.
    """
    if config.baseline is None or not _names(config):
        raise ConfigurationError(
            "task=compare needs both sides: add baseline=NAME candidate=NAME (or [NAME,NAME]); NAME@2026-11-01 is a"
            " classifier as it stood on a date"
        )


def run(config: DictConfig) -> None:
    """Print the differences and write ``reports/<name>/compare/``.

    Raises:
        ConfigurationError: a name is unknown or means several rows.
        DataError: the store is empty, or the two sides saw different images.
    """
    check(config)
    store = Store(str(config.store))
    home = Store(str(config.baseline_store)) if config.baseline_store is not None else store
    baseline = choose_entry(home, str(config.baseline))
    if home is not store:
        baseline = replace(baseline, label=f"{baseline.label} in {home.root}")
    report = compare_rows(baseline, [choose_entry(store, name) for name in _names(config)], store)
    for sentence in absent_plugins(store):
        logger.warning(sentence)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(report.table())
    folder = report_folder(config) / "compare"
    folder.mkdir(parents=True, exist_ok=True)
    images = f"../{PAGE}" if (folder.parent / PAGE).is_file() else ""
    page = render_comparison(folder.parent.name, report.comparison, report.columns, images=images)
    for name, text in {**report.files(), "compare.html": page}.items():
        (folder / name).write_text(text)
        logger.info("wrote %s", folder / name)


def _names(config: DictConfig) -> list[str]:
    if config.candidate is None:
        return []
    return [str(name) for name in config.candidate] if OmegaConf.is_list(config.candidate) else [str(config.candidate)]

"""``task=compare``: two or more classifiers, or one on two dates, image by image; no classifier is loaded."""

import logging
import sys
from dataclasses import replace

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.errors import ConfigurationError
from bench.reports.choose import choose_subject
from bench.reports.columns import Column, columns_of
from bench.reports.comparison import Comparison, compare
from bench.reports.comparison_text import comparison_markdown, number
from bench.reports.costs import cost_table, effective_robustness_table
from bench.reports.protocols import with_protocols
from bench.reports.subjects import Subject, absent_plugins, protocol_of, read_subjects
from bench.results import Store
from bench.tasks.support.config import report_folder

WIDTH = 160
"""Characters, where there is no terminal to ask."""

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
    baseline = choose_subject(home, str(config.baseline))
    candidates = [choose_subject(store, name) for name in _names(config)]
    if home is not store:
        baseline = replace(baseline, label=f"{baseline.label} in {home.root}")
    labels = [subject.label for subject in (baseline, *candidates)]
    if len(set(labels)) < len(labels):
        raise ConfigurationError(f"baseline and candidates have to be different rows, and are {', '.join(labels)}")
    comparison = compare(baseline, candidates)
    everyone = with_protocols(_with_store([baseline, *candidates], store))
    costs, effective = cost_table(everyone), effective_robustness_table(everyone, labels)
    columns = columns_of([baseline, *candidates])
    for sentence in absent_plugins(store):
        logger.warning(sentence)
    width = None if sys.stdout.isatty() else WIDTH
    Console(width=width).print(_table(comparison, columns))
    chosen = costs[costs["label"].isin(labels)]
    texts = {
        "compare.md": comparison_markdown(comparison, chosen, effective, columns),
        "differences.csv": comparison.differences.to_csv(index=False),
        "conditions.csv": comparison.conditions.to_csv(index=False),
        "images.csv": comparison.images.to_csv(index=False),
        "effective_robustness.csv": effective.to_csv(index=False),
        "costs.csv": costs.to_csv(index=False),
    }
    folder = report_folder(config) / "compare"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
        logger.info("wrote %s", folder / name)


def _names(config: DictConfig) -> list[str]:
    if config.candidate is None:
        return []
    return [str(name) for name in config.candidate] if OmegaConf.is_list(config.candidate) else [str(config.candidate)]


def _with_store(chosen: list[Subject], store: Store) -> list[Subject]:
    """The chosen and every other row of the store: none twice, though one may be chosen as it stood on a date."""
    known = {protocol_of(subject.spec) for subject in chosen}
    return [*chosen, *(subject for subject in read_subjects(store) if protocol_of(subject.spec) not in known)]


def _table(comparison: Comparison, columns: tuple[Column, ...]) -> Table:
    by_name = {column.name: column for column in columns}
    table = Table("candidate", "figure", "baseline", "candidate's", "difference", "95 %", "p (Holm)", "verdict")
    for row in comparison.differences.to_dict("records"):
        column = by_name[str(row["metric"])]
        scale = 100 if column.percent else 1
        values = [row[name] * scale for name in ("baseline_value", "candidate_value")]
        ends = " to ".join(number(row[f"difference_{end}"] * scale, "+.2f") for end in ("low", "high"))
        table.add_row(
            Text(str(row["candidate"])),
            column.title,
            *(number(value, ".2f") for value in values),
            number(row["difference"] * scale, "+.2f"),
            Text(str(row["note"]) or ends),
            number(row["p_corrected"], ".2g"),
            str(row["verdict"]),
        )
    return table

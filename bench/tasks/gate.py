"""``task=gate``: exit 1 if a figure is significantly worse than a baseline's, or missing; loads no classifier."""

import sys
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig

from bench.errors import ConfigurationError, DataError
from bench.reports.columns import Column, columns_named, columns_of, unknown_figures
from bench.reports.entries import LeaderboardEntry, absent_plugins, read_entries
from bench.reports.gate import Known, compare_to_baseline, gate_markdown, known_entry, known_row
from bench.reports.protocols import with_protocols
from bench.results import Store
from bench.tasks.support.config import report_folder

NEEDED = ("label", "classifier", "defense", "dataset_digest")


def check(config: DictConfig) -> None:
    """Refuse a gate without a baseline.

    Raises:
        ConfigurationError: not exactly one baseline, no such file, or a negative tolerance.
    """
    if (config.baseline is None) == (config.baseline_store is None):
        raise ConfigurationError(
            "task=gate needs one baseline: baseline_store=FOLDER (paired tests), or baseline=FILE, a leaderboard.csv of"
            " task=report"
        )
    if config.baseline is not None and not Path(str(config.baseline)).is_file():
        raise ConfigurationError(f"no baseline at {config.baseline}: commit the leaderboard.csv of a report there")
    if not float(config.tolerance) >= 0:  # nan too
        raise ConfigurationError(f"tolerance is at least 0 points, not {config.tolerance}")


def run(config: DictConfig) -> None:
    """Print the verdict, write it to ``reports/<name>/gate.md``, and exit 1 if a figure failed.

    Raises:
        DataError: a store is empty, or the baseline has no figures.
    """
    check(config)
    entries = with_protocols(read_entries(Store(str(config.store))))
    baseline, columns, where = _baseline(config, entries)
    findings = compare_to_baseline(baseline, entries, columns, float(config.tolerance))
    stores = [str(config.store), *([] if config.baseline_store is None else [str(config.baseline_store)])]
    absent = [sentence for root in stores for sentence in absent_plugins(Store(root))]
    text = gate_markdown(findings, float(config.tolerance), where, absent)
    folder = report_folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gate.md").write_text(text)
    print(text, end="")
    if any(finding.failed for finding in findings):
        sys.exit(1)


def _baseline(config: DictConfig, today: list[LeaderboardEntry]) -> tuple[list[Known], tuple[Column, ...], str]:
    if config.baseline_store is not None:
        store = Store(str(config.baseline_store))
        then = with_protocols(read_entries(store))
        return [known_entry(entry) for entry in then], columns_of([*then, *today]), store.root
    board = pd.read_csv(str(config.baseline))
    absent = [name for name in NEEDED if name not in board]
    if absent:
        raise DataError(f"{config.baseline} is no leaderboard.csv: it lacks {', '.join(absent)}")
    columns = columns_named(list(board.columns), today)
    unknown = unknown_figures(list(board.columns), columns)
    if unknown:
        raise DataError(
            f"{config.baseline} has figures that no benchmark installed here declares ({', '.join(unknown)}): install"
            " their plug-in, or name its file with plugins=[FILE]"
        )
    return [known_row(row) for _, row in board.iterrows()], columns, str(config.baseline)

"""Write a report's files: CSV, Markdown and the page."""

from pathlib import Path

import pandas as pd

from bench.reports.attack_plots import attack_plots
from bench.reports.attacks import (
    distance_table,
    epsilon_table,
    query_table,
    robust_accuracy_curves,
    stage_table,
    transfer_table,
)
from bench.reports.gallery import read_galleries
from bench.reports.missing import missing_cells
from bench.reports.page import Plot, render_page
from bench.reports.plots import (
    clean_against_mce_plot,
    corruption_heat_map,
    family_plot,
    severity_plot,
)
from bench.reports.protocols import with_protocols
from bench.reports.self_checks import self_check_table
from bench.reports.shape_bias import decision_makers, decision_tables
from bench.reports.shape_plots import cue_conflict_plots
from bench.reports.sister_sets import sister_set_plots, sister_set_table
from bench.reports.subjects import read_subjects
from bench.reports.tables import (
    Leaderboard,
    condition_accuracies,
    corruption_table,
    family_table,
    leaderboard,
    to_markdown,
)
from bench.results import Store


def write_report(store: Store, out_dir: Path) -> list[Path]:
    """Write ``leaderboard.{csv,md,html}``, a CSV file for each of its tables, and ``missing.csv``.

    Where cue-conflict images were decided on, ``shape_bias.csv`` and ``error_consistency.csv`` come too, and
    ``sister_sets.csv`` where category folders or parametric manipulations were.

    Args:
        store: read, never written.
        out_dir: made where missing; files in it of the same names are replaced.

    Returns:
        The files.

    Raises:
        DataError: the store is empty or damaged.
    """
    subjects = with_protocols(read_subjects(store))
    board = leaderboard(subjects)
    accuracies = condition_accuracies(subjects, ["clean", "corruption"])
    corruptions = corruption_table(subjects)
    families = family_table(subjects)
    missing = missing_cells(subjects)
    out_dir.mkdir(parents=True, exist_ok=True)
    galleries = read_galleries(out_dir, subjects)
    attacks = {
        "epsilons.csv": epsilon_table(subjects),
        "distances.csv": distance_table(subjects),
        "queries.csv": query_table(subjects),
        "transfer.csv": transfer_table(subjects),
        "stages.csv": stage_table(subjects),
    }
    checks = self_check_table(subjects)
    plots = _plots(board, accuracies, corruptions, families) + attack_plots(
        robust_accuracy_curves(subjects), attacks["distances.csv"], attacks["queries.csv"], attacks["transfer.csv"]
    )
    decisions = decision_tables(decision_makers(store, subjects))
    plots += cue_conflict_plots(decisions, board.table)
    sisters = sister_set_table(subjects)
    plots += sister_set_plots(sisters)
    texts = {
        "leaderboard.csv": board.table.to_csv(index=False),
        "leaderboard.md": to_markdown(board),
        "leaderboard.html": render_page(out_dir.name, board, subjects, missing, checks, plots, galleries),
        "corruptions.csv": corruptions.to_csv(index=False),
        "families.csv": families.to_csv(index=False),
        **{name: table.to_csv(index=False) for name, table in attacks.items() if len(table) or name == "epsilons.csv"},
        "self_checks.csv": checks.to_csv(index=False),
        "missing.csv": missing.to_csv(index=False),
    }
    if len(sisters):
        texts["sister_sets.csv"] = sisters.to_csv(index=False)
    if decisions is not None:
        texts["shape_bias.csv"] = decisions.shape_bias.to_csv(index=False)
        texts["error_consistency.csv"] = decisions.error_consistency.to_csv(index=False)
    for name, text in texts.items():
        (out_dir / name).write_text(text)
    return [out_dir / name for name in texts]


def _plots(
    board: Leaderboard, accuracies: pd.DataFrame, corruptions: pd.DataFrame, families: pd.DataFrame
) -> list[Plot]:
    plots = []
    known = set(accuracies["benchmark"]) if len(accuracies) else set()
    if not board.table.dropna(subset=["clean_accuracy", "mean_corruption_error"]).empty:
        note = "Bars are 95 % intervals. Down and to the right is better on both."
        plots.append(Plot("Clean accuracy against mCE", note, clean_against_mce_plot(board.table)))
    if "corruption" in known:
        note = "Bands are exact 95 % intervals. Severity 0 is the clean image."
        plots.append(Plot("Accuracy against severity", note, severity_plot(accuracies)))
    if len(corruptions):
        note = "Corruption error in percent of AlexNet's: 100 is AlexNet, less is better."
        plots.append(Plot("Corruption error", note, corruption_heat_map(corruptions)))
    if len(families):
        note = "Mean corruption error of each family; bars are 95 % intervals. Left is better."
        plots.append(Plot("Corruption families", note, family_plot(families)))
    return plots

"""The axes of a report: for each, the tables that become CSV files and the plots that go on the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.benchmarks.clean import Clean
from bench.benchmarks.corruption import Corruption
from bench.reports.attack_plots import attack_plots
from bench.reports.attacks import (
    distance_table,
    epsilon_table,
    query_table,
    robust_accuracy_curves,
    stage_table,
    transfer_table,
)
from bench.reports.audit_plots import audit_plots
from bench.reports.audit_tables import audit_class_table, audit_table, faithfulness_table, shortcut_table
from bench.reports.corruption_tables import corruption_table, family_table
from bench.reports.page import Plot
from bench.reports.plots import (
    CORRUPTION_ACCURACY,
    CORRUPTION_ERROR,
    Measure,
    clean_against_corrupted_plot,
    corruption_heat_map,
    family_plot,
    severity_plot,
)
from bench.reports.shape_bias import decision_makers, decision_tables, imported_specs
from bench.reports.shape_plots import cue_conflict_plots
from bench.reports.stylized_sets import stylized_set_plots, stylized_set_table
from bench.reports.subjects import Subject
from bench.reports.tables import Leaderboard, condition_accuracies
from bench.results import Store


@dataclass(frozen=True)
class Section:
    """One axis."""

    tables: Mapping[str, pd.DataFrame]
    """By file name."""
    plots: Sequence[Plot]
    """In order."""

    def files(self) -> dict[str, str]:
        """File name -> CSV text, tables without rows left out."""
        return {name: table.to_csv(index=False) for name, table in self.tables.items() if len(table)}


def corruption_section(subjects: Sequence[Subject], board: Leaderboard) -> Section:
    """Accuracy under corruptions, and the corruption errors."""
    accuracies = condition_accuracies(subjects, [Clean.name, Corruption.name])
    corruptions, families = corruption_table(subjects), family_table(subjects)
    board_error, board_accuracy = _split(board.table, CORRUPTION_ERROR.board, CORRUPTION_ACCURACY.board)
    error, accuracy = _split(corruptions, CORRUPTION_ERROR.of_corruption, CORRUPTION_ACCURACY.of_corruption)
    family_error, family_accuracy = _split(families, CORRUPTION_ERROR.board, CORRUPTION_ACCURACY.board)
    plots = [
        *_against_clean(board_error, CORRUPTION_ERROR, "mCE", "Down and to the right is better on both."),
        *_against_clean(
            board_accuracy, CORRUPTION_ACCURACY, "mean corruption accuracy", "Up and to the right is better on both."
        ),
    ]
    if len(accuracies) and Corruption.name in set(accuracies["benchmark"]):
        note = "Bands are exact 95 % intervals. Severity 0 is the clean image."
        plots.append(Plot("Accuracy against severity", note, severity_plot(accuracies)))
    if len(error):
        note = "Corruption error in percent of AlexNet's: 100 is AlexNet, less is better."
        plots.append(Plot("Corruption error", note, corruption_heat_map(error, CORRUPTION_ERROR)))
    if len(accuracy):
        note = "Mean accuracy over the severities, of rows that AlexNet's errors mean nothing to. More is better."
        plots.append(Plot("Accuracy by corruption", note, corruption_heat_map(accuracy, CORRUPTION_ACCURACY)))
    if len(family_error):
        note = "Mean corruption error of each family; bars are 95 % intervals. Left is better."
        plots.append(Plot("Corruption families", note, family_plot(family_error, CORRUPTION_ERROR)))
    if len(family_accuracy):
        note = "Mean accuracy over each family, of rows that AlexNet's errors mean nothing to. Right is better."
        plots.append(Plot("Accuracy by corruption family", note, family_plot(family_accuracy, CORRUPTION_ACCURACY)))
    return Section({"corruptions.csv": corruptions, "families.csv": families}, plots)


def _split(table: pd.DataFrame, error: str, accuracy: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of a table, and those whose errors AlexNet's do not normalise: they have an accuracy and no error."""
    if table.empty:
        return table, table
    plain = table[error].isna() & table[accuracy].notna()
    return table[~plain], table[plain]


def _against_clean(board: pd.DataFrame, measure: Measure, name: str, better: str) -> list[Plot]:
    if board.dropna(subset=["clean_accuracy", measure.board]).empty:
        return []
    note = f"Bars are 95 % intervals. {better}"
    return [Plot(f"Clean accuracy against {name}", note, clean_against_corrupted_plot(board, measure))]


def attack_section(subjects: Sequence[Subject]) -> Section:
    """Robust accuracy, smallest perturbations, queries, AutoAttack's stages, transfer."""
    distances, queries, transfer = distance_table(subjects), query_table(subjects), transfer_table(subjects)
    tables = {
        "epsilons.csv": epsilon_table(subjects),
        "distances.csv": distances,
        "queries.csv": queries,
        "transfer.csv": transfer,
        "stages.csv": stage_table(subjects),
    }
    return Section(tables, attack_plots(robust_accuracy_curves(subjects), distances, queries, transfer))


def shape_section(store: Store, subjects: Sequence[Subject], board: Leaderboard) -> Section:
    """Shape against texture, error consistency, and the stylized sets."""
    imported = imported_specs(store)
    decisions = decision_tables(decision_makers(store, subjects, imported))
    stylized = stylized_set_table(store, subjects, imported)
    tables = {"stylized_sets.csv": stylized}
    if decisions is not None:
        tables["shape_bias.csv"] = decisions.shape_bias
        tables["error_consistency.csv"] = decisions.error_consistency
    return Section(tables, [*cue_conflict_plots(decisions, board.table), *stylized_set_plots(stylized)])


def audit_section(subjects: Sequence[Subject]) -> Section:
    """What classifiers look at, planted shortcuts, and whether the maps are to be believed."""
    audit, shortcuts, faithfulness = audit_table(subjects), shortcut_table(subjects), faithfulness_table(subjects)
    tables = {
        "audit.csv": audit,
        "audit_classes.csv": audit_class_table(subjects),
        "shortcuts.csv": shortcuts,
        "faithfulness.csv": faithfulness,
    }
    return Section(tables, audit_plots(audit, shortcuts, faithfulness))

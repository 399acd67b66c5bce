"""The axes of a report: for each, the tables that become CSV files and the plots that go on the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from bench.reports.audit_plots import audit_plots
from bench.reports.audit_tables import audit_class_table, audit_table, faithfulness_table, shortcut_table
from bench.reports.page import Plot
from bench.reports.plots import clean_against_mce_plot, corruption_heat_map, family_plot, severity_plot
from bench.reports.shape_bias import decision_makers, decision_tables, imported_specs
from bench.reports.shape_plots import cue_conflict_plots
from bench.reports.sister_sets import sister_set_plots, sister_set_table
from bench.reports.subjects import Subject
from bench.reports.tables import Leaderboard, condition_accuracies, corruption_table, family_table
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
    accuracies = condition_accuracies(subjects, ["clean", "corruption"])
    corruptions, families = corruption_table(subjects), family_table(subjects)
    plots = []
    if not board.table.dropna(subset=["clean_accuracy", "mean_corruption_error"]).empty:
        note = "Bars are 95 % intervals. Down and to the right is better on both."
        plots.append(Plot("Clean accuracy against mCE", note, clean_against_mce_plot(board.table)))
    if len(accuracies) and "corruption" in set(accuracies["benchmark"]):
        note = "Bands are exact 95 % intervals. Severity 0 is the clean image."
        plots.append(Plot("Accuracy against severity", note, severity_plot(accuracies)))
    if len(corruptions):
        note = "Corruption error in percent of AlexNet's: 100 is AlexNet, less is better."
        plots.append(Plot("Corruption error", note, corruption_heat_map(corruptions)))
    if len(families):
        note = "Mean corruption error of each family; bars are 95 % intervals. Left is better."
        plots.append(Plot("Corruption families", note, family_plot(families)))
    return Section({"corruptions.csv": corruptions, "families.csv": families}, plots)


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
    """Shape against texture, error consistency, and the sister sets."""
    imported = imported_specs(store)
    decisions = decision_tables(decision_makers(store, subjects, imported))
    sisters = sister_set_table(store, subjects, imported)
    tables = {"sister_sets.csv": sisters}
    if decisions is not None:
        tables["shape_bias.csv"] = decisions.shape_bias
        tables["error_consistency.csv"] = decisions.error_consistency
    return Section(tables, [*cue_conflict_plots(decisions, board.table), *sister_set_plots(sisters)])


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

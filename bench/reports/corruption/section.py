"""The section on accuracy under corruptions."""

import pandas as pd

from bench.benchmarks.corruption import Corruption
from bench.reports.corruption.plots import (
    CORRUPTION_ACCURACY,
    CORRUPTION_ERROR,
    Measure,
    clean_against_corrupted_plot,
    corruption_heat_map,
    family_plot,
    severity_plot,
)
from bench.reports.corruption.tables import corruption_table, family_table
from bench.reports.plots import Plot
from bench.reports.reference import REFERENCE
from bench.reports.sections import ReportData, Section, register_section
from bench.reports.tables import condition_accuracies


@register_section(Corruption.axis)
def corruption_section(data: ReportData) -> Section:
    """Accuracy under corruptions, and the corruption errors."""
    accuracies = condition_accuracies(data.entries, [REFERENCE.name, Corruption.name])
    corruptions, families = corruption_table(data.entries), family_table(data.entries)
    board_error, board_accuracy = _split(data.board.table, CORRUPTION_ERROR.board, CORRUPTION_ACCURACY.board)
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
        note = "Mean accuracy over the severities, of rows to which AlexNet's errors do not apply. More is better."
        plots.append(Plot("Accuracy by corruption", note, corruption_heat_map(accuracy, CORRUPTION_ACCURACY)))
    if len(family_error):
        note = "Mean corruption error of each family; bars are 95 % intervals. Left is better."
        plots.append(Plot("Corruption families", note, family_plot(family_error, CORRUPTION_ERROR)))
    if len(family_accuracy):
        note = "Mean accuracy over each family, of rows to which AlexNet's errors do not apply. Right is better."
        plots.append(Plot("Accuracy by corruption family", note, family_plot(family_accuracy, CORRUPTION_ACCURACY)))
    return Section({"corruptions.csv": corruptions, "families.csv": families}, plots)


def _split(table: pd.DataFrame, error: str, accuracy: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows with a corruption error, and rows with an accuracy only, where AlexNet's errors do not apply."""
    if table.empty:
        return table, table
    plain = table[error].isna() & table[accuracy].notna()
    return table[~plain], table[plain]


def _against_clean(board: pd.DataFrame, measure: Measure, name: str, better: str) -> list[Plot]:
    if board.dropna(subset=["clean_accuracy", measure.board]).empty:
        return []
    note = f"Bars are 95 % intervals. {better}"
    return [Plot(f"Clean accuracy against {name}", note, clean_against_corrupted_plot(board, measure))]

"""The section on adversarial attacks."""

from bench.benchmarks.attack import Attack
from bench.benchmarks.transfer import Transfer
from bench.reports.attacks.plots import attack_plots
from bench.reports.attacks.self_checks import self_check_table
from bench.reports.attacks.tables import (
    distance_table,
    epsilon_table,
    query_table,
    robust_accuracy_curves,
    stage_table,
    transfer_table,
)
from bench.reports.sections import ReportData, Section, register_section


@register_section(Attack.axis, Transfer.axis)
def attack_section(data: ReportData) -> Section:
    """Robust accuracy, smallest perturbations, queries, AutoAttack's stages, transfer, and the self-checks."""
    entries = data.entries
    distances, queries, transfer = distance_table(entries), query_table(entries), transfer_table(entries)
    tables = {
        "epsilons.csv": epsilon_table(entries),
        "distances.csv": distances,
        "queries.csv": queries,
        "transfer.csv": transfer,
        "stages.csv": stage_table(entries),
    }
    plots = attack_plots(robust_accuracy_curves(entries), distances, queries, transfer)
    return Section(tables, plots, self_check_table(entries))

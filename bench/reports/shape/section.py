"""The section on shape against texture."""

from bench.benchmarks.cue_conflict import CueConflict
from bench.benchmarks.parametric import Parametric
from bench.benchmarks.sixteen_way import SixteenWay
from bench.reports.sections import ReportData, Section, register_section
from bench.reports.shape.plots import cue_conflict_plots
from bench.reports.shape.stylized_sets import stylized_set_plots, stylized_set_table
from bench.reports.shape.tables import decision_makers, decision_tables, imported_specs


@register_section(CueConflict.axis, SixteenWay.axis, Parametric.axis)
def shape_section(data: ReportData) -> Section:
    """Shape bias, error consistency, and the accuracy on stylized sets, also of imported decision makers."""
    imported = imported_specs(data.store)
    decisions = decision_tables(decision_makers(data.store, data.entries, imported))
    stylized = stylized_set_table(data.store, data.entries, imported)
    tables = {"stylized_sets.csv": stylized}
    if decisions is not None:
        tables["shape_bias.csv"] = decisions.shape_bias
        tables["error_consistency.csv"] = decisions.error_consistency
    return Section(tables, [*cue_conflict_plots(decisions, data.board.table), *stylized_set_plots(stylized)])

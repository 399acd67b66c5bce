"""Tables, plots and pages, from the store and the metrics alone."""

from bench.reports.attacks import robustbench as _robustbench
from bench.reports.attacks import section as _attacks
from bench.reports.audit import section as _audit
from bench.reports.budget import section as _budget
from bench.reports.corruption import section as _corruption
from bench.reports.plots import Plot
from bench.reports.published_figures import section as _published_figures
from bench.reports.sections import PageTable, ReportData, Section, register_section
from bench.reports.shape import section as _shape
from bench.reports.shifts import section as _shifts
from bench.reports.slices import section as _slices
from bench.reports.trust import section as _trust
from bench.reports.write import write_report

BUILT_IN = (
    *(_corruption, _attacks, _shape, _audit, _shifts, _published_figures, _slices, _budget, _robustbench, _trust),
)
"""The modules that register the sections and exports of this package when they are imported."""

__all__ = ["PageTable", "Plot", "ReportData", "Section", "register_section", "write_report"]

"""Tables, plots and pages, from the store and the metrics alone."""

from bench.reports.attacks import section as _attacks
from bench.reports.audit import section as _audit
from bench.reports.corruption import section as _corruption
from bench.reports.plots import Plot
from bench.reports.sections import ReportData, Section, register_section
from bench.reports.shape import section as _shape
from bench.reports.write import write_report

BUILT_IN = (_corruption, _attacks, _shape, _audit)
"""The modules that register the sections of this package when they are imported."""

__all__ = ["Plot", "ReportData", "Section", "register_section", "write_report"]

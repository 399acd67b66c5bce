"""Tables, plots and pages, from the store and the metrics alone."""

from bench.reports.write import write_report

__all__ = ["write_report"]

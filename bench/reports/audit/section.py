"""The section on what classifiers look at."""

from bench.benchmarks.cam_audit import CamAudit
from bench.benchmarks.faithfulness import Faithfulness
from bench.benchmarks.shortcut import Shortcut
from bench.reports.audit.plots import audit_plots
from bench.reports.audit.tables import audit_class_table, audit_table, faithfulness_table, shortcut_table
from bench.reports.sections import ReportData, Section, register_section


@register_section(CamAudit.axis, Shortcut.axis, Faithfulness.axis)
def audit_section(data: ReportData) -> Section:
    """Attribution in the object, planted shortcuts, and whether the attribution maps are faithful."""
    entries = data.entries
    audit, shortcuts, faithfulness = audit_table(entries), shortcut_table(entries), faithfulness_table(entries)
    tables = {
        "audit.csv": audit,
        "audit_classes.csv": audit_class_table(entries),
        "shortcuts.csv": shortcuts,
        "faithfulness.csv": faithfulness,
    }
    return Section(tables, audit_plots(audit, shortcuts, faithfulness))

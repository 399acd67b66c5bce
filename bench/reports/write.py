"""Write a report's files: CSV, Markdown, the page, and what else is asked for."""

from collections.abc import Sequence
from pathlib import Path

from bench.reports.exports import export
from bench.reports.galleries.files import read_galleries
from bench.reports.missing import missing_cells
from bench.reports.page import render_page
from bench.reports.protocols import with_protocols
from bench.reports.sections import attack_section, audit_section, corruption_section, shape_section
from bench.reports.self_checks import self_check_table
from bench.reports.subjects import absent_plugins, read_subjects
from bench.reports.tables import leaderboard, to_markdown
from bench.results import Store


def write_report(store: Store, out_dir: Path, exports: Sequence[str] = ()) -> list[Path]:
    """Write ``leaderboard.{csv,md,html}``, ``ranks.csv``, a CSV file for each table of its sections, ``missing.csv``.

    Args:
        store: read, never written.
        out_dir: made where missing; files in it of the same names are replaced.
        exports: further formats, of ``bench.reports.exports.EXPORTS``.

    Returns:
        The files.

    Raises:
        ConfigurationError: an unknown export.
        DataError: the store is empty or damaged.
    """
    subjects = with_protocols(read_subjects(store, allow_none=True))
    board, absent = leaderboard(subjects), absent_plugins(store)
    missing, checks = missing_cells(subjects), self_check_table(subjects)
    sections = [
        corruption_section(subjects, board),
        attack_section(subjects),
        shape_section(store, subjects, board),
        audit_section(subjects),
    ]
    plots = [plot for section in sections for plot in section.plots]
    out_dir.mkdir(parents=True, exist_ok=True)
    galleries = read_galleries(out_dir, subjects)
    texts = {
        "leaderboard.csv": board.table.assign(label=board.table.index).to_csv(index=False),
        "leaderboard.md": to_markdown(board, absent),
        "leaderboard.html": render_page(out_dir.name, board, subjects, missing, checks, plots, galleries, absent),
        **{name: text for section in sections for name, text in section.files().items()},
        "ranks.csv": board.ranks.to_csv(index=False),
        "self_checks.csv": checks.to_csv(index=False),
        "missing.csv": missing.to_csv(index=False),
    }
    contents = {name: text.encode() for name, text in texts.items()} | export(exports, board, plots)
    for name, content in contents.items():
        (out_dir / name).parent.mkdir(exist_ok=True)
        (out_dir / name).write_bytes(content)
    return [out_dir / name for name in contents]

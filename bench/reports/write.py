"""Write a report's files: CSV, Markdown, the page, and the exports that are asked for."""

from collections.abc import Sequence
from pathlib import Path

from bench.data.groups import ImageGroups
from bench.reports.entries import absent_plugins, read_entries
from bench.reports.exports import export
from bench.reports.galleries.files import read_galleries
from bench.reports.images.write import PAGE
from bench.reports.missing import missing_cells
from bench.reports.page import render_page
from bench.reports.protocols import with_protocols
from bench.reports.sections import ReportData, checks_of, make_sections
from bench.reports.tables import leaderboard, to_markdown
from bench.results import Store


def write_report(
    store: Store, out_dir: Path, exports: Sequence[str] = (), groups: ImageGroups | None = None
) -> list[Path]:
    """Write ``leaderboard.{csv,md,html}``, ``ranks.csv``, a CSV file for each table of its sections, ``missing.csv``.

    Args:
        store: only read.
        out_dir: created where missing; files in it with the same names are replaced.
        exports: further formats, of ``bench.reports.exports.EXPORTS``.
        groups: of images, by which results are sliced.

    Returns:
        The files.

    Raises:
        ConfigurationError: an unknown export, or two sections with a table of the same name.
        DataError: the store is empty or damaged.
    """
    entries = with_protocols(read_entries(store, allow_none=True))
    board, absent, missing = leaderboard(entries), absent_plugins(store), missing_cells(entries)
    sections = make_sections(ReportData(store, entries, board, groups))
    plots = [plot for section in sections for plot in section.plots]
    out_dir.mkdir(parents=True, exist_ok=True)
    galleries = read_galleries(out_dir, entries)
    images = PAGE if (out_dir / PAGE).is_file() else ""
    texts = {
        "leaderboard.csv": board.table.assign(label=board.table.index).to_csv(index=False),
        "leaderboard.md": to_markdown(board, absent),
        "leaderboard.html": render_page(out_dir.name, board, entries, missing, sections, galleries, absent, images),
        **{name: text for section in sections for name, text in section.files().items()},
        "ranks.csv": board.ranks.to_csv(index=False),
        "self_checks.csv": checks_of(sections).to_csv(index=False),
        "missing.csv": missing.to_csv(index=False),
    }
    contents = {name: text.encode() for name, text in texts.items()} | export(exports, board, plots, entries)
    for name, content in contents.items():
        (out_dir / name).parent.mkdir(exist_ok=True)
        (out_dir / name).write_bytes(content)
    return [out_dir / name for name in contents]

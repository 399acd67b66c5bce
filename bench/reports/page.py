"""The pages of a report: each one HTML file that needs no other file."""

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd
import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined

from bench.reports.chance import chance_warnings
from bench.reports.columns import Column
from bench.reports.entries import LeaderboardEntry
from bench.reports.galleries.files import Gallery
from bench.reports.missing import missing_sentences
from bench.reports.page_cells import flags_of, marks_of, ranks_of, row_cells
from bench.reports.page_notes import (
    caution_sentences,
    detectable_sentences,
    empty_figures,
    headline_sentences,
    protocol_facts,
    width_sentences,
)
from bench.reports.plots import VEGA_LITE, Plot
from bench.reports.protocols import differences
from bench.reports.sections import Section, checks_of
from bench.reports.tables import Leaderboard

VEGA = "window.vegaEmbed = vegaEmbed;"


def render_page(
    name: str,
    board: Leaderboard,
    entries: Sequence[LeaderboardEntry],
    missing: pd.DataFrame,
    sections: Sequence[Section],
    galleries: Sequence[Gallery] = (),
    absent: Sequence[str] = (),
    images: str = "",
) -> str:
    """The leaderboard page.

    Args:
        name: of the report.
        board: its rows.
        entries: the entries of the rows.
        missing: cells that the protocols call for and the store does not have, of ``missing_cells``.
        sections: in the order of the page.
        galleries: of pictures, in the order of the page.
        absent: of ``absent_plugins``.
        images: file name of the images page beside it; empty where there is none.
    """
    checks, plots = checks_of(sections), [plot for section in sections for plot in section.plots]
    flags, chance = flags_of(checks), chance_warnings(entries)
    on_board = [entry for entry in entries if entry.label in board.table.index]
    page = environment().get_template("leaderboard.html.j2")
    return page.render(
        name=name,
        axes=_axes(board.columns),
        columns=board.columns,
        rows=_rows(board, entries, flags, chance),
        widths=[*width_sentences(board.table), *detectable_sentences(board)],
        protocols=protocol_facts(entries),
        mixed=differences(on_board),
        notes=list(dict.fromkeys(column.metric.note for column in board.columns if column.metric.note)),
        headlines=headline_sentences(board, entries),
        checked=len(checks),
        check_names=[str(check).replace("_", " ") for check in checks["check"].unique()],
        flags=[(label, *flag) for label, flags_of_label in flags.items() for flag in flags_of_label.items()],
        cautions=[
            *(f"{label}: {warning}." for label, warning in chance.items()),
            *caution_sentences(entries),
            *(sentence for section in sections for sentence in section.cautions),
        ],
        page_tables=[table for section in sections for table in section.page_tables],
        absent=absent,
        images=images,
        missing=missing_sentences(missing),
        empty=empty_figures(board.gaps),
        plots=plots,
        galleries=galleries,
        vega_bundle=_vega() if plots else "",
        **_assets(),
    )


def _rows(
    board: Leaderboard,
    entries: Sequence[LeaderboardEntry],
    flags: Mapping[str, Mapping[str, str]],
    chance: Mapping[str, str],
) -> list[tuple[Any, ...]]:
    """Label, cells, entry and stated parameters of each row."""
    by_label, ranks = {entry.label: entry for entry in entries}, ranks_of(board.ranks)
    rows = []
    for label, row in board.table.iterrows():
        marks = marks_of(str(label), flags, chance)
        cells = row_cells(row, board.columns, marks, ranks.get(str(label), {}))
        entry = by_label[str(label)]
        rows.append((label, cells, entry, _stated(entry, board.columns)))
    return rows


def _assets() -> dict[str, str]:
    """The styles and scripts of the leaderboard page."""
    tables = files("itables") / "html"
    return {
        "style": template("leaderboard.css"),
        "script": template("leaderboard.js"),
        "charts_script": template("charts.js"),
        "classifier_script": template("classifier.js"),
        "table_style": (tables / "dt_bundle.css").read_text(),
        "table_bundle": base64.b64encode((tables / "dt_bundle.js").read_bytes()).decode(),
    }


def _stated(entry: LeaderboardEntry, columns: Sequence[Column]) -> list[str]:
    """The parameters that benchmarks declare to be shown with a row: who made the changed images, and how."""
    names = dict.fromkeys((column.benchmark, name) for column in columns for name in column.declared.stated_parameters)
    return [value for value in (entry.parameter(*name) for name in names) if value]


def render_history(name: str, dates: Sequence[str], plots: Sequence[Plot]) -> str:
    """The page of ``task=history``.

    Args:
        name: of the report.
        dates: in order, at least one.
        plots: one per figure.
    """
    return chart_page("history.html.j2", name=name, n_dates=len(dates), first=dates[0], last=dates[-1], plots=plots)


def chart_page(template_name: str, **values: Any) -> str:
    """A page with charts and without a leaderboard, from its template and what that asks for."""
    return (
        environment()
        .get_template(template_name)
        .render(
            **values,
            style=template("leaderboard.css"),
            charts_script=template("charts.js"),
            vega_bundle=_vega(),
        )
    )


def environment() -> Environment:
    """The templates; they escape every value."""
    return Environment(loader=PackageLoader("bench.reports", "templates"), autoescape=True, undefined=StrictUndefined)


def template(name: str) -> str:
    """The text of a file in the templates' folder."""
    return (files("bench.reports") / "templates" / name).read_text()


@cache  # it takes two seconds, and is the same on every page
def _vega() -> str:
    """Vega-Embed as a script; no string in it can end the script element."""
    return vl_convert.javascript_bundle(VEGA, vl_version=VEGA_LITE).replace("</script", "<\\/script")


def _axes(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Headings over the columns, each with the number of columns below it."""
    names = list(dict.fromkeys(column.axis for column in columns))
    return [(name, sum(column.axis == name for column in columns)) for name in names]

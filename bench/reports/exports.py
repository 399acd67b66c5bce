"""The leaderboard in other formats: Parquet, LaTeX, JSON, figures for print, a badge."""

import io
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import pandas as pd
import vl_convert

from bench import __version__
from bench.errors import ConfigurationError, nearest_names
from bench.reports.entries import LeaderboardEntry
from bench.reports.plots import VEGA_LITE, Plot
from bench.reports.tables import Leaderboard, format_estimate, order_columns

SCHEMA_FILE = "leaderboard.schema.json"
BADGE_HEIGHT, CHARACTER_WIDTH = 20, 6.6


@dataclass(frozen=True)
class Exported:
    """What exports are made from."""

    board: Leaderboard
    """The leaderboard."""
    plots: Sequence[Plot]
    """The plots of its page."""
    entries: Sequence[LeaderboardEntry]
    """The entries of its rows."""


def _parquet(source: Exported) -> dict[str, bytes]:
    buffer = io.BytesIO()
    source.board.table.reset_index().to_parquet(buffer, index=False)
    return {"leaderboard.parquet": buffer.getvalue()}


def _latex(source: Exported) -> dict[str, bytes]:
    """A booktabs table: values with their intervals, in the page's columns."""
    rows = {
        str(label): [format_estimate(row, column.name, percent=column.percent) for column in source.board.columns]
        for label, row in source.board.table.iterrows()
    }
    titles = [f"{column.title}{' (%)' if column.percent else ''}" for column in source.board.columns]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=titles)
    styled = table.style.format(escape="latex")
    styled = styled.format_index(escape="latex", axis=0).format_index(escape="latex", axis=1)
    text = styled.to_latex(hrules=True, column_format="l" + "r" * len(titles))
    return {"leaderboard.tex": f"% \\usepackage{{booktabs}}\n{text}".encode()}


def _json(source: Exported) -> dict[str, bytes]:
    """The leaderboard as ``leaderboard.schema.json`` describes it; the schema is written beside it."""
    board = source.board
    content = {
        "format": "snowwolf-leaderboard",
        "format_version": 1,
        "snowwolf": __version__,
        "columns": [
            {
                "name": column.name,
                "title": column.title,
                "axis": column.axis,
                "better": column.better,
                "unit": "share" if column.percent else "percent",
                "benchmark": column.benchmark,
            }
            for column in board.columns
        ],
        "rows": [_json_row(str(label), row, board) for label, row in board.table.iterrows()],
    }
    schema = (files("bench.reports") / SCHEMA_FILE).read_text()
    return {
        "leaderboard.json": (json.dumps(content, indent=1, allow_nan=False) + "\n").encode(),
        SCHEMA_FILE: schema.encode(),
    }


def _json_row(label: str, row: "pd.Series[Any]", board: Leaderboard) -> dict[str, Any]:
    ranks = {str(row["metric"]): row for row in board.ranks[board.ranks["label"] == label].to_dict("records")}
    figures = {}
    for column in board.columns:
        value, low, high = (_number(row[f"{column.name}{end}"]) for end in ("", "_low", "_high"))
        rank = ranks.get(column.name)
        figures[column.name] = {
            "value": value,
            "low": low,
            "high": high,
            "rank": None if rank is None else int(rank["rank"]),
            "last_rank": None if rank is None else int(rank["last_rank"]),
        }
    identity = ("classifier", "weights_digest", "defense", "protocol", "dataset", "dataset_digest", "crop", "precision")
    return {
        "label": label,
        **{name: str(row[name]) for name in identity},
        "seed": int(row["seed"]),
        "parameters": None if pd.isna(row["parameters"]) else int(row["parameters"]),
        "gmacs": _number(row["gmacs"]),
        "n_images": int(row["n_images"]),
        "figures": figures,
        "notes": str(row["notes"]),
    }


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _figures(source: Exported) -> dict[str, bytes]:
    """Every plot of the page as SVG and PDF."""
    written = {}
    for plot in source.plots:
        name = f"figures/{re.sub('[^a-z0-9]+', '_', plot.title.lower()).strip('_')}"
        spec = plot.vega_lite()
        written[f"{name}.svg"] = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE).encode()
        written[f"{name}.pdf"] = vl_convert.vegalite_to_pdf(spec, vl_version=VEGA_LITE)
    return written


def _badge(source: Exported) -> dict[str, bytes]:
    """A badge for a README: the first known figure of the first row.

    The figure that rows are sorted by comes first, then the reference accuracy.
    """
    rows = source.board.table
    row = rows.iloc[0] if len(rows) else pd.Series(math.nan, index=rows.columns)
    columns = {column.name: column for column in source.board.columns}
    references = [name for name, column in columns.items() if column.is_reference]
    preferred = [*(column.name for column in order_columns(source.board.columns)[:1]), *references, *columns]
    known = [name for name in preferred if name in columns and not pd.isna(row[name])]
    title, value = "snowwolf", "no figures yet"
    if known:
        column = columns[known[0]]
        title = f"snowwolf {column.title}"
        value = format_estimate(row, column.name, percent=column.percent).partition(" ")[0]
        value += " %" if column.percent else ""
    return {"badge.svg": badge_svg(title, value).encode()}


def badge_svg(title: str, value: str) -> str:
    """A flat two-part badge; both texts escaped."""
    left, right = (int(len(text) * CHARACTER_WIDTH) + 12 for text in (title, value))
    title, value = (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
        for text in (title, value)
    )
    width, height = left + right, BADGE_HEIGHT
    text = 'font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" fill="#fff" text-anchor="middle"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img"'
        f' aria-label="{title}: {value}"><title>{title}: {value}</title>'
        f'<clipPath id="r"><rect width="{width}" height="{height}" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left}" height="{height}" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="{height}" fill="#0b5c8a"/></g>'
        f'<g {text}><text x="{left / 2:g}" y="14">{title}</text>'
        f'<text x="{left + right / 2:g}" y="14">{value}</text></g>'
        "</svg>\n"
    )


Exporter = Callable[[Exported], dict[str, bytes]]
"""Files by relative name."""

EXPORTS: dict[str, Exporter] = {
    "parquet": _parquet,
    "latex": _latex,
    "json": _json,
    "figures": _figures,
    "badge": _badge,
}


def register_export(name: str) -> Callable[[Exporter], Exporter]:
    """Decorator: the function makes the files of ``exports=[NAME]``.

    Raises:
        ConfigurationError: another export has the name.
    """

    def register(make: Exporter) -> Exporter:
        if EXPORTS.setdefault(name, make) is not make:
            raise ConfigurationError(f"two exports are called {name!r}: rename one")
        return make

    return register


def check_exports(names: Sequence[str]) -> None:
    """Refuse formats that do not exist.

    Raises:
        ConfigurationError: naming the nearest.
    """
    for name in names:
        if name not in EXPORTS:
            raise ConfigurationError(f"unknown export {name!r}: {nearest_names(name, EXPORTS)}")


def export(
    names: Sequence[str], board: Leaderboard, plots: Sequence[Plot], entries: Sequence[LeaderboardEntry]
) -> dict[str, bytes]:
    """Files by relative name, in the formats asked for.

    Raises:
        ConfigurationError: an unknown format.
    """
    check_exports(names)
    source = Exported(board, plots, entries)
    return {name: content for format_ in names for name, content in EXPORTS[format_](source).items()}

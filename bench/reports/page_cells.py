"""The cells of the leaderboard table on the page: text, interval, rank, and marks of doubt."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from bench.reports.columns import Column
from bench.reports.reference import REFERENCE
from bench.reports.tables import DASH, cost_texts, format_estimate, images_text


@dataclass(frozen=True)
class Cell:
    """One figure of the table."""

    text: str
    """The text in the cell."""
    order: str
    """The value that the column is sorted by."""
    interval: str = ""
    """The 95 % interval, shown smaller below the text."""
    rank: str = ""
    """The ranks it may have, such as 1-3: rows that no corrected test separates share ranks."""
    flag: str = ""
    """Why the figure cannot be trusted; empty where there is no doubt."""
    images: str = ""
    """The images it is measured on, where these are not the row's: ``1,280 images of sketches``."""


def flags_of(checks: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Label -> benchmark -> the messages of its failed self-checks.

    Args:
        checks: of ``checks_of``.
    """
    flags: dict[str, dict[str, str]] = {}
    for row in checks[~checks["passed"].astype(bool)].to_dict("records"):
        where = f"{row['condition']}: " if row["condition"] else ""
        of_label, benchmark = flags.setdefault(str(row["label"]), {}), str(row["attack"])
        of_label[benchmark] = f"{of_label.get(benchmark, '')}; {where}{row['message']}".removeprefix("; ")
    return flags


def marks_of(label: str, flags: Mapping[str, Mapping[str, str]], chance: Mapping[str, str]) -> dict[str, str]:
    """Benchmark -> why a row's figure of it cannot be trusted."""
    return {**flags.get(label, {}), **({REFERENCE.name: chance[label]} if label in chance else {})}


def ranks_of(ranks: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Label -> column -> the ranks that the row may have, where there is more than one row to rank."""
    words_of: dict[str, dict[str, str]] = {}
    for row in ranks[ranks["ranked"] > 1].to_dict("records"):
        first, last = row["rank"], row["last_rank"]
        words = f"{first}" if first == last else f"{first}{DASH}{last}"
        words_of.setdefault(str(row["label"]), {})[str(row["metric"])] = words
    return words_of


def row_cells(
    row: "pd.Series[Any]", columns: Sequence[Column], flags: Mapping[str, str], ranks: Mapping[str, str]
) -> list[Cell]:
    """The cells of one row: cost and number of images, then each column.

    Args:
        row: of ``Leaderboard.table``.
        columns: in order.
        flags: benchmark -> why its figure cannot be trusted.
        ranks: column -> the ranks that the row may have.
    """
    return [
        *(
            Cell(text, "1e9" if text == DASH else str(row[name]))
            for name, text in zip(("parameters", "gmacs"), cost_texts(row), strict=True)
        ),
        Cell(images_text(row), str(row["n_images"])),
        *(
            replace(
                _estimate_cell(row, column, ranks.get(column.name, ""), flags.get(column.benchmark, "")),
                images=_images(row, column),
            )
            for column in columns
        ),
    ]


def _estimate_cell(row: "pd.Series[Any]", column: Column, rank: str, flag: str) -> Cell:
    value = float(str(row[column.name]))
    if math.isnan(value):
        return Cell(DASH, "1e9" if column.better == "lower" else "-1e9")
    text, _, interval = format_estimate(row, column.name, percent=column.percent).partition(" ")
    return Cell(text, repr(value), interval, rank, flag)


def _images(row: "pd.Series[Any]", column: Column) -> str:
    n, dataset = row.get(f"{column.benchmark}_images", math.nan), row.get(f"{column.benchmark}_dataset", "")
    return "" if pd.isna(n) or not dataset else f"{int(n):,} images of {dataset}"

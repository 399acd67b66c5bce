"""A comparison with everything that is shown beside it: costs, effective robustness, its files and its table."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from rich.table import Table
from rich.text import Text

from bench.errors import ConfigurationError
from bench.reports.columns import Column, columns_of
from bench.reports.comparison import Comparison, compare
from bench.reports.comparison_text import comparison_markdown, number
from bench.reports.costs import cost_table, effective_robustness_table
from bench.reports.entries import LeaderboardEntry, read_entries
from bench.reports.grouping import protocol_of
from bench.reports.protocols import with_protocols
from bench.reports.published_figures.tables import published_table
from bench.reports.tables import leaderboard
from bench.results import Store


@dataclass(frozen=True)
class ComparisonReport:
    """A comparison of two or more rows, with the costs of every row of the store."""

    comparison: Comparison
    """The differences."""
    columns: tuple[Column, ...]
    """The figures that the rows have."""
    labels: Sequence[str]
    """Names of the compared rows, the baseline first."""
    costs: pd.DataFrame
    """One row per row of the leaderboard."""
    effective: pd.DataFrame
    """Effective robustness of the compared rows."""
    published: pd.DataFrame
    """Their figures beside the published ones of the same weights."""

    def files(self) -> dict[str, str]:
        """File name -> content: Markdown and CSV."""
        costs = self.costs[self.costs["label"].isin(self.labels)]
        return {
            "compare.md": comparison_markdown(self.comparison, costs, self.effective, self.columns, self.published),
            "differences.csv": self.comparison.differences.to_csv(index=False),
            "conditions.csv": self.comparison.conditions.to_csv(index=False),
            "images.csv": self.comparison.images.to_csv(index=False),
            "effective_robustness.csv": self.effective.to_csv(index=False),
            "costs.csv": self.costs.to_csv(index=False),
            "published.csv": self.published.to_csv(index=False),
        }

    def table(self) -> Table:
        """The differences, for a terminal."""
        by_name = {column.name: column for column in self.columns}
        table = Table("candidate", "figure", "baseline", "candidate's", "difference", "95 %", "p (Holm)", "verdict")
        for row in self.comparison.differences.to_dict("records"):
            column = by_name[str(row["metric"])]
            scale = 100 if column.percent else 1
            values = [row[name] * scale for name in ("baseline_value", "candidate_value")]
            ends = " to ".join(number(row[f"difference_{end}"] * scale, "+.2f") for end in ("low", "high"))
            table.add_row(
                Text(str(row["candidate"])),
                column.title,
                *(number(value, ".2f") for value in values),
                number(row["difference"] * scale, "+.2f"),
                Text(str(row["note"]) or ends),
                number(row["p_corrected"], ".2g"),
                str(row["verdict"]),
            )
        return table


def compare_rows(baseline: LeaderboardEntry, candidates: Sequence[LeaderboardEntry], store: Store) -> ComparisonReport:
    """Compare each candidate with the baseline, image by image.

    Args:
        baseline: a row of ``store`` or of another store.
        candidates: rows of ``store``.
        store: whose other rows give the fit of effective robustness and are listed with their costs.

    Raises:
        ConfigurationError: two of the rows are the same.
        DataError: they saw different images.
    """
    chosen = [baseline, *candidates]
    labels = [row.label for row in chosen]
    if len(set(labels)) < len(labels):
        raise ConfigurationError(f"baseline and candidates have to be different rows, and are {', '.join(labels)}")
    comparison = compare(baseline, list(candidates))
    known = {protocol_of(row.spec) for row in chosen}  # a row may be chosen as it was on a date: it must not be twice
    others = [row for row in read_entries(store) if protocol_of(row.spec) not in known]
    everyone = with_protocols([*chosen, *others])
    compared = with_protocols(chosen)
    return ComparisonReport(
        comparison,
        columns_of(chosen),
        labels,
        cost_table(everyone),
        effective_robustness_table(everyone, labels),
        published_table(leaderboard(compared), compared),
    )

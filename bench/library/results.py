"""What was measured: pandas tables, a report, a comparison, from a results store."""

import html
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bench.data.groups import ImageGroups, groups_of, read_groups
from bench.errors import ConfigurationError, DataError, nearest_names
from bench.library.scores import tidy_scores
from bench.plugins import load_plugins
from bench.reports.choose import choose_entry
from bench.reports.comparison import Comparison, compare
from bench.reports.entries import LeaderboardEntry, read_entries
from bench.reports.grouping import key_of
from bench.reports.missing import missing_cells
from bench.reports.protocols import with_protocols
from bench.reports.slices.tables import slice_table
from bench.reports.tables import Leaderboard, format_estimate, leaderboard
from bench.reports.write import write_report
from bench.results import Store, StoredCell


@dataclass(frozen=True)
class Results:
    """Everything in a results store; each call reads what is there by then."""

    store: Store
    """Where the outcomes are."""
    _folder: Any = field(default=None, repr=False, compare=False)
    """Keeps a temporary store alive."""

    def leaderboard(self) -> pd.DataFrame:
        """One row per classifier and protocol: every figure with its 95 % interval, as in ``leaderboard.csv``.

        Raises:
            DataError: the store is empty or damaged.
        """
        return self._board().table

    def scores(self) -> pd.DataFrame:
        """Every figure in a row of its own.

        Columns ``classifier, dataset, protocol, benchmark, condition, strength, metric, value, low, high, n``: the
        accuracy under each condition (``metric`` is ``accuracy``), then the figures of the leaderboard, whose
        condition is empty. What is missing is not a row; ``missing()`` lists it.

        Raises:
            DataError: the store is empty or damaged.
        """
        return tidy_scores(self._entries())

    def outcomes(self, benchmark: str, *, classifier: str | None = None) -> pd.DataFrame:
        """The outcome of each image under each condition of a benchmark.

        Args:
            benchmark: as on the leaderboard or as the suite calls it: ``corruption``, ``pgd``.
            classifier: of this one alone.

        Returns:
            Columns ``classifier, dataset, benchmark, condition, strength``, then ``image_id, label, prediction,
            confidence`` and those of the benchmark. One row for each classifier, condition and image.

        Raises:
            ConfigurationError: no such benchmark or classifier in the store; names the nearest ones.
            DataError: the store is damaged, or a cell is not whole.
        """
        frames = []
        for cell in self._cells(benchmark, classifier):
            rows = self.store.outcomes(cell.spec, sampled=cell.sampled)
            spec = cell.spec
            identity: dict[str, Any] = {
                "classifier": spec.classifier,
                "dataset": spec.dataset,
                "benchmark": spec.title,
                "condition": spec.condition.name,
                "strength": spec.condition.strength,
            }
            frames.append(rows.assign(**identity)[[*identity, *rows.columns]])
        return pd.concat(frames, ignore_index=True)

    def missing(self) -> pd.DataFrame:
        """One row per cell that failed, is incomplete or was not run, with its error."""
        return missing_cells(self._entries())

    def slices(self, groups: str | pd.DataFrame) -> pd.DataFrame:
        """Accuracy by group of images, of every stored benchmark and condition, as in ``slices.csv``.

        Args:
            groups: a CSV or Parquet file of ``image_id`` and any columns, ``"imagenet_x"``, or a table whose index is
                the images' names.

        Raises:
            ConfigurationError: no such file, or no groups in it.
            DataError: the store is empty or damaged, or the groups list none of its images.
        """
        return slice_table(self._entries(), _as_groups(groups))

    def report(self, folder: str | Path, exports: Sequence[str] = (), groups: str | pd.DataFrame | None = None) -> Path:
        """Write the leaderboard page, its tables and figures.

        Args:
            folder: made where missing; files in it of the same names are replaced.
            exports: further formats: ``parquet``, ``latex``, ``json``, ``figures``, ``badge``.
            groups: of images, as of ``slices``.

        Returns:
            The page, ``leaderboard.html``.
        """
        write_report(self.store, Path(folder), exports, None if groups is None else _as_groups(groups))
        return Path(folder) / "leaderboard.html"

    def compare(self, baseline: str, *candidates: str) -> Comparison:
        """Candidates against a baseline, image by image: ``.differences``, ``.conditions`` and ``.images`` are tables.

        Args:
            baseline: label or name of a row; ``NAME@2026-11-01`` is the row as it stood on that date.
            *candidates: at least one other.

        Raises:
            ConfigurationError: a name that is not there, or means several rows.
            DataError: they were run on different images.
        """
        if not candidates:
            raise ConfigurationError("name at least one candidate to compare with the baseline")
        return compare(
            choose_entry(self.store, baseline), [choose_entry(self.store, candidate) for candidate in candidates]
        )

    def _entries(self) -> list[LeaderboardEntry]:
        return with_protocols(read_entries(self.store))

    def _board(self) -> Leaderboard:
        return leaderboard(self._entries())

    def _cells(self, benchmark: str, classifier: str | None) -> list[StoredCell]:
        cells = self.store.cells()
        matching = [cell for cell in cells if benchmark in (key_of(cell.spec), cell.spec.entry, cell.spec.title)]
        if not matching:
            names = {cell.spec.title for cell in cells}
            raise ConfigurationError(
                f"no outcomes of {benchmark!r} in {self.store.root}: {nearest_names(benchmark, names)}"
            )
        chosen = [cell for cell in matching if classifier in (None, cell.spec.classifier)]
        if not chosen:
            names = {cell.spec.classifier for cell in matching}
            hint = nearest_names(str(classifier), names)
            raise ConfigurationError(f"no outcomes of {benchmark!r} and classifier {classifier!r}: {hint}")
        return sorted(chosen, key=lambda cell: (cell.spec.classifier, cell.spec.entry, cell.spec.condition))

    def __repr__(self) -> str:
        """Where the results are, and how many."""
        cells = self.store.cells()
        names = sorted({cell.spec.classifier for cell in cells})
        return f"Results({self.store.root!r}: {len(cells)} cells of {', '.join(names) or 'no classifier'})"

    def _repr_html_(self) -> str:
        """The leaderboard's figures with their intervals, for notebooks."""
        try:
            board = self._board()
        except DataError as error:
            return f"<p>{html.escape(str(error))}</p>"
        shown = pd.DataFrame(
            {
                column.title: [
                    format_estimate(row, column.name, percent=column.percent) for _, row in board.table.iterrows()
                ]
                for column in board.columns
                if board.table[column.name].notna().any()
            },
            index=board.table.index,
        )
        return shown.to_html(escape=True)


def _as_groups(groups: str | pd.DataFrame) -> ImageGroups:
    if isinstance(groups, pd.DataFrame):
        return groups_of("the table of groups", [str(name) for name in groups.index], groups)
    return read_groups(groups)


class IncompleteError(DataError):
    """Some cells could not be computed; what could be is in ``results``."""

    def __init__(self, message: str, results: Results) -> None:
        super().__init__(message)
        self.results = results


def open_results(store: str) -> Results:
    """The results in a store that a sweep or ``bench.evaluate`` has filled.

    Args:
        store: its folder or fsspec URL.

    Raises:
        DataError: there is nothing in it.
    """
    load_plugins()
    results = Results(Store(str(store)))
    if not results.store.cells():
        raise DataError(f"the store {store} is empty: bench.evaluate(..., store={str(store)!r}) fills it")
    return results


def temporary_results() -> Results:
    """Results in a temporary folder, which goes when they do."""
    folder = tempfile.TemporaryDirectory(prefix="snowwolf-", ignore_cleanup_errors=True)
    return Results(Store(folder.name), folder)

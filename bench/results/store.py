"""The results store: what has been measured, by cell, in parts that cover images exactly once.

Each part is a range of places in the order of sampling (``bench.data.order``), and each row has its image's position in
the dataset beside it. So a sample is a few ranges, and whoever reads a cell needs no order.
"""

import json
import re
import uuid
from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.errors import DataError
from bench.records import Outcomes, Provenance, RunSpec
from bench.results.files import FileTree
from bench.results.parts import DamagedError, part_bytes, read_part

if TYPE_CHECKING:  # listing a store needs no pandas, and is to be quick
    import pandas as pd

PART = re.compile(r"(\d{9})-(\d{9})\.parquet")
FAILED = re.compile(r"(\d{9})-(\d{9})\.failed-[0-9a-f]{8}\.parquet")

Range = tuple[int, int]

IDENTITY = ("classifier", "defense", "dataset", "benchmark", "entry", "departure", "condition", "strength")
"""Columns of a part that are the same in all of its rows: whose rows they are, for those who read it with pandas."""


@dataclass(frozen=True)
class Failure:
    """A work unit that could not be computed."""

    start: int
    """First image of the unit, as a place in the order of sampling."""
    stop: int
    """One past its last image."""
    error: str
    """The exception in one line."""
    traceback: str
    """Where it came from."""


@dataclass(frozen=True)
class StoredCell:
    """What the store knows of one cell, its rows left on disk."""

    spec: RunSpec
    """Identity of the cell."""
    provenance: Provenance
    """How its last part came to be."""
    seconds: float
    """Wall time summed over its parts."""
    n_stored: int
    """Images with outcomes."""
    failures: tuple[Failure, ...]
    """Units that failed and have not been computed since."""
    sample: int = 0
    """How many images the smallest budget asked for that it was computed under; 0 where all were wanted."""

    @property
    def complete(self) -> bool:
        """Whether every image has an outcome."""
        return self.n_stored == self.spec.n_images

    @property
    def sampled(self) -> bool:
        """Whether it has the outcomes of a sample: as many images as a budget asked for, and not all."""
        return 0 < self.sample <= self.n_stored < self.spec.n_images

    @property
    def usable(self) -> bool:
        """Whether reports may use it: it is complete, or sampled."""
        return self.complete or self.sampled


def missing_ranges(covered: Iterable[Range], n: int) -> list[Range]:
    """The half-open ranges of ``[0, n)`` that ``covered`` leaves open.

    Args:
        covered: half-open ranges, in any order, overlapping or not.
        n: images in the dataset.
    """
    gaps = []
    reached = 0
    for start, stop in sorted(covered):
        if start > reached:
            gaps.append((reached, start))
        reached = max(reached, stop)
    if reached < n:
        gaps.append((reached, n))
    return gaps


class Store:
    """Outcomes by cell. Any number of processes and machines may write at once; nothing is ever overwritten.

    Layout: ``<root>/<cell id>/<start>-<stop>.parquet``, identity and provenance in each file's metadata.

    Args:
        root: a folder, or any fsspec URL.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.files = FileTree(root)
        """The files of the store."""

    def write_part(
        self,
        spec: RunSpec,
        outcomes: Outcomes,
        start: int,
        provenance: Provenance,
        *,
        positions: NDArray[np.int64] | None = None,
    ) -> bool:
        """Store the outcomes of the images at places ``start .. start + len(outcomes)`` of the cell.

        Args:
            spec: the cell.
            outcomes: one row per image.
            start: place of the first image in the order of sampling.
            provenance: how they came to be.
            positions: where each image stands in the dataset; left out where places and positions are the same.

        Returns:
            False where the same part was there already (another worker was faster); its rows stand.
        """
        stop = start + len(outcomes)
        if not 0 <= start < stop <= spec.n_images:
            raise ValueError(f"images {start}..{stop} lie outside the dataset's {spec.n_images}")
        taken = sorted(outcomes.extra.keys() & set(IDENTITY))
        if taken:
            raise ValueError(f"outcome columns {taken} have the names of columns that say whose rows they are")
        at = np.arange(start, stop) if positions is None else positions
        columns = {"position": at, **outcomes.columns(), "correct": outcomes.correct}
        return self._write(spec, f"{start:09d}-{stop:09d}.parquet", columns, provenance)

    def write_failure(
        self,
        spec: RunSpec,
        image_ids: Sequence[str],
        start: int,
        provenance: Provenance,
        *,
        error: str,
        traceback: str,
    ) -> None:
        """Record that the unit at ``start`` failed: one row per image with the ``error``, the traceback beside them."""
        stop = start + len(image_ids)
        columns = {
            "image_id": np.asarray(image_ids, dtype=object),
            "error": np.full(stop - start, error, dtype=object),
        }
        name = f"{start:09d}-{stop:09d}.failed-{uuid.uuid4().hex[:8]}.parquet"
        self._write(spec, name, columns, provenance, traceback=traceback)

    def covered(self, spec: RunSpec) -> list[Range]:
        """The ranges of places that have outcomes, one for each part of the cell."""
        return _ranges(self.files.names(spec.cell_id), PART)

    def part(self, spec: RunSpec, images: Range) -> pa.Table:
        """The rows of one part, without the columns that say whose they are.

        Raises:
            DataError: it is damaged.
        """
        return self._read(spec.cell_id, f"{images[0]:09d}-{images[1]:09d}.parquet")

    def identity(self, cell_id: str, name: str) -> tuple[RunSpec, Provenance]:
        """Whose rows a file holds, and how they came to be.

        Raises:
            DataError: it is damaged, or belongs to another cell.
        """
        return self._footer(cell_id, name)[:2]

    def write_table(
        self, spec: RunSpec, table: pa.Table, start: int, provenance: Provenance, *, seconds: float
    ) -> None:
        """Store rows that were read from smaller parts."""
        columns = {name: table[name] for name in table.column_names}
        name = f"{start:09d}-{start + len(table):09d}.parquet"
        self._write(spec, name, columns, replace(provenance, seconds=seconds))

    def cells(self, but: Container[str] = ()) -> list[StoredCell]:
        """Every cell in the store, by classifier, entry and condition; no rows are read.

        Args:
            but: ids of cells to leave out, known to be damaged.
        """
        tree = self.files.tree()
        described = [self._describe(folder, names) for folder, names in tree.items() if folder not in but]
        return sorted(
            (cell for cell in described if cell is not None),
            key=lambda cell: (cell.spec.classifier, cell.spec.entry, cell.spec.condition, cell.spec.cell_id),
        )

    def correct(self, spec: RunSpec) -> NDArray[np.bool_]:
        """``(N,)`` whether each image of a complete cell is right, in dataset order: the one column that is read.

        Raises:
            DataError: images are missing, duplicated or unreadable.
        """
        right: NDArray[np.bool_] = self._rows(spec, ["correct"])["correct"].to_numpy()
        return right

    def sampled_correct(self, spec: RunSpec) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Whether each image is right that has an outcome, ``(k,)``, and where it stands in the dataset, ``(k,)``.

        Raises:
            DataError: there is none, or images are duplicated or unreadable.
        """
        table = self._rows(spec, ["correct"], sampled=True)
        return table["correct"].to_numpy(), table["position"].to_numpy()

    def outcomes(self, spec: RunSpec, *, sampled: bool = False) -> "pd.DataFrame":
        """Rows of a cell in dataset order.

        Args:
            spec: the cell.
            sampled: return the images that have outcomes, where not all of them have one.

        Returns:
            Columns ``position, image_id, label, prediction, confidence, correct`` and the benchmark's own.

        Raises:
            DataError: images are missing, duplicated or unreadable.
        """
        frame: pd.DataFrame = self.rows(spec, sampled=sampled).to_pandas()
        return frame

    def rows(self, spec: RunSpec, *, sampled: bool = False) -> pa.Table:
        """What ``outcomes`` returns, as an Arrow table.

        Raises:
            DataError: images are missing, duplicated or unreadable.
        """
        table = self._rows(spec, None, sampled=sampled)
        if pc.count_distinct(table["image_id"]).as_py() != len(table):
            raise self._not_once(spec)
        fixed = ["position", "image_id", "label", "prediction", "confidence", "correct"]
        return table.select([*fixed, *(name for name in table.column_names if name not in fixed)])

    def some_columns(self, spec: RunSpec, names: Sequence[str], *, sampled: bool = False) -> pa.Table:
        """Those columns of a cell, in dataset order; ``sampled`` as of ``outcomes``.

        Raises:
            DataError: images are missing, duplicated or unreadable.
        """
        return self._rows(spec, names, sampled=sampled).select(list(names))

    def columns(self, spec: RunSpec) -> pa.Schema:
        """The columns that ``rows`` has; no row is read.

        Raises:
            DataError: the cell has no part, or its first is damaged.
        """
        start, stop = min(self.covered(spec), default=(0, 0))
        name = f"{start:09d}-{stop:09d}.parquet"
        try:
            with self.files.open(spec.cell_id, name) as file:
                schema = pq.read_schema(file).remove_metadata()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(spec.cell_id, name, error) from error
        return pa.schema([field for field in schema if field.name not in IDENTITY])

    def _rows(self, spec: RunSpec, columns: Sequence[str] | None, *, sampled: bool = False) -> pa.Table:
        """The parts of a cell in dataset order, with all columns or ``position`` and the named ones.

        Raises:
            DataError: images are missing, duplicated or unreadable.
        """
        n_missing = sum(stop - start for start, stop in missing_ranges(self.covered(spec), spec.n_images))
        if n_missing == spec.n_images or (n_missing and not sampled):
            raise DataError(
                f"{spec.classifier} / {spec.title} / {spec.condition.key} lacks {n_missing} of {spec.n_images} images"
                f" in {self.root}: run the same command again to compute them"
            )
        tables, reached = [], 0
        columns = None if columns is None else ["position", *columns]
        for start, stop in sorted(self.covered(spec)):
            if stop > reached:  # parts of another chunk size may overlap: the first to cover an image counts
                table = self._read(spec.cell_id, f"{start:09d}-{stop:09d}.parquet", columns)
                tables.append(table.slice(max(reached, start) - start))
                reached = stop
        return self._in_dataset_order(pa.concat_tables(tables), spec)

    def _in_dataset_order(self, table: pa.Table, spec: RunSpec) -> pa.Table:
        positions = table["position"].to_numpy()
        row_of = np.full(spec.n_images, -1)
        if positions.min() < 0 or positions.max() >= spec.n_images:
            raise self._not_once(spec)
        row_of[positions] = np.arange(len(positions))
        rows = row_of[row_of >= 0]
        if len(rows) != len(positions):
            raise self._not_once(spec)
        return table if np.array_equal(rows, np.arange(len(rows))) else table.take(rows)

    def _not_once(self, spec: RunSpec) -> DataError:
        return DataError(
            f"cell {spec.cell_id} of {self.root} ({spec.classifier} / {spec.title} / {spec.condition.key})"
            " does not hold each image exactly once: move its folder away and run the same command again"
        )

    def _write(
        self, spec: RunSpec, name: str, columns: dict[str, Any], provenance: Provenance, *, traceback: str = ""
    ) -> bool:
        metadata = {"spec": spec.to_json(), "provenance": json.dumps(asdict(provenance)), "traceback": traceback}
        table = pa.table(_identity_columns(spec, len(columns["image_id"])) | columns).replace_schema_metadata(metadata)
        return self.files.write_once(spec.cell_id, name, part_bytes(table))

    def _read(self, cell_id: str, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        try:
            with self.files.open(cell_id, name) as file:
                table = read_part(file.read(), None if columns is None else list(columns))
        except (DamagedError, OSError) as error:
            raise self._damaged(cell_id, name, error) from error
        return table.select([column for column in table.column_names if column not in IDENTITY])

    def _damaged(self, cell_id: str, name: str, error: Exception) -> DataError:
        reason = " ".join(str(error).split())
        return DataError(
            f"{self.root}/{cell_id}/{name} is damaged ({reason}): move it away (task=store action=quarantine does) and"
            " run the same command again"
        )

    def _describe(self, cell_id: str, names: list[str]) -> StoredCell | None:
        parts = [name for name in names if PART.fullmatch(name)]
        failed = [name for name in names if FAILED.fullmatch(name)]
        if not parts and not failed:
            return None
        covered = _ranges(parts, PART)
        spec, _, _ = self._footer(cell_id, (parts or failed)[0])
        gaps = missing_ranges(covered, spec.n_images)
        footers = [self._footer(cell_id, name) for name in parts]
        failures = tuple(
            self._failure(cell_id, name, start, stop)
            for name, (start, stop) in zip(failed, _ranges(failed, FAILED), strict=True)
            if any(low < stop and start < high for low, high in gaps)
        )
        provenance = (footers or [self._footer(cell_id, failed[-1])])[-1][1]
        seconds = sum(footer[1].seconds for footer in footers)
        n_missing = sum(high - low for low, high in gaps)
        samples = [footer[1].sample for footer in footers if footer[1].sample]
        return StoredCell(spec, provenance, seconds, spec.n_images - n_missing, failures, min(samples, default=0))

    def _footer(self, cell_id: str, name: str) -> tuple[RunSpec, Provenance, str]:
        try:
            with self.files.open(cell_id, name) as file:
                metadata = pq.read_schema(file).metadata
            spec = RunSpec.from_json(metadata[b"spec"].decode())
            provenance = Provenance(**json.loads(metadata[b"provenance"]))
            traceback = metadata[b"traceback"].decode()
        except DataError as error:
            raise DataError(f"{self.root}/{cell_id}/{name} was {error}: use another store=FOLDER") from error
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
            raise self._damaged(cell_id, name, error) from error
        if spec.cell_id != cell_id:
            raise self._damaged(cell_id, name, ValueError("it is of another cell, or version of Snowwolf"))
        return spec, provenance, traceback

    def _failure(self, cell_id: str, name: str, start: int, stop: int) -> Failure:
        rows = self._read(cell_id, name)
        traceback = rows.schema.metadata[b"traceback"].decode()
        return Failure(start, stop, rows["error"][0].as_py(), traceback)


def _identity_columns(spec: RunSpec, n: int) -> dict[str, pa.Array]:
    """The columns ``IDENTITY`` of ``n`` rows, each value stored once."""
    values = {**spec.__dict__, "condition": spec.condition.name, "strength": spec.condition.strength}
    return {name: constant_column(values[name], n) for name in IDENTITY}


def constant_column(value: str | int | float, n: int) -> pa.DictionaryArray:
    """One value in ``n`` rows, stored once."""
    return pa.DictionaryArray.from_arrays(np.zeros(n, np.int8), [value])


def _ranges(names: Iterable[str], pattern: re.Pattern[str]) -> list[Range]:
    matches = (pattern.fullmatch(name) for name in names)
    return [(int(match[1]), int(match[2])) for match in matches if match]

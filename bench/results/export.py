"""The rows of complete cells as one table, in a Parquet or CSV file."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from bench.errors import DataError
from bench.records import RunSpec
from bench.results.store import Store, StoredCell, constant_column

SUFFIXES = (".parquet", ".csv")


def export_rows(
    cells: Sequence[StoredCell], store: Store, out: Path, on_cell: Callable[[], None] = lambda: None
) -> None:
    """Write the rows of ``cells`` to ``out``; the file appears under its name when it is complete.

    Args:
        cells: complete ones.
        store: that they are in.
        out: a file that ends in one of ``SUFFIXES``; its folder is made if missing.
        on_cell: called after each cell.

    Raises:
        DataError: a part is damaged, or two benchmarks keep different kinds of values under one name.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    schema = export_schema(cells, store)
    temporary = out.with_name(f".writing-{out.name}")
    writer = pq.ParquetWriter if out.suffix == ".parquet" else pa.csv.CSVWriter
    with writer(temporary, schema) as file:
        for cell in cells:
            file.write_table(rows_of(cell, store, schema))
            on_cell()
    temporary.rename(out)


def export_schema(cells: Sequence[StoredCell], store: Store) -> pa.Schema:
    """The columns of an export of complete ``cells``: identity, outcome, and every column that a benchmark adds.

    Raises:
        DataError: a part is damaged, or two benchmarks keep different kinds of values under one name.
    """
    schemas = [_exported(cell.spec, store.columns(cell.spec).empty_table()).schema for cell in cells]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(f"the cells of {store.root} do not fit into one table: {error}; export fewer") from error


def rows_of(cell: StoredCell, store: Store, schema: pa.Schema) -> pa.Table:
    """The rows of a complete cell in the columns of ``export_schema``, empty where its benchmark has no such column.

    Raises:
        DataError: images are missing, duplicated or unreadable.
    """
    table = _exported(cell.spec, store.rows(cell.spec, sampled=cell.sampled))
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _exported(spec: RunSpec, rows: pa.Table) -> pa.Table:
    """``rows`` with the identity of their cell in columns before them."""
    values: dict[str, str | int | float] = {
        "classifier": spec.classifier,
        "weights_digest": spec.weights_digest,
        "defense": spec.defense,
        "crop": spec.crop,
        "precision": spec.precision,
        "dataset": spec.dataset,
        "dataset_digest": spec.dataset_digest,
        "benchmark": spec.benchmark,
        "entry": spec.entry,
        "departure": spec.departure,
        "version": spec.version,
        "parameters": json.dumps(spec.parameters, sort_keys=True),
        "condition": spec.condition.name,
        "strength": spec.condition.strength,
        "strength_unit": spec.strength_unit,
        "seed": spec.seed,
        "cell_id": spec.cell_id,
    }
    identity = {name: constant_column(value, len(rows)) for name, value in values.items()}
    return pa.table(identity | {name: rows[name] for name in rows.column_names})

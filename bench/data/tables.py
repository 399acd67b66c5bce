"""Tables of users: CSV files with any separator, and Parquet files."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.errors import ConfigurationError


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file (commas, semicolons or tabs) or a Parquet file, every column as pandas reads it.

    Raises:
        ConfigurationError: it is neither.
    """
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        with path.open(encoding="utf-8-sig") as file:
            separator = max(",;\t", key=file.readline().count)
        return pd.read_csv(path, sep=separator, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        raise ConfigurationError(f"{path} is no CSV or Parquet file: {error}") from error


def find_column(table: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The first of ``names`` that a column has, in any case; None where there is none."""
    by_name = {str(column).strip().lower(): str(column) for column in table.columns}
    return next((by_name[name] for name in names if name in by_name), None)

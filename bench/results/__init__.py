"""The results store: one Parquet part per work unit, safe under kills and many writers."""

from bench.results.store import Failure, Store, StoredCell, missing_ranges

__all__ = ["Failure", "Store", "StoredCell", "missing_ranges"]

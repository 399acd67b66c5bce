"""A tracker that needs no service: one JSON object per line, one file per run."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench.paths import path_letters, path_name
from bench.tracking.tracker import Run


def run_file(folder: Path, run: Run) -> Path:
    """``<group>/<name>-<digest>.jsonl``: a name from outside gives letters to a path, never a way out of it."""
    return folder / path_letters(run.group) / f"{path_name(run.name, run.group, run.kind)}.jsonl"


class JsonLines:
    """Appends events ``{"event": ..., "time": seconds since the epoch, ...}``; every line is flushed.

    Tables are kept whole; pictures, pages and artifacts by their paths. NaN is written as null.
    """

    def __init__(self, folder: Path, run: Run) -> None:
        path = run_file(folder, run)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._write("start", name=run.name, group=run.group, kind=run.kind, config=dict(run.config))

    def log(self, figures: Mapping[str, float]) -> None:
        """One line."""
        self._write("log", figures=_finite(figures))

    def summarise(self, figures: Mapping[str, float]) -> None:
        """One line."""
        self._write("summary", figures=_finite(figures))

    def table(self, name: str, table: pd.DataFrame) -> None:
        """The rows as JSON."""
        self._write("table", name=name, rows=json.loads(table.to_json(orient="records")))

    def picture(self, name: str, path: Path) -> None:
        """Where it is."""
        self._write("picture", name=name, path=str(path))

    def page(self, name: str, path: Path) -> None:
        """Where it is."""
        self._write("page", name=name, path=str(path))

    def artifact(self, name: str, folder: Path) -> None:
        """Where it is."""
        self._write("artifact", name=name, path=str(folder))

    def close(self, *, failed: bool) -> None:
        """The last line."""
        self._write("end", failed=failed)
        self._file.close()

    def _write(self, event: str, **values: Any) -> None:
        self._file.write(json.dumps({"event": event, "time": time.time(), **values}) + "\n")
        self._file.flush()


def _finite(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}

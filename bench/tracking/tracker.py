"""What a tracker is, and the wrapper that keeps its failures away from the sweep."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import pandas as pd

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """What is tracked: one job, or the report at a sweep's end."""

    name: str
    """A classifier's name, or ``report``."""
    group: str
    """The sweep; every run of it has the same group."""
    kind: str
    """``job`` or ``report``."""
    config: Mapping[str, Any]
    """The composed config, with nothing secret in it (``redact``)."""


class Backend(Protocol):
    """One place to send figures to. Each method may raise: ``Tracker`` catches it."""

    def log(self, figures: Mapping[str, float]) -> None:
        """Figures of this moment."""

    def summarise(self, figures: Mapping[str, float]) -> None:
        """Figures of the whole run."""

    def table(self, name: str, table: pd.DataFrame) -> None:
        """A table of the report."""

    def picture(self, name: str, path: Path) -> None:
        """A PNG file."""

    def page(self, name: str, path: Path) -> None:
        """A self-contained HTML file."""

    def artifact(self, name: str, folder: Path) -> None:
        """Every file below ``folder``."""

    def close(self, *, failed: bool) -> None:
        """The run is over."""


class Tracker:
    """A backend that cannot stop a sweep: the first exception is a warning, and ends the tracking.

    Args:
        backend: where figures go; None for nowhere.
        name: of the backend, for the warning.
        lost: why there is no backend although one was asked for.
    """

    def __init__(self, backend: Backend | None, name: str, *, lost: str = "") -> None:
        self._backend, self._name = backend, name
        self.lost = lost
        """In one line why figures are missing from the backend; empty where none are."""

    @property
    def active(self) -> bool:
        """Whether anybody listens."""
        return self._backend is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._try(lambda backend: backend.close(failed=error is not None))
        self._backend = None

    def log(self, figures: Mapping[str, float]) -> None:
        """See ``Backend.log``."""
        self._try(lambda backend: backend.log(figures))

    def summarise(self, figures: Mapping[str, float]) -> None:
        """See ``Backend.summarise``."""
        self._try(lambda backend: backend.summarise(figures))

    def table(self, name: str, table: pd.DataFrame) -> None:
        """See ``Backend.table``."""
        self._try(lambda backend: backend.table(name, table))

    def picture(self, name: str, path: Path) -> None:
        """See ``Backend.picture``."""
        self._try(lambda backend: backend.picture(name, path))

    def page(self, name: str, path: Path) -> None:
        """See ``Backend.page``."""
        self._try(lambda backend: backend.page(name, path))

    def artifact(self, name: str, folder: Path) -> None:
        """See ``Backend.artifact``."""
        self._try(lambda backend: backend.artifact(name, folder))

    def _try(self, do: Callable[[Backend], None]) -> None:
        if self._backend is None:
            return
        try:
            do(self._backend)
        except Exception as error:  # whatever a third party's client raises, the sweep goes on
            self.lost = f"tracker={self._name} stopped: {error_line(error)}"
            logger.warning("%s; the sweep goes on", self.lost)
            self._backend = None


def error_line(error: Exception) -> str:
    """Type and message in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"

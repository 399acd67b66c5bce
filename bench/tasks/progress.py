"""Progress with images/s and time left: a bar on a terminal, plain lines elsewhere."""

import logging
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as RemainingColumn

logger = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 10.0


class SweepProgress:
    """Counts images towards a total; use as a context manager.

    Args:
        title: what is being done, e.g. the classifier's name.
        total: images in all.
    """

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done = title, total, 0
        self.began = self.last_line = time.monotonic()
        console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        if console.is_terminal and sys.stderr.isatty() and total:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("images · {task.fields[rate]:.0f}/s ·"),
                TimeElapsedColumn(),
                TextColumn("·"),
                RemainingColumn(),
                TextColumn("left"),
                console=console,
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.total, rate=0.0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def rate(self) -> float:
        """Images a second so far."""
        return self.done / max(time.monotonic() - self.began, 1e-9)

    def advance(self, n: int, what: str = "") -> None:
        """Count ``n`` more images, of ``what``."""
        self.done += n
        label = f"{self.title} · {what}" if what else self.title
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, description=label, rate=self.rate)
        elif time.monotonic() - self.last_line > SECONDS_BETWEEN_LINES:
            self.last_line = time.monotonic()
            left = (self.total - self.done) / max(self.rate, 1e-9)
            logger.info("%s: %d/%d images, %.1f/s, %.0f s left", label, self.done, self.total, self.rate, left)

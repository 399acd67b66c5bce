"""Progress with images/s and time left: a bar on a terminal, plain lines elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

logger = logging.getLogger(__name__)
SECONDS_BETWEEN_LINES = 10.0


class SweepProgress:
    """Counts images towards a total; use as a context manager.

    Args:
        title: what is being done, e.g. the classifier's name.
        total: images in all.
        work: the same in units of equal cost, for the time left; ``total`` when left out.
        on_line: given images, images a second and seconds left, every ten seconds.
    """

    def __init__(
        self,
        title: str,
        total: int,
        work: int | None = None,
        on_line: Callable[[Mapping[str, float]], None] | None = None,
    ) -> None:
        self.on_line = on_line
        self.title, self.total, self.done = title, total, 0
        self.work, self.work_done = total if work is None else work, 0
        self.began = self.last_line = time.monotonic()
        console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        if ((console.is_terminal and sys.stderr.isatty()) or console.is_jupyter) and total:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=12),
                TextColumn("{task.fields[done]}/{task.fields[images]} images · {task.fields[rate]:.0f}/s ·"),
                TimeRemainingColumn(compact=True),
                TextColumn("left"),
                console=console,
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.work, rate=0.0, done=0, images=self.total)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def rate(self) -> float:
        """Images a second so far."""
        return self.done / max(time.monotonic() - self.began, 1e-9)

    @property
    def seconds_left(self) -> float:
        """At the pace of the work done so far."""
        pace = self.work_done / max(time.monotonic() - self.began, 1e-9)
        return (self.work - self.work_done) / max(pace, 1e-9)

    def advance(self, n: int, what: str = "", work: int | None = None) -> None:
        """Count ``n`` more images, of ``what``, worth ``work`` units (``n`` when left out)."""
        self.done += n
        self.work_done += n if work is None else work
        label = f"{self.title} · {what}" if what else self.title
        if self._bar is not None:
            self._bar.update(self._task, completed=self.work_done, description=label, rate=self.rate, done=self.done)
        if time.monotonic() - self.last_line > SECONDS_BETWEEN_LINES:
            self.last_line = time.monotonic()
            self._line(label)

    def _line(self, label: str) -> None:
        if self._bar is None:
            counts = f"{self.done}/{self.total} images, {self.rate:.1f}/s, {self.seconds_left:.0f} s left"
            logger.info("%s: %s", label, counts)
        if self.on_line is not None:
            figures = {"images": self.done, "images_per_second": self.rate, "seconds_left": self.seconds_left}
            self.on_line(figures)

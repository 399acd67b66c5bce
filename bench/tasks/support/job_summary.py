"""The summaries that a job of ``task=evaluate`` writes for the end of the sweep, one for each classifier."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from omegaconf import DictConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class JobSummary:
    """What one job did with one classifier; it is written to disk and read at the end of the sweep."""

    classifier: str
    """Display name."""
    n_cells: int = 0
    """Cells of the suite; 0 where the job failed before they were known."""
    n_stored: int = 0
    """Cells that needed no work."""
    n_missing: int = 0
    """Cells that are incomplete in the store at the end of the job."""
    seconds: float = 0.0
    """Wall time of the job."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Failed cell -> its error in one line."""
    error: str = ""
    """Why the job ended early; empty if it did not."""
    tracker: str = ""
    """Why the tracker lacks figures; empty if it does not."""
    skipped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Dataset -> unreadable images that ``data.on_error=skip`` left out."""
    warnings: tuple[str, ...] = ()
    """What makes the figures doubtful: a clean accuracy that guessing reaches."""


def summary_file(hydra: DictConfig, job: int | None) -> Path:
    """File of a job's summary, whatever the job's own folder is called.

    Args:
        hydra: Hydra's section of the config.
        job: its number in a sweep; None for a single job.
    """
    if job is None:
        return Path(hydra.runtime.cwd, hydra.run.dir, "summary.json")
    return Path(hydra.runtime.cwd, hydra.sweep.dir, "summaries", f"{job}.json")


def write_summaries(path: Path, summaries: Sequence[JobSummary]) -> None:
    """Write the summaries of a job as JSON; on a disk error, log it: the end of the sweep reports the missing file.

    Args:
        path: what ``summary_file`` returned.
        summaries: of its classifiers.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(summary) for summary in summaries], indent=1))
    except OSError as error:
        names = ", ".join(summary.classifier for summary in summaries)
        logger.error("the summary of %s cannot be written: %s", names, error)

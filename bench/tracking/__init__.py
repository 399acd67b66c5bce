"""Live figures of a sweep, sent to where a team watches them; a tracker never blocks or fails a sweep."""

from bench.configs import TrackerConfig
from bench.tracking.open import check_tracker, open_tracker
from bench.tracking.redact import redact, redact_override
from bench.tracking.tracker import Run, Tracker

__all__ = ["Run", "Tracker", "TrackerConfig", "check_tracker", "open_tracker", "redact", "redact_override"]

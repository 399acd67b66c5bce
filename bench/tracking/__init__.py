"""Live figures of a sweep, sent to where a team watches them; a tracker never blocks or fails a sweep."""

from bench.tracking.open import TRACKERS, TrackerConfig, check_tracker, open_tracker
from bench.tracking.redact import redact
from bench.tracking.tracker import Run, Tracker

__all__ = ["TRACKERS", "Run", "Tracker", "TrackerConfig", "check_tracker", "open_tracker", "redact"]

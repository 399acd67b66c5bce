"""What a user can ask for: one task, one module. What tasks share is in ``bench.tasks.support``."""

from typing import Protocol

from omegaconf import DictConfig


class Task(Protocol):
    """A task module: ``run``, and ``check`` if something can be refused before any work."""

    def check(self, config: DictConfig) -> None:
        """Raise ConfigurationError for what cannot be run."""

    def run(self, config: DictConfig) -> None:
        """Read the settings, call the library, say what was written."""

"""What a user can ask for: one task, one module."""

from typing import Protocol

from omegaconf import DictConfig


class Task(Protocol):
    """A task module: ``run``, and ``check`` where something can be refused before any work."""

    def check(self, config: DictConfig) -> None:
        """Raise ConfigurationError for what cannot be run."""

    def run(self, config: DictConfig) -> None:
        """Do it."""

"""The command of this run, for provenance."""

from hydra.core.hydra_config import HydraConfig

from bench.tracking import redact_override


def command_line() -> str:
    """The command with its overrides, without secrets."""
    return " ".join(["snowwolf", *map(redact_override, HydraConfig.get().overrides.task)])

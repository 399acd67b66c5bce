"""What an attack costs, roughly: for progress bars, nothing else."""

from bench.attacks.spec import AttackSpec


def expected_passes(spec: AttackSpec) -> int:
    """Forward passes that an image costs which no search breaks early; the clean check and the result included."""
    return 2 + spec.restarts * spec.declaration.passes(spec.parameters)

"""What an attack costs, roughly: for progress bars, nothing else."""

from bench.attacks.autoattack import AutoAttackSettings
from bench.attacks.one_pixel import OnePixelSettings
from bench.attacks.spec import AttackSpec, build_foolbox, own_settings

GRADIENT = 3
"""Forward passes that one forward and backward pass cost."""


def expected_passes(spec: AttackSpec) -> int:
    """Forward passes that an image costs which no search breaks early; the clean check and the result included."""
    if not spec.declaration.is_own:
        search = _foolbox_passes(spec)
    else:
        settings = own_settings(spec)
        if isinstance(settings, OnePixelSettings):
            search = settings.population * (settings.generations + 1)
        elif isinstance(settings, AutoAttackSettings):
            search = _cascade_passes(settings)
        else:
            search = settings.queries
    return 2 + spec.restarts * search


def _cascade_passes(settings: AutoAttackSettings) -> int:
    descent = GRADIENT * settings.steps
    costs = {
        "apgd-ce": descent,
        "apgd-t": descent * settings.target_classes,
        "fab-t": descent * settings.target_classes,
        "square": settings.queries,
    }
    return sum(costs[stage] for stage in settings.stages)


def _foolbox_passes(spec: AttackSpec) -> int:
    attack = build_foolbox(spec)
    if spec.name == "hop_skip_jump":
        # The paper's schedule: initial evaluations grow with the square root of the step.
        most, first = getattr(attack, "max_gradient_eval_steps", 0), getattr(attack, "initial_gradient_eval_steps", 0)
        return sum(min(most, int(first * step**0.5)) + 25 for step in range(1, getattr(attack, "steps", 1) + 1))
    if spec.name == "boundary":
        return 2 * int(getattr(attack, "steps", 1))
    if spec.declaration.control:
        return 1
    return GRADIENT * int(getattr(attack, "steps", 1)) * int(getattr(attack, "binary_search_steps", 1))

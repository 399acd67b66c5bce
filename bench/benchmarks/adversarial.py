"""What the attack benchmarks share: epsilons as fractions of 255, and outcomes from an attack's result."""

import math
from collections.abc import Sequence

from torch import nn

from bench.attacks import AttackResult, AttackSpec, run_attack
from bench.attacks.options import parse_number
from bench.benchmarks.base import Batch
from bench.errors import ConfigurationError, DataError
from bench.records import Condition, Outcomes
from bench.seeding import derive_seed


def parse_epsilon(value: str | float) -> float:
    """An epsilon in [0,1] pixel units from a number or a fraction such as ``"4/255"``.

    Raises:
        ConfigurationError: neither, or negative.
    """
    try:
        epsilon = parse_number(value)
    except ValueError as error:
        raise ConfigurationError(f"epsilon {value!r} is not a number or a fraction such as 4/255") from error
    if not 0 <= epsilon < math.inf:
        raise ConfigurationError(f"epsilon {value!r} is negative or not finite")
    return epsilon


def parse_epsilons(attack: AttackSpec, epsilons: Sequence[str | float]) -> list[float]:
    """Radii for ``attack``, each checked against its norm.

    Raises:
        ConfigurationError: not a number, or a radius that cannot be meant, such as 8 in Linf for 8/255.
    """
    radii = [parse_epsilon(epsilon) for epsilon in epsilons]
    for radius in radii:
        attack.check_epsilon(radius)
    return radii


def attack_batch(
    classifier: nn.Module, batch: Batch, attack: AttackSpec, condition: Condition, *, seed: int
) -> AttackResult:
    """The attack on each image, with the seeds that its outcomes in the store come from.

    Raises:
        DataError: images with several right classes.
    """
    refuse_several_labels(batch)
    seeds = [derive_seed(seed, condition.key, str(image_id)) for image_id in batch.image_ids]
    return run_attack(classifier, batch.pixels(), batch.labels, attack, condition.strength, seeds=seeds)


def refuse_several_labels(batch: Batch) -> None:
    """Refuse images with several right classes: an attack that moves a decision to another of them has not succeeded.

    Raises:
        DataError: see above.
    """
    if batch.accepted is not None:
        raise DataError("these images have several right classes each, and attacks are defined for one: leave them out")


def attack_outcomes(
    classifier: nn.Module, batch: Batch, attack: AttackSpec, condition: Condition, *, seed: int
) -> Outcomes:
    """The decision on each image's adversarial.

    Returns:
        Outcomes with ``distance`` (in the attack's norm), ``success``, ``queries``, ``zero_gradient`` and ``stage``
        (what broke the image) beside them.
    """
    result = attack_batch(classifier, batch, attack, condition, seed=seed)
    return Outcomes(
        image_id=batch.image_ids,
        label=batch.labels.cpu().numpy(),
        prediction=result.prediction,
        confidence=result.confidence,
        extra={
            "distance": result.distance,
            "success": result.success,
            "queries": result.queries,
            "zero_gradient": result.zero_gradient,
            "stage": result.stage,
        },
    )

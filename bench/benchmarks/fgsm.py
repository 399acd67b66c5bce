"""Fast gradient sign method (Goodfellow et al. 2015): ``x + epsilon * sign(gradient)``, clipped to [0,1]."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from bench.attacks import AttackSpec
from bench.benchmarks.adversarial import attack_outcomes, epsilon_conditions
from bench.benchmarks.base import Batch, Benchmark
from bench.records import Condition, Outcomes


@dataclass(frozen=True, kw_only=True)
class FGSM(Benchmark):
    """One Linf step along the sign of the cross-entropy's gradient.

    Args:
        epsilons: radii in [0,1] pixel units; fractions such as ``4/255`` are welcome.
    """

    epsilons: tuple[Any, ...]

    name = "fgsm"
    version = "1"
    strength_unit = "epsilon"
    condition_fields = ("epsilons",)

    def __post_init__(self) -> None:
        self.conditions()

    def conditions(self) -> tuple[Condition, ...]:
        """One condition an epsilon."""
        return epsilon_conditions(self.name, self.epsilons)

    @property
    def passes(self) -> int:
        """Clean check, gradient, result."""
        return 5

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward and backward pass, and a forward pass on the result."""
        return attack_outcomes(classifier, batch, AttackSpec("fgsm"), condition, seed=seed)

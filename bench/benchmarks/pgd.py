"""Projected gradient descent (Madry et al. 2018) in the Linf ball."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from bench.attacks import AttackSpec
from bench.benchmarks.adversarial import attack_outcomes, epsilon_conditions
from bench.benchmarks.base import Batch, Benchmark
from bench.errors import ConfigurationError
from bench.records import Condition, Outcomes


@dataclass(frozen=True, kw_only=True)
class PGD(Benchmark):
    """Signed gradient steps from a random start, projected onto the ball and [0,1].

    Args:
        epsilons: radii in [0,1] pixel units; fractions such as ``4/255`` are welcome.
        steps: gradient steps.
        relative_step_size: step size as a share of epsilon.
    """

    epsilons: tuple[Any, ...]
    steps: int
    relative_step_size: float

    name = "pgd"
    version = "1"
    strength_unit = "epsilon"
    condition_fields = ("epsilons",)

    def __post_init__(self) -> None:
        self.conditions()
        if self.steps < 1 or self.relative_step_size <= 0:
            raise ConfigurationError("pgd takes at least one step of a size above 0")

    def conditions(self) -> tuple[Condition, ...]:
        """One condition an epsilon."""
        return epsilon_conditions(self.name, self.epsilons)

    @property
    def passes(self) -> int:
        """Clean check, a gradient a step, result; less where images leave early."""
        return 2 + 3 * self.steps

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """``steps`` forward and backward passes, and a forward pass on the result."""
        options = {"steps": self.steps, "rel_stepsize": self.relative_step_size}
        return attack_outcomes(classifier, batch, AttackSpec("pgd_linf", options), condition, seed=seed)

"""Any attack as a benchmark: FGSM, PGD, one-pixel, AutoAttack, ... differ only in their yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from bench.attacks import AttackSpec
from bench.attacks.budget import expected_passes
from bench.benchmarks.adversarial import attack_outcomes, parse_epsilons
from bench.benchmarks.base import Batch, Benchmark
from bench.benchmarks.metric import HIGHER, Metric, correct_at_largest_strength
from bench.records import Condition, Outcomes, Parameter, RunSpec, ThreatModel


def _published_as(spec: RunSpec) -> str:
    """RobustBench's figure, of AutoAttack as its authors run it: ``autoattack_linf_4/255``."""
    if spec.parameters.get("attack") != "autoattack" or spec.departure:
        return ""
    norm, radius = str(spec.parameters.get("norm")), spec.condition.strength
    return f"autoattack_{norm}_{radius * 255:.4g}/255" if norm == "linf" else f"autoattack_{norm}_{radius:.4g}"


@dataclass(frozen=True, kw_only=True)
class Attack(Benchmark):
    """An attack of ``bench.attacks`` within balls of given sizes.

    Args:
        attack: short name (``pgd_linf``), one of our own (``one_pixel``), or foolbox's class name.
        epsilons: radii in [0,1] pixel units of the attack's norm, fractions such as ``4/255`` welcome; of one-pixel,
            how many pixels may change. An attack that seeks the smallest perturbation runs once, within the largest:
            its distances answer for every smaller one.
        options: keyword arguments of the attack, such as ``steps``.
        norm: for attacks that leave it open (AutoAttack: ``linf`` or ``l2``); null for the attack's own.
        restarts: independent runs, each on what survived the ones before.
        target: ``random``, ``next`` or ``least_likely`` class to reach; empty for an untargeted attack.
    """

    attack: str
    epsilons: tuple[Any, ...]
    options: dict[str, Any]
    norm: str | None
    restarts: int
    target: str

    name = "attack"
    version = "1"
    axis = "Attacks"
    strength_unit = "epsilon"
    metrics = (
        Metric(
            "robust_accuracy",
            "robust accuracy",
            HIGHER,
            correct_at_largest_strength,
            always=True,
            at_largest_strength=True,
            under_shift=True,
            note="Robust accuracy counts all images; one that was wrong without an attack is not robust.",
            published_as=_published_as,
        ),
    )
    several = True
    entry_titles = {"fgsm": "FGSM", "pgd": "PGD", "one_pixel": "One-pixel"}  # noqa: RUF012  # a constant
    needs_clean = True
    condition_fields = ("epsilons",)

    def __post_init__(self) -> None:
        self.conditions()

    @property
    def spec(self) -> AttackSpec:
        """The attack, checked.

        Raises:
            ConfigurationError: an unknown attack, option, norm or target, with the nearest valid names.
        """
        return AttackSpec(self.attack, self.options, norm=self.norm, restarts=self.restarts, target=self.target)

    @property
    def default_entry(self) -> str:
        """The attack's own name: ``pgd_linf``."""
        return self.spec.name

    def conditions(self) -> tuple[Condition, ...]:
        """One condition an epsilon; of a minimal-norm attack the largest alone.

        Raises:
            ConfigurationError: as ``spec``; an epsilon that is no number or cannot be meant, such as 8 for 8/255.
        """
        spec = self.spec
        conditions = tuple(Condition(spec.name, radius) for radius in parse_epsilons(spec, self.epsilons))
        return (max(conditions),) if spec.minimal_norm and conditions else conditions

    def unit(self, condition: Condition) -> str:
        """``epsilon``, or what the norm counts: changed ``pixels`` or ``values``."""
        del condition
        return {"pixels": "pixels", "l0": "values"}.get(self.spec.epsilon_norm, self.strength_unit)

    def parameters(self) -> Mapping[str, Parameter]:
        """The attack by its one name, with every option, the norm, and whether distances are minimal.

        Reports read them; however an attack is written, equal attacks have equal parameters.
        """
        spec = self.spec
        return {
            "attack": spec.name,
            "options": dict(spec.identity),
            "norm": spec.epsilon_norm,
            "minimal_norm": spec.minimal_norm,
            "restarts": spec.restarts,
            "target": spec.target,
        }

    @classmethod
    def budget(cls, parameters: Mapping[str, Parameter]) -> Mapping[str, Parameter]:
        """The attack's options."""
        options = parameters.get("options")
        return options if isinstance(options, Mapping) else {}

    @property
    def threat(self) -> ThreatModel:
        """The attack's."""
        return self.spec.threat

    @property
    def departure(self) -> str:
        """Of AutoAttack: ``reduced: queries 50 of 5000``."""
        return self.spec.departure

    @property
    def passes(self) -> int:
        """Of an image that withstands the attack."""
        return expected_passes(self.spec)

    def check_without_gradient(self, classifier: str) -> None:
        """Refuse it to attacks that follow a gradient."""
        self.spec.check_without_gradient(classifier)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """The attack on every image that is classified correctly."""
        return attack_outcomes(classifier, batch, self.spec, condition, seed=seed)

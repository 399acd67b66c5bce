"""Attacks by name: every foolbox attack and our own, with their parameters checked before any work."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import foolbox.attacks as fa
from foolbox.attacks.base import Attack, AttackWithDistance, FixedEpsilonAttack, FlexibleDistanceMinimizationAttack
from foolbox.attacks.fast_gradient_method import L1FastGradientAttack, L2FastGradientAttack, LinfFastGradientAttack
from foolbox.attacks.gradient_descent_base import BaseGradientDescent
from foolbox.attacks.sparse_l1_descent_attack import SparseL1DescentAttack
from foolbox.distances import LpDistance, l0, l1, l2, linf

from bench.attacks.autoattack import AutoAttackSettings
from bench.attacks.fmn import ProjectedL2FMNAttack
from bench.attacks.one_pixel import OnePixelSettings
from bench.attacks.square import SquareSettings
from bench.errors import ConfigurationError, nearest_names
from bench.records import Parameter

ALIASES: Mapping[str, str] = {
    "fgsm": "LinfFastGradientAttack",  # Goodfellow et al. 2015
    "fgm_l2": "L2FastGradientAttack",
    "pgd_linf": "LinfProjectedGradientDescentAttack",  # Madry et al. 2018
    "pgd_l2": "L2ProjectedGradientDescentAttack",
    "pgd_l1": "L1ProjectedGradientDescentAttack",
    "bim_linf": "LinfBasicIterativeAttack",  # Kurakin et al. 2017
    "bim_l2": "L2BasicIterativeAttack",
    "mi_fgsm": "LinfMomentumIterativeFastGradientMethod",  # Dong et al. 2018
    "deepfool_l2": "L2DeepFoolAttack",  # Moosavi-Dezfooli et al. 2016
    "deepfool_linf": "LinfDeepFoolAttack",
    "cw_l2": "L2CarliniWagnerAttack",  # Carlini & Wagner 2017
    "ddn": "DDNAttack",  # Rony et al. 2019
    "fmn_l2": "ProjectedL2FMNAttack",  # Pintor et al. 2021
    "fmn_linf": "LInfFMNAttack",
    "hop_skip_jump": "HopSkipJumpAttack",  # Chen et al. 2020
    "boundary": "BoundaryAttack",  # Brendel et al. 2018
    "noise_linf": "LinfAdditiveUniformNoiseAttack",  # the control every attack must beat
}
"""The field's short names for foolbox's classes."""

OwnSettings = OnePixelSettings | SquareSettings | AutoAttackSettings

_OWN: Mapping[str, tuple[type[OwnSettings], tuple[str, ...]]] = {
    "one_pixel": (OnePixelSettings, ("pixels",)),
    "square": (SquareSettings, ("linf",)),
    "autoattack": (AutoAttackSettings, ("linf", "l2")),
}
OWN = tuple(_OWN)
"""Attacks this package implements or wraps itself."""

TARGETS = ("random", "next", "least_likely")
"""How a targeted attack chooses each image's target class."""

_UNUSABLE = {
    "Attack": "it is an abstract class",
    "DatasetAttack": "it needs other images to be fed in, which a configuration cannot give",
    "SpatialAttack": "it rotates and shifts, and so has no perturbation norm to bound",
    "L2FMNAttack": "foolbox's L2 projection divides the norm by itself and never projects; use fmn_l2",
    "BinarizationRefinementAttack": "it only refines another attack's result",
}
_NORM_OF = {0: "l0", 1: "l1", 2: "l2", float("inf"): "linf"}
_DISTANCE_OF: Mapping[str, LpDistance] = {"l0": l0, "l1": l1, "l2": l2, "linf": linf}
_FAST_GRADIENT = (LinfFastGradientAttack, L2FastGradientAttack, L1FastGradientAttack)


def _foolbox_classes() -> dict[str, type[Attack]]:
    return {
        value.__name__: value
        for value in (*vars(fa).values(), ProjectedL2FMNAttack)
        if inspect.isclass(value) and issubclass(value, Attack) and value.__name__ not in _UNUSABLE
    }


def attack_names() -> list[str]:
    """Every name an ``AttackSpec`` takes: short names, our own attacks, foolbox's classes."""
    return sorted({*ALIASES, *OWN, *_foolbox_classes()})


@dataclass(frozen=True)
class AttackSpec:
    """Which attack, and with what parameters; epsilon is given with the images."""

    name: str
    """A name from ``attack_names()``."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """Keyword arguments of the attack's constructor, e.g. ``{"steps": 40, "abs_stepsize": 0.002}``."""
    norm: str | None = None
    """Norm of epsilon, for attacks that leave it open (pointwise, blended noise, AutoAttack: linf or l2)."""
    restarts: int = 1
    """Independent runs; each later one is spent on the images that survived (minimal-norm: all, the closest wins)."""
    target: str = ""
    """How targets are chosen, one of ``TARGETS``; empty for an untargeted attack."""
    active_set: bool = True
    """Gradient descent attacks: let each image leave at the first step it is adversarial. Off: foolbox's own loop."""

    def __post_init__(self) -> None:
        if self.restarts < 1:
            raise ConfigurationError(f"attack {self.name!r}: restarts must be at least 1, got {self.restarts}")
        if self.target and self.target not in TARGETS:
            raise ConfigurationError(
                f"attack {self.name!r}: unknown target {self.target!r}; {nearest_names(self.target, TARGETS)}"
            )
        if self.name in OWN:
            own_settings(self)
            own_norm(self)
            return
        attack = build_foolbox(self)
        if self.target and isinstance(attack, _FAST_GRADIENT):
            raise ConfigurationError(
                f"attack {self.name!r} is untargeted in foolbox; use bim_linf with steps: 1, rel_stepsize: 1"
            )
        norm_of(attack, self)

    @property
    def epsilon_norm(self) -> str:
        """Norm that epsilon is measured in: ``linf``, ``l2``, ``l1``, ``l0`` or ``pixels``."""
        return own_norm(self) if self.name in OWN else norm_of(build_foolbox(self), self)

    @property
    def minimal_norm(self) -> bool:
        """Whether one run answers every epsilon: it seeks the smallest perturbation."""
        return self.name not in OWN and not isinstance(build_foolbox(self), FixedEpsilonAttack)


def foolbox_class(name: str) -> type[Attack]:
    """The foolbox class behind a short or class name.

    Raises:
        ConfigurationError: no such attack, or one that cannot be run by configuration.
    """
    if name in _UNUSABLE:
        raise ConfigurationError(f"attack {name!r} cannot be run by name: {_UNUSABLE[name]}")
    classes = _foolbox_classes()
    resolved = ALIASES.get(name, name)
    if resolved not in classes:
        raise ConfigurationError(f"unknown attack {name!r}; {nearest_names(name, attack_names())}")
    return classes[resolved]


def build_foolbox(spec: AttackSpec) -> AttackWithDistance:
    """The configured foolbox attack.

    Raises:
        ConfigurationError: unknown attack or parameter, or a norm where the attack fixes its own.
    """
    cls = foolbox_class(spec.name)
    check_parameters(spec, set(inspect.signature(cls.__init__).parameters) - {"self"})
    arguments: dict[str, Any] = dict(spec.parameters)
    try:
        attack = cls(**arguments)
    except (TypeError, ValueError, AssertionError) as error:
        raise ConfigurationError(f"attack {spec.name!r} refuses parameters {arguments}: {error}") from error
    assert isinstance(attack, AttackWithDistance)
    if isinstance(attack, FlexibleDistanceMinimizationAttack):
        if spec.norm is None or spec.norm not in _DISTANCE_OF:
            raise ConfigurationError(
                f"attack {spec.name!r} leaves its norm open: set norm to one of {', '.join(_DISTANCE_OF)}"
            )
        attack._distance = _DISTANCE_OF[spec.norm]  # some of these attacks do not pass distance= on
    return attack


def check_parameters(spec: AttackSpec, valid: set[str]) -> None:
    """Refuse parameters the attack does not take.

    Raises:
        ConfigurationError: an unknown parameter, with the nearest valid names.
    """
    for parameter in spec.parameters:
        if parameter not in valid - {"distance", "init_attack", "tensorboard"}:
            raise ConfigurationError(
                f"attack {spec.name!r} has no parameter {parameter!r}; {nearest_names(parameter, valid)}"
            )


def norm_of(attack: AttackWithDistance, spec: AttackSpec) -> str:
    """Norm in which the attack's perturbation is measured.

    Raises:
        ConfigurationError: ``spec.norm`` names another one.
    """
    distance = attack.distance
    assert isinstance(distance, LpDistance)
    norm = _NORM_OF[distance.p]
    if spec.norm not in (None, norm):
        raise ConfigurationError(f"attack {spec.name!r} measures in {norm}, not {spec.norm}; leave norm out")
    return norm


def own_settings(spec: AttackSpec) -> OwnSettings:
    """The budget of one of our own attacks.

    Raises:
        ConfigurationError: a parameter it does not take.
    """
    cls = _OWN[spec.name][0]
    check_parameters(spec, {entry.name for entry in fields(cls)})
    arguments: dict[str, Any] = dict(spec.parameters)
    return cls(**arguments)


def own_norm(spec: AttackSpec) -> str:
    """Norm of one of our own attacks, its first where ``spec.norm`` is left out.

    Raises:
        ConfigurationError: a norm it does not have.
    """
    norms = _OWN[spec.name][1]
    if spec.norm not in (None, *norms):
        raise ConfigurationError(f"attack {spec.name!r} measures in {' or '.join(norms)}, not {spec.norm}")
    return spec.norm or norms[0]


def is_gradient_descent(attack: Attack) -> bool:
    """Whether the attack is one of foolbox's fixed-step gradient descents, which the active set can run."""
    # Sparse L1 descent's projection looks at the whole batch, so an image's outcome would depend on its neighbours.
    return isinstance(attack, BaseGradientDescent) and not isinstance(attack, SparseL1DescentAttack)

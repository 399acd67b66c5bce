"""Attacks by name: every foolbox attack and our own, with their options checked before any work."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import foolbox.attacks as fa
from foolbox.attacks.base import Attack, AttackWithDistance, FlexibleDistanceMinimizationAttack
from foolbox.attacks.gradient_descent_base import BaseGradientDescent
from foolbox.distances import LpDistance, l0, l1, l2, linf

from bench.attacks.catalogue import ATTACKS
from bench.attacks.declaration import DECISIONS, SCORES, SEES_GRADIENT, TARGETED, UNTARGETED, Declaration
from bench.errors import ConfigurationError, nearest_names
from bench.records import Parameter, ThreatModel

TARGETS = ("random", "next", "least_likely")
"""How a targeted attack chooses each image's target class."""

_UNUSABLE = {
    "Attack": "it is an abstract class",
    "DatasetAttack": "it needs other images to be fed in, which a configuration cannot give",
    "SpatialAttack": "it rotates and shifts, and so has no perturbation norm to bound",
    "L2FMNAttack": "foolbox's L2 projection divides the norm by itself and never projects; use fmn_l2",
    "BinarizationRefinementAttack": "it only refines another attack's result",
}
_DISTANCES: Mapping[str, LpDistance] = {"l0": l0, "l1": l1, "l2": l2, "linf": linf}

_ORDINARY_CROP = 3 * 224 * 224
# Values of the usual crop, for bounds on epsilon before the images are known; the images' own count is checked later.


def attack_names() -> list[str]:
    """Every name an ``AttackSpec`` takes: short names, our own attacks, foolbox's classes."""
    return sorted({*ATTACKS, *_full_names()})


def _full_names() -> dict[str, str]:
    """Name of foolbox's class -> the one name of the attack."""
    return {declared.build.__name__: name for name, declared in ATTACKS.items() if not declared.is_own}


def canonical_name(name: str) -> str:
    """The one name of an attack that has several: ``pgd_linf`` for ``LinfProjectedGradientDescentAttack``.

    Raises:
        ConfigurationError: no such attack, or one that cannot be run by configuration.
    """
    if name in _UNUSABLE:
        raise ConfigurationError(f"attack {name!r} cannot be run by name: {_UNUSABLE[name]}")
    if name in ATTACKS:
        return name
    if name not in _full_names():
        raise ConfigurationError(f"unknown attack {name!r}; {nearest_names(name, attack_names())}")
    return _full_names()[name]


@dataclass(frozen=True)
class AttackSpec:
    """Which attack, and with what options; epsilon is given with the images."""

    name: str
    """A name from ``attack_names()``; kept as the canonical one."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """Options, e.g. ``{"steps": 40, "abs_stepsize": 0.002}``; kept with the attack's own defaults filled in, so that
    equal attacks are equal specs."""
    norm: str | None = None
    """Norm of epsilon, for attacks that leave it open (pointwise, blended noise, AutoAttack: linf or l2)."""
    restarts: int = 1
    """Number of runs with different seeds. Runs after the first attack only the images not broken yet; minimal-norm
    attacks repeat all images and keep the smallest distance."""
    target: str = ""
    """How targets are chosen, one of ``TARGETS``; empty for an untargeted attack."""
    active_set: bool = True
    """Gradient descent attacks: let each image leave at the first step it is adversarial. Off: foolbox's own loop."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", canonical_name(self.name))
        object.__setattr__(self, "parameters", _read_options(self.name, self.parameters))
        if isinstance(self.restarts, bool) or self.restarts < 1:
            raise ConfigurationError(f"attack {self.name!r}: restarts must be at least 1, got {self.restarts}")
        self._check_target()
        _ = self.epsilon_norm

    def _check_target(self) -> None:
        if self.target and self.target not in TARGETS:
            raise ConfigurationError(
                f"attack {self.name!r}: unknown target {self.target!r}; {nearest_names(self.target, TARGETS)}"
            )
        if self.target and self.declaration.goal == UNTARGETED:
            instead = "; use bim_linf with steps: 1, rel_stepsize: 1" if self.declaration.single_step else ""
            raise ConfigurationError(f"attack {self.name!r} is untargeted: leave target out{instead}")
        if not self.target and self.declaration.goal == TARGETED:
            raise ConfigurationError(f"attack {self.name!r} needs a target: {', '.join(TARGETS)}")

    @property
    def declaration(self) -> Declaration:
        """What is known of the attack."""
        return ATTACKS[self.name]

    @property
    def epsilon_norm(self) -> str:
        """Norm that epsilon is measured in: ``linf``, ``l2``, ``l1``, ``l0`` or ``pixels``.

        Raises:
            ConfigurationError: ``norm`` is one that the attack does not have, or is needed.
        """
        declared = self.declaration
        default = str(self.parameters[declared.norm_option]) if declared.norm_option else declared.norms[0]
        if self.norm is None and declared.norm_must_be_chosen:
            raise ConfigurationError(
                f"attack {self.name!r} leaves its norm open: set norm to one of {', '.join(declared.norms)}"
            )
        if self.norm not in (None, *([default] if declared.norm_option else declared.norms)):
            instead = f"set options.{declared.norm_option}" if declared.norm_option else "leave norm out"
            norms = default if declared.norm_option else " or ".join(declared.norms)
            raise ConfigurationError(f"attack {self.name!r} measures in {norms}, not {self.norm}; {instead}")
        return self.norm or default

    @property
    def minimal_norm(self) -> bool:
        """Whether one run answers every epsilon: it seeks the smallest perturbation."""
        return self.declaration.minimal_norm

    @property
    def access(self) -> str:
        """What it sees of the classifier; of a cascade, with the stages it has."""
        return self.declaration.access_with(self.parameters)

    def check_without_gradient(self, classifier: str) -> None:
        """Refuse a classifier without a gradient, where the attack follows one.

        Args:
            classifier: its name, for the message.

        Raises:
            ConfigurationError: naming the black-box attacks of the same norm, which work.
        """
        if self.access not in SEES_GRADIENT:
            return
        black_box = {
            name: item for name, item in ATTACKS.items() if item.access in (SCORES, DECISIONS) and name.islower()
        }  # foolbox's others are named by their classes
        alike = [name for name, item in black_box.items() if self.epsilon_norm in item.norms and not item.control]
        raise ConfigurationError(
            f"attack {self.name!r} follows the gradient, and {classifier} has none: it runs forward passes alone. Of"
            f" the black-box attacks, these work in {self.epsilon_norm}: {', '.join(sorted(alike)) or 'none'}; in other"
            f" norms: {', '.join(sorted(black_box.keys() - set(alike)))}"
        )

    @property
    def threat(self) -> ThreatModel:
        """What a cell's identity says of the attack, for reports."""
        declared = self.declaration
        alike = {name: value for name, value in self.identity.items() if name not in declared.step_options}
        facts = [self.name, alike, self.epsilon_norm, self.restarts, self.target]
        return ThreatModel(
            norm=self.epsilon_norm,
            access=self.access,
            minimal_norm=self.minimal_norm,
            targeted=bool(self.target),
            control=declared.control,
            single_step=declared.single_step,
            stops_at_success=declared.stops_at_success,
            cascade=declared.cascade is not None,
            steps=int(str(self.parameters.get("steps", 0))),
            family=hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16],
        )

    @property
    def identity(self) -> Mapping[str, Parameter]:
        """The options that outcomes may depend on."""
        options = self.declaration.options
        return {name: value for name, value in self.parameters.items() if options[name].changes_outcomes}

    @property
    def departure(self) -> str:
        """How the attack departs from its published standard, in words; empty where it is that, or none exists.

        ``reduced: queries 50 of 5000`` where anything is less than the standard, ``custom: steps 200 of 100`` where
        it is only otherwise.
        """
        if not self.declaration.has_standard:
            return ""
        standard = _read_options(self.name, {})
        differing = {name: value for name, value in self.parameters.items() if value != standard[name]}
        words = [_departure(name, value, standard[name]) for name, value in differing.items()]
        words += [f"restarts {self.restarts} of 1"] if self.restarts > 1 else []
        reduced = any(_is_less(value, standard[name]) for name, value in differing.items())
        return f"{'reduced' if reduced else 'custom'}: {', '.join(words)}" if words else ""

    def check_epsilon(self, epsilon: float, n_values: int = _ORDINARY_CROP) -> None:
        """Refuse a radius that cannot be meant.

        Args:
            epsilon: radius in [0,1] pixel units of the attack's norm.
            n_values: values of an image; beyond half the distance between black and white, any image can be made flat
                grey, so that nothing is measured.

        Raises:
            ConfigurationError: too large, negative, or of one-pixel and L0 not whole.
        """
        norm = self.epsilon_norm
        if not 0 <= epsilon < math.inf:
            raise ConfigurationError(f"attack {self.name!r}: epsilon {epsilon:g} is negative or not finite")
        if norm in ("pixels", "l0") and epsilon != int(epsilon):
            what = "pixels" if norm == "pixels" else "values"
            raise ConfigurationError(f"attack {self.name!r}: epsilon is how many {what} may change, got {epsilon:g}")
        largest = largest_epsilon(norm, n_values)
        if epsilon > largest:
            hint = f": write {epsilon:g}/255 for {epsilon:g} grey levels" if norm in ("linf", "l2") else ""
            raise ConfigurationError(
                f"attack {self.name!r}: epsilon {epsilon:g} is beyond {largest:.6g}, the most that makes sense in"
                f" {norm} on pixels in [0,1]{hint}"
            )


def largest_epsilon(norm: str, n_values: int) -> float:
    """The radius from which on nothing is measured: in Linf the pixel range; else what makes any image flat grey.

    Args:
        norm: of epsilon.
        n_values: values of an image, ``3 * H * W``.
    """
    sizes = {"linf": 1.0, "l2": math.sqrt(n_values) / 2, "l1": n_values / 2, "l0": n_values, "pixels": n_values // 3}
    return float(sizes[norm])


def _read_options(name: str, given: Mapping[str, Any]) -> dict[str, Parameter]:
    """Every option of an attack: those given, checked, and its own defaults for the others.

    Raises:
        ConfigurationError: an unknown option, one of the wrong type or out of range, or one that is needed.
    """
    declared = ATTACKS[name]
    for option in given:
        if option not in declared.options:
            nearest = nearest_names(option, declared.options) or "it has none"
            raise ConfigurationError(f"attack {name!r} has no parameter {option!r}; {nearest}")
    defaults = declared.defaults
    values = {**defaults, **given}
    read = {}
    for option, option_type in declared.options.items():
        by_default = f" (by default {_plain(defaults[option])})" if option in defaults else ""
        if option not in values:
            raise ConfigurationError(f"attack {name!r} needs options.{option}: {option_type.describe()}")
        try:
            read[option] = option_type.read(values[option])
        except ValueError as error:
            raise ConfigurationError(
                f"attack {name!r}: {option} is {option_type.describe()}{by_default}, not {_plain(values[option])}"
            ) from error
    return read


def _plain(value: object) -> str:
    return json.dumps(value, default=str)


def _departure(name: str, value: Parameter, standard: Parameter) -> str:
    if isinstance(value, list):
        return f"{name} {', '.join(map(str, value))}"
    return f"{name} {value} of {standard}"


def _is_less(value: Any, standard: Any) -> bool:
    return bool(set(standard) - set(value)) if isinstance(value, list) else bool(value < standard)


def build_foolbox(spec: AttackSpec) -> AttackWithDistance:
    """The configured foolbox attack.

    Raises:
        ConfigurationError: foolbox refuses the options.
    """
    build: Any = spec.declaration.build
    try:
        attack = build(**spec.parameters)
    except (TypeError, ValueError, AssertionError) as error:
        raise ConfigurationError(f"attack {spec.name!r} refuses parameters {dict(spec.parameters)}: {error}") from error
    assert isinstance(attack, AttackWithDistance)
    if isinstance(attack, FlexibleDistanceMinimizationAttack):
        attack._distance = _DISTANCES[spec.epsilon_norm]  # some of these attacks do not pass distance= on
    return attack


def own_settings(spec: AttackSpec) -> Any:
    """The settings that ``Declaration.search`` takes."""
    arguments = {name: tuple(value) if isinstance(value, list) else value for name, value in spec.parameters.items()}
    return spec.declaration.build(**arguments)


def is_gradient_descent(attack: Attack) -> bool:
    """Whether the attack is one of foolbox's fixed-step gradient descents, which the active set can run."""
    # Sparse L1 descent's projection looks at the whole batch, so an image's outcome would depend on its neighbours.
    return isinstance(attack, BaseGradientDescent) and not isinstance(attack, fa.SparseL1DescentAttack)

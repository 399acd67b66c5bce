"""Every attack that can be named: what it is, what it sees of the classifier, and what its options may be.

The check of options, the identity of cells and the self-checks of reports read this table; none keeps names of its own.
"""

from collections import ChainMap
from collections.abc import Mapping
from typing import Any

from bench.attacks.autoattack import STAGES, AutoAttackSettings, autoattack
from bench.attacks.declaration import (
    GRADIENT,
    GRADIENT_AND_SCORES,
    GRADIENT_PASSES,
    SCORES,
    UNTARGETED,
    Declaration,
)
from bench.attacks.foolbox_attacks import FOOLBOX
from bench.attacks.inputs import AttackInput
from bench.attacks.one_pixel import OnePixelSettings, one_pixel_attack
from bench.attacks.options import (
    COUNT,
    FLAG,
    Option,
)
from bench.attacks.result import Candidates
from bench.attacks.square import SquareSettings, square_attack
from bench.errors import ConfigurationError


def _search_pixels(inputs: AttackInput, epsilon: float, norm: str, settings: OnePixelSettings) -> Candidates:
    del norm
    return one_pixel_attack(inputs, int(epsilon), settings)


def _search_squares(inputs: AttackInput, epsilon: float, norm: str, settings: SquareSettings) -> Candidates:
    del norm
    return square_attack(inputs, epsilon, settings)


def _cascade_passes(options: Mapping[str, Any]) -> int:
    descent = GRADIENT_PASSES * int(options["steps"])
    costs = {
        "apgd-ce": descent,
        "apgd-t": descent * int(options["target_classes"]),
        "fab-t": descent * int(options["target_classes"]),
        "square": int(options["queries"]),
    }
    return sum(costs[stage] for stage in options["stages"])


def _cascade_access(options: Mapping[str, Any]) -> str:
    stages = list(options["stages"])
    if stages == ["square"]:
        return SCORES
    return GRADIENT_AND_SCORES if "square" in stages else GRADIENT


_OWN: Mapping[str, Declaration] = {
    "one_pixel": Declaration(  # Su et al. 2019
        build=OnePixelSettings,
        search=_search_pixels,
        passes=lambda options: int(options["population"]) * (int(options["generations"]) + 1),
        norms=("pixels",),
        access=SCORES,
        stops_at_success=True,
        options={
            "population": Option(kind="integer", low=4),
            "generations": Option(kind="integer", low=0),
            "scale": Option(kind="number", above=0, high=2),  # the usual range of F (Storn & Price 1997)
            "batch_size": Option(kind="integer", low=1, optional=True, changes_outcomes=False),
        },
    ),
    "square": Declaration(  # Andriushchenko et al. 2020
        build=SquareSettings,
        search=_search_squares,
        passes=lambda options: int(options["queries"]),
        norms=("linf",),
        access=SCORES,
        stops_at_success=True,
        options={"queries": COUNT, "p_init": Option(kind="number", above=0, high=1), "rescale": FLAG},
    ),
    "autoattack": Declaration(  # Croce & Hein 2020
        build=AutoAttackSettings,
        search=autoattack,
        passes=_cascade_passes,
        cascade=_cascade_access,
        norms=("linf", "l2"),
        access=GRADIENT_AND_SCORES,
        goal=UNTARGETED,
        has_standard=True,
        options={
            "stages": Option(kind="list", items=Option(kind="choice", choices=STAGES), low=1),
            "steps": COUNT,
            "target_classes": COUNT,
            "queries": COUNT,
        },
    ),
}

_PLUGGED: dict[str, Declaration] = {}
ATTACKS: Mapping[str, Declaration] = ChainMap(_PLUGGED, {**FOOLBOX, **_OWN})
"""Every attack by its one name, plug-ins' too."""


def register_attack(name: str, declared: Declaration) -> None:
    """Make a plug-in's attack known.

    Args:
        name: by which configurations name it.
        declared: what is known of it.

    Raises:
        ConfigurationError: another attack has the name.
    """
    known = ATTACKS.get(name)
    if known is not None and known != declared:
        raise ConfigurationError(f"two attacks are called {name!r}: rename one")
    _PLUGGED[name] = declared

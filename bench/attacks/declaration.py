"""What is known of an attack before it runs: norm, access, goal, options, cost, and what runs it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from bench.attacks.inputs import AttackInput
from bench.attacks.options import Option
from bench.attacks.result import Candidates

Options = Mapping[str, Option]
Search = Callable[[AttackInput, float, str, Any], Candidates]
"""AttackInput, epsilon, norm of epsilon, and the settings that the options fill in -> the images found."""

GRADIENT, SCORES, DECISIONS, NOTHING = "gradient", "scores", "decisions", "nothing"
GRADIENT_AND_SCORES = "gradient and scores"
"""What an attack sees of the classifier. ``gradient`` is white-box; ``scores`` (logits) and ``decisions`` (the class)
are black-box; ``nothing`` never asks it; a cascade may be of both kinds."""

SEES_GRADIENT = (GRADIENT, GRADIENT_AND_SCORES)
"""What cannot be had of a classifier that runs forward passes alone."""

UNTARGETED, EITHER, TARGETED = "untargeted", "either", "targeted"
"""Which goals an attack can have."""

GRADIENT_PASSES = 3
"""Forward passes that one forward and backward pass cost."""

STEP_OPTIONS = frozenset(
    {
        *("steps", "binary_search_steps", "initial_gradient_eval_steps", "max_gradient_eval_steps"),
        *("rel_stepsize", "abs_stepsize", "stepsize", "initial_stepsize", "max_stepsize", "min_stepsize"),
        *("stepsize_search", "spherical_step", "source_step", "source_step_convergance", "step_adaptation"),
    }
)
"""Options that say how many steps are taken and how long they are: the size may go with the number."""


def gradient_steps(options: Mapping[str, Any]) -> int:
    """Forward passes of one search that takes ``steps`` gradient steps, one where no option says how many."""
    return GRADIENT_PASSES * int(options.get("steps", 1)) * int(options.get("binary_search_steps", 1))


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What is known of an attack before it runs."""

    build: type[Any]
    """Foolbox's class, or a dataclass of the settings that ``search`` takes; its keyword arguments are the options."""
    norms: tuple[str, ...]
    """Norms that epsilon may be measured in, the attack's default first."""
    access: str
    """What it sees: ``GRADIENT``, ``SCORES``, ``DECISIONS``, ``NOTHING`` or ``GRADIENT_AND_SCORES``."""
    options: Options
    """Type and range of each option."""
    search: Search | None = None
    """What runs it; None for foolbox's attacks, which run themselves."""
    passes: Callable[[Mapping[str, Any]], int] = gradient_steps
    """Options -> approximate forward passes of one search on an image that is never broken; to estimate time left."""
    minimal_norm: bool = False
    """Whether it looks for the smallest perturbation, so that one run serves every epsilon; else epsilon is a bound."""
    goal: str = EITHER
    """``UNTARGETED``, ``EITHER`` or ``TARGETED``."""
    norm_must_be_chosen: bool = False
    """Whether there is no default among ``norms``."""
    norm_option: str = ""
    """The option that chooses the norm, where an option does."""
    single_step: bool = False
    """Whether it takes one step along the gradient, which may be too long."""
    control: bool = False
    """Whether it is no attack but random noise, which every attack must beat."""
    step_options: frozenset[str] = STEP_OPTIONS
    """Options in which two runs may differ and count as one attack with more or fewer steps; ``steps`` is how many."""
    stops_at_success: bool = False
    """Black-box searches: whether the search of an image ends once it is broken, so that its query count is that of the
    first success."""
    cascade: Callable[[Mapping[str, Any]], str] | None = None
    """Of a cascade of attacks, whose outcomes name the stage that broke an image: options -> what its stages see."""
    has_standard: bool = False
    """Whether its default options are a published standard, which other options must not be called."""

    @property
    def is_own(self) -> bool:
        """Whether this package implements it."""
        return self.search is not None

    def access_with(self, options: Mapping[str, Any]) -> str:
        """What it sees of the classifier; of a cascade, with the stages it has.

        Args:
            options: those left out have their defaults.
        """
        return self.access if self.cascade is None else self.cascade({**self.defaults, **options})

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Option -> the attack's own default; options that must be given are left out."""
        if self.is_own:
            defaults = {entry.name: entry.default for entry in fields(self.build)}
            return {name: value for name, value in defaults.items() if name in self.options and value is not MISSING}
        parameters = inspect.signature(self.build.__init__).parameters
        known = {name: parameters[name].default for name in self.options}
        return {name: value for name, value in known.items() if value is not inspect.Parameter.empty}

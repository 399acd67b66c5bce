"""AutoAttack standard (Croce & Hein 2020, arXiv:2003.01690) on pyautoattack's attacks, seeded image by image."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.attacks.guard import seeded
from bench.attacks.inputs import AttackInput, evaluate
from bench.attacks.result import Candidates, join
from bench.attacks.square import SquareSettings, square_attack
from bench.errors import ConfigurationError

STAGES = ("apgd-ce", "apgd-t", "fab-t", "square")
"""The standard cascade: each stage attacks what the earlier ones left."""

_NORMS = {"linf": "Linf", "l2": "L2"}


@dataclass(frozen=True, kw_only=True)
class AutoAttackSettings:
    """Budget of the cascade; the defaults are AutoAttack standard, and anything else must not be called so."""

    stages: tuple[str, ...] = STAGES
    """Which attacks run, in this order, each once."""
    steps: int = 100
    """Iterations of APGD and FAB."""
    target_classes: int = 9
    """Most likely wrong classes that APGD-T and FAB-T aim at, at most all of them."""
    queries: int = 5000
    """Square's proposals."""


def autoattack(inputs: AttackInput, epsilon: float, norm: str, settings: AutoAttackSettings) -> Candidates:
    """Run the cascade; each image keeps the answer of the first stage that broke it.

    Row ``i`` is what pyautoattack's ``AutoAttack(seed=seeds[i])`` does with that image alone. Survivors keep their
    clean image.

    Args:
        inputs: correctly classified images; untargeted only.
        epsilon: radius of the ball.
        norm: ``linf`` or ``l2``.
        settings: the budget.

    Raises:
        ConfigurationError: pyautoattack is missing, the attack is targeted, the norm is another, or the classifier
            has fewer than four classes (the targeted loss of APGD-T needs four).
    """
    if inputs.targets is not None:
        raise ConfigurationError("autoattack is untargeted; leave target out")
    logits = evaluate(inputs.model, inputs.images)
    if "apgd-t" in settings.stages and logits.shape[1] < 4:
        raise ConfigurationError(
            f"autoattack's targeted loss needs at least 4 classes, got {logits.shape[1]}: leave apgd-t out of"
            " options.stages"
        )
    images, stage = inputs.images.clone(), np.full(len(inputs), "", dtype="<U16")
    queries = torch.ones(len(inputs), dtype=torch.int64)
    for name in settings.stages:
        rows = torch.nonzero(~inputs.is_adversarial(logits)).flatten()
        if not len(rows):
            break
        part = inputs.rows(rows)
        found = _SEARCHES[name](part, epsilon, norm, settings)
        broken = part.is_adversarial(found.logits)
        taken = rows[broken]
        images[taken], logits[taken] = found.images[broken], found.logits[broken]
        stage[taken.cpu().numpy()] = name
        queries[rows.cpu()] += found.queries
    return Candidates(images=images, logits=logits, queries=queries, stage=stage)


def _library() -> Any:
    try:
        import pyautoattack
    except ImportError as error:
        raise ConfigurationError("autoattack needs the package pyautoattack: pip install pyautoattack") from error
    return pyautoattack


def _counted(inputs: AttackInput, run: Callable[[], Tensor]) -> Candidates:
    """Run a stage that shows every image equally often to the classifier, and judge what it returns."""
    before = inputs.model.queries
    images = run().detach()
    logits = evaluate(inputs.model, images)
    spent = math.ceil((inputs.model.queries - before) / len(inputs))
    return Candidates(images=images, logits=logits, queries=torch.full((len(inputs),), spent))


def _over_targets(inputs: AttackInput, n_targets: int, run: Callable[[AttackInput, Tensor, int], Tensor]) -> Candidates:
    """One run for each of the most likely wrong classes, on the images still standing.

    Args:
        inputs: images to attack.
        n_targets: how many classes.
        run: the images standing, their rows in ``inputs``, and the target's place in the ranking (2 is the runner-up)
            to candidate images.
    """
    images, logits = inputs.images.clone(), evaluate(inputs.model, inputs.images)
    queries = torch.ones(len(inputs), dtype=torch.int64)
    for place in range(2, n_targets + 2):
        rows = torch.nonzero(~inputs.is_adversarial(logits)).flatten()
        if not len(rows):
            break
        part = inputs.rows(rows)
        found = _counted(part, partial(run, part, rows, place))
        images[rows], logits[rows] = found.images, found.logits
        queries[rows.cpu()] += found.queries
    return Candidates(images=images, logits=logits, queries=queries)


def _apgd(inputs: AttackInput, epsilon: float, norm: str, steps: int, *, targeted: bool) -> Any:
    base = _library().autopgd_base
    cls = base.APGDAttack_targeted if targeted else base.APGDAttack
    logger = logging.getLogger("auto-attack")
    attack = cls(
        inputs.model, n_iter=steps, norm=_NORMS[norm], eps=epsilon, seed=0, device=inputs.images.device, logger=logger
    )
    attack.init_hyperparam(inputs.images)
    return attack


def _starts(attack: Any, inputs: AttackInput, epsilon: float, generators: list[torch.Generator]) -> Tensor:
    """APGD's random start, drawn for each image from its own generator."""
    shape = inputs.images.shape[1:]
    if attack.norm == "Linf":
        noise = torch.stack([2 * torch.rand(shape, generator=source) - 1 for source in generators])
    else:
        noise = torch.stack([torch.randn(shape, generator=source) for source in generators])
    start: Tensor = inputs.images + epsilon * attack.normalize(noise.to(inputs.images.device))
    return start


def _generators(inputs: AttackInput) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in inputs.seeds]


def _apgd_ce(inputs: AttackInput, epsilon: float, norm: str, settings: AutoAttackSettings) -> Candidates:
    attack = _apgd(inputs, epsilon, norm, settings.steps, targeted=False)
    start = _starts(attack, inputs, epsilon, _generators(inputs))
    return _counted(inputs, partial(_best, attack, inputs, start))


def _best(attack: Any, inputs: AttackInput, start: Tensor) -> Tensor:
    """The adversarial images of one APGD run, the clean ones where it found none."""
    _, accurate, _, adversarial = attack.attack_single_run(inputs.images, inputs.labels, x_init=start)
    return torch.where((accurate == 0)[:, None, None, None], adversarial, inputs.images)


def _apgd_targeted(inputs: AttackInput, epsilon: float, norm: str, settings: AutoAttackSettings) -> Candidates:
    attack = _apgd(inputs, epsilon, norm, settings.steps, targeted=True)
    generators = _generators(inputs)

    def run(part: AttackInput, rows: Tensor, place: int) -> Tensor:
        attack.y_target = evaluate(part.model, part.images).sort(dim=1)[1][:, -place]
        start = _starts(attack, part, epsilon, [generators[row] for row in rows.tolist()])
        return _best(attack, part, start)

    return _over_targets(inputs, _n_targets(inputs, settings), run)


def _fab_targeted(inputs: AttackInput, epsilon: float, norm: str, settings: AutoAttackSettings) -> Candidates:
    """FAB-T with one restart draws no random numbers; what lies outside the ball does not count."""
    attack = _library().fab_pt.FABAttack_PT(
        inputs.model, norm=_NORMS[norm], n_restarts=1, n_iter=settings.steps, eps=epsilon, seed=0, targeted=True,
        device=inputs.images.device,
    )  # fmt: skip

    def run(part: AttackInput, _rows: Tensor, place: int) -> Tensor:
        attack.target_class = place
        found: Tensor = attack.attack_single_run(part.images, part.labels, use_rand_start=False, is_targeted=True)
        delta = (found - part.images).flatten(1)
        size = delta.abs().amax(dim=1) if norm == "linf" else (delta**2).sum(dim=-1).sqrt()
        return torch.where((size > epsilon)[:, None, None, None], part.images, found)

    return _over_targets(inputs, _n_targets(inputs, settings), run)


def _n_targets(inputs: AttackInput, settings: AutoAttackSettings) -> int:
    n_classes = evaluate(inputs.model, inputs.images[:1]).shape[1]
    return min(settings.target_classes, n_classes - 1)


def _square(inputs: AttackInput, epsilon: float, norm: str, settings: AutoAttackSettings) -> Candidates:
    if norm == "linf":
        return square_attack(inputs, epsilon, SquareSettings(queries=settings.queries, rescale=False))
    # The L2 variant is pyautoattack's own, which draws from torch's global generator: one image at a time.
    parts = []
    for row, seed in enumerate(inputs.seeds):
        part = inputs.rows(torch.tensor([row], device=inputs.images.device))
        attack = _library().square.SquareAttack(
            part.model, norm="L2", n_queries=settings.queries, eps=epsilon, p_init=0.8, seed=seed,
            device=part.images.device, resc_schedule=False,
        )  # fmt: skip
        with seeded(seed):
            parts.append(_counted(part, partial(attack.perturb, part.images, part.labels)))
    return join(parts)


_SEARCHES: Mapping[str, Callable[[AttackInput, float, str, AutoAttackSettings], Candidates]] = dict(
    zip(STAGES, (_apgd_ce, _apgd_targeted, _fab_targeted, _square), strict=True)
)

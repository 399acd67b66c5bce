"""Foolbox's own loops, for every attack the active set cannot run; randomised ones see one image at a time."""

import types

import torch
from foolbox.attacks.base import AttackWithDistance, FixedEpsilonAttack
from foolbox.attacks.carlini_wagner import L2CarliniWagnerAttack
from foolbox.attacks.contrast import L2ContrastReductionAttack
from foolbox.attacks.ddn import DDNAttack
from foolbox.attacks.deepfool import L2DeepFoolAttack, LinfDeepFoolAttack
from foolbox.attacks.fast_minimum_norm import L1FMNAttack, L2FMNAttack, LInfFMNAttack
from foolbox.attacks.gradient_descent_base import BaseGradientDescent
from foolbox.attacks.inversion import InversionAttack
from foolbox.attacks.newtonfool import NewtonFoolAttack
from foolbox.models.pytorch import PyTorchModel
from torch import Tensor

from bench.attacks.gradient import random_start
from bench.attacks.guard import seeded, seeded_rows
from bench.attacks.inputs import AttackInput, evaluate
from bench.attacks.result import Candidates, join
from bench.attacks.spec import is_gradient_descent

BATCHED = (
    L2DeepFoolAttack,
    LinfDeepFoolAttack,
    DDNAttack,
    L1FMNAttack,
    L2FMNAttack,
    LInfFMNAttack,
    NewtonFoolAttack,
    InversionAttack,
    L2ContrastReductionAttack,
)
"""Attacks that treat every image of a batch by itself and draw, if anything (DDN, where a gradient is zero), one row
per image. All others may let one image's outcome depend on its neighbours (shared generator, or early stopping on a
batch's loss) and run image by image."""

_NO_START = "init_attack failed"
# Foolbox's message where no starting point was found: an unsuccessful attack, not a crash.


def run_foolbox(attack: AttackWithDistance, inputs: AttackInput, epsilon: float | None) -> Candidates:
    """Run a foolbox attack through foolbox's own call.

    Args:
        attack: the configured attack.
        inputs: images to attack.
        epsilon: radius for fixed-epsilon attacks; None lets a minimal-norm attack seek its smallest perturbation.

    Returns:
        Foolbox's clipped images; where a decision-based attack found no starting point, the clean image.
    """
    if is_gradient_descent(attack):
        assert isinstance(attack, BaseGradientDescent)
        assert epsilon is not None
        seed_random_start(attack, inputs.seeds)
        return _run_batch(attack, inputs, epsilon)
    if isinstance(attack, BATCHED) or (isinstance(attack, L2CarliniWagnerAttack) and not attack.abort_early):
        with seeded_rows(inputs.seeds):
            return _run_batch(attack, inputs, epsilon)
    parts = []
    for row in range(len(inputs)):
        with seeded(inputs.seeds[row]):
            parts.append(_run_batch(attack, inputs.rows(torch.tensor([row], device=inputs.images.device)), epsilon))
    return join(parts)


def seed_random_start(attack: BaseGradientDescent, seeds: tuple[int, ...]) -> None:
    """Make foolbox's own loop draw each image's random start from that image's seed."""

    def start(self: BaseGradientDescent, x0: object, epsilon: float) -> object:
        return type(x0)(random_start(self, x0.raw, epsilon, seeds))  # type: ignore[attr-defined, call-arg]

    attack.get_random_start = types.MethodType(start, attack)  # type: ignore[method-assign]


def _run_batch(attack: AttackWithDistance, inputs: AttackInput, epsilon: float | None) -> Candidates:
    before = inputs.model.queries
    model = PyTorchModel(inputs.model, bounds=(0, 1), device=inputs.images.device)
    fixed = isinstance(attack, FixedEpsilonAttack)
    try:
        _, images, _ = attack(model, inputs.images, inputs.criterion(), epsilons=epsilon if fixed else None)
    except ValueError as error:
        if _NO_START not in str(error):
            raise
        images = inputs.images
    spent = (inputs.model.queries - before) // len(inputs)
    images = _detached(images)
    return Candidates(images=images, logits=evaluate(inputs.model, images), queries=torch.full((len(inputs),), spent))


def _detached(images: Tensor) -> Tensor:
    # Foolbox adds x + clip(perturbation) last, which may round past the pixel range by one unit.
    return images.detach().clamp(0, 1)

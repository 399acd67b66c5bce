"""Gradient descent attacks on the active set: foolbox's steps, and an image leaves the batch once it is broken."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from eagerpy.astensor import astensor, astensors
from eagerpy.tensor.tensor import Tensor as EagerTensor
from foolbox.attacks.gradient_descent_base import BaseGradientDescent, Optimizer
from foolbox.types import Bounds
from torch import Tensor

from bench.attacks.active_rows import ActiveRows
from bench.attacks.guard import GuardedClassifier, seeded_rows
from bench.attacks.inputs import AttackInput, evaluate
from bench.attacks.result import Candidates, Settled, in_order


def random_start(attack: BaseGradientDescent, images: Tensor, epsilon: float, seeds: Sequence[int]) -> Tensor:
    """Foolbox's random start, drawn for each image from its own seed.

    Row ``i`` is what foolbox draws for that image alone after ``torch.manual_seed(seeds[i])`` on the CPU, so it
    depends on neither batch nor device (but for the rounding of the device's arithmetic).

    Returns:
        ``(n,3,H,W)`` starts in the epsilon ball; not yet clipped to [0,1], as in foolbox.
    """
    with seeded_rows(seeds):
        started: Tensor = type(attack).get_random_start(attack, astensor(images), epsilon).raw
    return started


def descend(attack: BaseGradientDescent, inputs: AttackInput, epsilon: float) -> Candidates:
    """Run a foolbox gradient descent attack; each image keeps the iterate of the first step it was broken at.

    Step for step the iterates are foolbox's; an image never broken keeps the last one. The logits that decide
    whether an image leaves are those the next gradient needs anyway, so deciding costs no forward pass.

    Args:
        attack: the configured foolbox attack.
        inputs: images to attack.
        epsilon: radius of the ball, in the attack's norm.
    """
    classes, sign = (inputs.labels, 1.0) if inputs.targets is None else (inputs.targets, -1.0)
    origin, moved = inputs.images, inputs.images
    if attack.random_start:
        moved = random_start(attack, inputs.images, epsilon, inputs.seeds).clamp(0, 1)
    stepsize = attack.rel_stepsize * epsilon if attack.abs_stepsize is None else attack.abs_stepsize
    optimizer = attack.get_optimizer(astensor(origin), stepsize)

    settled = []
    queries = torch.zeros(len(inputs), dtype=torch.int64)
    zero_share = torch.empty(len(inputs))
    active = ActiveRows(len(inputs), origin.device)
    for step in range(attack.steps + 1):
        last = step == attack.steps
        logits, gradient = (evaluate(inputs.model, moved), None) if last else _gradient(inputs.model, moved, classes)
        if step == 0 and gradient is not None:
            zero_share = (gradient == 0).float().flatten(1).mean(dim=1)
        queries[active.rows] += 1
        if last:
            settled.append(Settled(active.on_device, moved, logits))
            break
        assert gradient is not None
        leave = active.split(inputs.is_adversarial(logits, active.on_device))
        if leave is not None:
            settled.append(Settled(leave.rows, moved[leave.places], logits[leave.places]))
            if not len(active):
                break
            origin, moved, gradient, classes = (t[leave.others] for t in (origin, moved, gradient, classes))
            _keep_rows(optimizer, leave.others)
        moved = _step(attack, optimizer, moved, origin, gradient, sign, epsilon)
    found = in_order(settled)
    return Candidates(images=found.images, logits=found.logits, queries=queries, zero_gradient=zero_share.cpu())


def _gradient(model: GuardedClassifier, images: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, and the gradient of the summed cross-entropy with respect to the images alone."""
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(images)
        loss = F.cross_entropy(logits, classes, reduction="none").sum()
    (gradient,) = torch.autograd.grad(loss, images)
    return logits.detach(), gradient


def _step(
    attack: BaseGradientDescent,
    optimizer: Optimizer,
    moved: Tensor,
    origin: Tensor,
    gradient: Tensor,
    sign: float,
    epsilon: float,
) -> Tensor:
    """One step of foolbox's ``BaseGradientDescent.run``, with its own methods."""
    x, x0, slope = astensors(moved, origin, gradient)
    bounds = Bounds(0.0, 1.0)
    slope = attack.normalize(slope, x=x, bounds=bounds)
    x = x + sign * optimizer(slope)
    x = attack.project(x, x0, epsilon)
    stepped: Tensor = x.clip(*bounds).raw
    return stepped


def _keep_rows(optimizer: Optimizer, stay: Tensor) -> None:
    """Drop the state (momentum, moments) of the images that left."""
    for name, value in vars(optimizer).items():
        if isinstance(value, EagerTensor):
            setattr(optimizer, name, astensor(value.raw[stay]))

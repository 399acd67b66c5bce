"""One call for every attack: clean check, search on what is correctly classified, restarts, verified result."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from foolbox.attacks.gradient_descent_base import BaseGradientDescent
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.attacks.declaration import Search
from bench.attacks.foolbox_loop import run_foolbox
from bench.attacks.gradient import descend
from bench.attacks.guard import GuardedClassifier, frozen
from bench.attacks.inputs import AttackInput, evaluate
from bench.attacks.result import AttackResult, Candidates, distances, verify
from bench.attacks.spec import AttackSpec, build_foolbox, is_gradient_descent, own_settings
from bench.errors import ConfigurationError
from bench.models import has_gradient
from bench.seeding import derive_seed


def run_attack(
    classifier: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack_spec: AttackSpec,
    epsilon: float,
    *,
    seeds: Sequence[int],
    targets: Tensor | None = None,
) -> AttackResult:
    """Attack a batch of images and report on each.

    Images the classifier already gets wrong are never attacked; they count as broken at distance 0 (untargeted).
    No image's outcome depends on the others in its batch, beyond the rounding of the classifier's kernels.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``, in eval mode.
        images: ``(B,3,H,W)`` float32 in [0,1].
        labels: ``(B,)`` int64 true classes.
        attack_spec: which attack.
        epsilon: bound of the perturbation in [0,1] pixel units of the attack's norm (one-pixel: how many pixels).
        seeds: ``B`` seeds, one an image.
        targets: ``(B,)`` int64 target classes for a targeted attack, in place of ``attack_spec.target``.

    Returns:
        One entry per image, in order.

    Raises:
        ConfigurationError: inputs or parameters that cannot work.
        AttackError: the attack left its ball or [0,1], or the classifier returned NaN or infinity.
    """
    return run_attack_grid(classifier, images, labels, attack_spec, [epsilon], seeds=seeds, targets=targets)[0]


def run_attack_grid(
    classifier: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack_spec: AttackSpec,
    epsilons: Sequence[float],
    *,
    seeds: Sequence[int],
    targets: Tensor | None = None,
) -> list[AttackResult]:
    """``run_attack`` at several epsilons: minimal-norm attacks share one run, in which success at epsilon means a
    distance of at most epsilon; the others run once for each epsilon, sharing the clean predictions.

    Returns:
        One result an epsilon, in order.
    """
    _check_inputs(classifier, images, labels, seeds)
    for epsilon in epsilons:
        attack_spec.check_epsilon(epsilon, images[0].numel())
    images = images.contiguous()  # pyautoattack views images as rows
    if not has_gradient(classifier):
        attack_spec.check_without_gradient(str(getattr(classifier, "name", "the classifier")))
    model = GuardedClassifier(classifier)
    clean = evaluate(model, images)
    if targets is None and attack_spec.target:
        targets = _choose_targets(attack_spec.target, clean, labels, seeds)
    if targets is not None and bool((targets == labels).any()):
        raise ConfigurationError("a target class equals the true class; a targeted attack needs another one")
    whole = AttackInput(model=model, images=images, labels=labels, targets=targets, seeds=tuple(seeds))
    correct = torch.nonzero(clean.argmax(dim=1) == labels).flatten()
    method = _method(attack_spec)
    inputs = whole.rows(correct)
    runs: list[Candidates | None] = [None] * len(epsilons)
    with frozen(classifier):
        if len(correct) and method.minimal_norm:
            runs = [_with_restarts(method, inputs, attack_spec.restarts, None)] * len(epsilons)
        elif len(correct):
            runs = [_with_restarts(method, inputs, attack_spec.restarts, epsilon) for epsilon in epsilons]
    return [
        _judge(method, whole, clean, correct, found, epsilon) for found, epsilon in zip(runs, epsilons, strict=True)
    ]


@dataclass(frozen=True)
class _Method:
    """A configured attack."""

    name: str
    """The attack's canonical name; the stage of what it breaks."""
    search: Callable[[AttackInput, float | None], Candidates]
    """AttackInput and epsilon (None: seek the smallest perturbation) to candidates."""
    norm: str
    """Norm of epsilon."""
    minimal_norm: bool
    """Whether one run answers every epsilon."""


def _method(spec: AttackSpec) -> _Method:
    norm = spec.epsilon_norm
    if spec.declaration.search is not None:
        own = partial(_own_search, spec.declaration.search, norm, own_settings(spec))
        return _Method(name=spec.name, search=own, norm=norm, minimal_norm=spec.minimal_norm)
    attack = build_foolbox(spec)

    def search(inputs: AttackInput, epsilon: float | None) -> Candidates:
        if spec.active_set and is_gradient_descent(attack):
            assert isinstance(attack, BaseGradientDescent)
            assert epsilon is not None
            return descend(attack, inputs, epsilon)
        return run_foolbox(attack, inputs, epsilon)

    return _Method(name=spec.name, search=search, norm=norm, minimal_norm=spec.minimal_norm)


def _own_search(run: Search, norm: str, settings: Any, inputs: AttackInput, epsilon: float | None) -> Candidates:
    """A search of the smallest perturbation is given no bound."""
    return run(inputs, math.inf if epsilon is None else epsilon, norm, settings)


def _with_restarts(method: _Method, inputs: AttackInput, restarts: int, epsilon: float | None) -> Candidates:
    """Restarts are spent on survivors; a minimal-norm attack repeats every image and keeps the closest."""
    best = method.search(inputs, epsilon)
    for restart in range(1, restarts):
        again = (
            torch.ones_like(inputs.labels, dtype=torch.bool)
            if method.minimal_norm
            else ~inputs.is_adversarial(best.logits)
        )
        rows = torch.nonzero(again).flatten()
        if not len(rows):
            break
        part = inputs.rows(rows)
        part = replace(part, seeds=tuple(derive_seed(seed, "restart", restart) for seed in part.seeds))
        found = method.search(part, epsilon)
        better = part.is_adversarial(found.logits)
        if method.minimal_norm:
            gap = distances(method.norm, part.images, best.images[rows])
            closer = distances(method.norm, part.images, found.images) < gap
            better &= closer | ~part.is_adversarial(best.logits[rows])
        _merge(best, found, rows, better)
    return best


def _merge(best: Candidates, found: Candidates, rows: Tensor, better: Tensor) -> None:
    """Take over what is better in ``found``, which holds the rows ``rows`` of ``best``; queries add up."""
    taken = rows[better]
    best.images[taken] = found.images[better]
    best.logits[taken] = found.logits[better]
    best.queries[rows.cpu()] += found.queries


def _judge(
    method: _Method, whole: AttackInput, clean: Tensor, correct: Tensor, found: Candidates | None, epsilon: float
) -> AttackResult:
    """Put the candidates back among all images, and verify what is reported."""
    images, logits = whole.images.clone(), clean.clone()
    n = len(whole)
    distance, zero_gradient = np.zeros(n), np.full(n, np.nan, dtype=np.float32)
    queries = np.zeros(n, dtype=np.int64)
    clean_prediction = clean.argmax(dim=1)
    stage = np.where(_numpy(clean_prediction != whole.labels), "clean", "").astype(object)
    if found is not None:
        part, rows = whole.rows(correct), _numpy(correct)
        broken = part.is_adversarial(found.logits)
        sizes = distances(method.norm, part.images, found.images)
        reported = broken & (sizes <= epsilon) if method.minimal_norm else torch.ones_like(broken)
        images[correct[reported]] = found.images[reported]
        logits[correct[reported]] = found.logits[reported]
        distance[rows] = _numpy(sizes.where(broken, torch.inf) if method.minimal_norm else sizes)
        queries[rows] = found.queries.numpy()
        if found.zero_gradient is not None:
            zero_gradient[rows] = found.zero_gradient.numpy()
        hit = _numpy(broken & reported)
        stage[rows[hit]] = method.name if found.stage is None else found.stage[hit]
    verify(method.norm, epsilon, whole.images, images)
    confidence, prediction = logits.softmax(dim=1).max(dim=1)
    return AttackResult(
        adversarials=images,
        prediction=_numpy(prediction),
        confidence=_numpy(confidence).astype(np.float32),
        distance=distance,
        success=_numpy(whole.is_adversarial(logits)),
        queries=queries,
        zero_gradient=zero_gradient,
        stage=stage.astype(np.str_),
        clean_prediction=_numpy(clean_prediction),
        norm=method.norm,
        epsilon=epsilon,
    )


def _numpy(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    return array


def _choose_targets(rule: str, clean: Tensor, labels: Tensor, seeds: Sequence[int]) -> Tensor:
    """``(B,)`` target classes, never the true one."""
    n_classes = clean.shape[1]
    if rule == "least_likely":
        masked = clean.scatter(1, labels[:, None], torch.inf)
        return masked.argmin(dim=1)
    if rule == "next":
        return (labels + 1) % n_classes
    offsets = [1 + derive_seed(seed, "target") % (n_classes - 1) for seed in seeds]
    return (labels + torch.tensor(offsets, device=labels.device)) % n_classes


def _check_inputs(classifier: nn.Module, images: Tensor, labels: Tensor, seeds: Sequence[int]) -> None:
    if classifier.training:
        raise ConfigurationError("the classifier is in training mode; call .eval() before attacking it")
    if images.ndim != 4 or not len(images) == len(labels) == len(seeds):
        raise ConfigurationError(
            f"images {tuple(images.shape)}, labels {tuple(labels.shape)} and {len(seeds)} seeds do not belong together;"
            " expected (B,3,H,W), (B,) and B"
        )
    if not len(images):
        raise ConfigurationError("no images to attack")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):
        raise ConfigurationError(f"images must hold pixels in [0,1], got values from {low:.4g} to {high:.4g}")

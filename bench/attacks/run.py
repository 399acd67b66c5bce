"""Run any attack on a batch of images.

Predict the clean images, search for adversarial versions of those that are classified correctly, repeat the search
(restarts), and verify that the results are within epsilon.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    """Attack a batch of images.

    Images that the classifier already gets wrong are not attacked: their distance is 0, and an untargeted attack counts
    them as successes. The outcome of an image does not depend on the others in its batch, except for floating-point
    rounding inside the classifier.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``, in eval mode.
        images: ``(B,3,H,W)`` float32 in [0,1].
        labels: ``(B,)`` int64 true classes.
        attack_spec: the attack and its options.
        epsilon: upper bound of the perturbation's norm, for pixels in [0,1] (one-pixel: number of changed pixels).
        seeds: ``B`` seeds, one per image.
        targets: ``(B,)`` int64 target classes of a targeted attack; None to choose them by ``attack_spec.target``.

    Returns:
        The results, in the order of ``images``.

    Raises:
        ConfigurationError: invalid inputs or options, or an attack that needs gradients on a classifier without them.
        AttackError: the attack exceeded epsilon or left [0,1], or the classifier returned NaN or infinity.
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
    """``run_attack`` at several epsilons, with one prediction of the clean images.

    A minimal-norm attack runs once: an image is broken at each epsilon that is at least the distance it needed. Other
    attacks run once per epsilon.

    Returns:
        One result per epsilon, in the order of ``epsilons``.
    """
    _check_inputs(classifier, images, labels, seeds)
    for epsilon in epsilons:
        attack_spec.check_epsilon(epsilon, images[0].numel())
    images = images.contiguous()  # pyautoattack calls .view() on them
    if not has_gradient(classifier):
        attack_spec.check_without_gradient(str(getattr(classifier, "name", "the classifier")))
    model = GuardedClassifier(classifier)
    clean_logits = evaluate(model, images)
    model.check()
    if targets is None and attack_spec.target:
        targets = _choose_targets(attack_spec.target, clean_logits, labels, seeds)
    if targets is not None and bool((targets == labels).any()):
        raise ConfigurationError("a target class equals the true class; a targeted attack needs another one")
    batch = AttackInput(model=model, images=images, labels=labels, targets=targets, seeds=tuple(seeds))
    correct_rows = torch.nonzero(clean_logits.argmax(dim=1) == labels).flatten()
    method = _method(attack_spec)
    attacked = batch.rows(correct_rows)
    runs: list[Candidates | None] = [None] * len(epsilons)  # stays None if there is nothing to attack
    with frozen(classifier), model.checked():
        if len(attacked) and method.minimal_norm:
            runs = [_search_with_restarts(method, attacked, attack_spec.restarts, None)] * len(epsilons)
        elif len(attacked):
            runs = [_search_with_restarts(method, attacked, attack_spec.restarts, epsilon) for epsilon in epsilons]
    return [
        _result(method, batch, clean_logits, correct_rows, candidates, epsilon)
        for candidates, epsilon in zip(runs, epsilons, strict=True)
    ]


@dataclass(frozen=True)
class _Method:
    """A configured attack, whether implemented here or in foolbox."""

    name: str
    """The attack's canonical name; ``AttackResult.stage`` of the images it breaks, unless the search names stages."""
    search: Callable[[AttackInput, float | None], Candidates]
    """Images and epsilon -> candidates. Epsilon is None for minimal-norm attacks, and only for them."""
    norm: str
    """Norm that epsilon and distances are measured in, as ``AttackResult.norm``."""
    minimal_norm: bool
    """Whether the search looks for the smallest perturbation, so that one run serves every epsilon."""


def _method(spec: AttackSpec) -> _Method:
    search = _foolbox_search(spec) if spec.declaration.search is None else _own_search(spec, spec.declaration.search)
    return _Method(name=spec.name, search=search, norm=spec.epsilon_norm, minimal_norm=spec.minimal_norm)


def _foolbox_search(spec: AttackSpec) -> Callable[[AttackInput, float | None], Candidates]:
    """The search of a foolbox attack, in our loop or in foolbox's own."""
    attack = build_foolbox(spec)

    def search(inputs: AttackInput, epsilon: float | None) -> Candidates:
        if spec.active_set and is_gradient_descent(attack):
            assert isinstance(attack, BaseGradientDescent)
            assert epsilon is not None
            return descend(attack, inputs, epsilon)
        return run_foolbox(attack, inputs, epsilon)

    return search


def _own_search(spec: AttackSpec, run: Search) -> Callable[[AttackInput, float | None], Candidates]:
    """The search of an attack that this package implements."""
    settings = own_settings(spec)

    def search(inputs: AttackInput, epsilon: float | None) -> Candidates:
        return run(inputs, math.inf if epsilon is None else epsilon, spec.epsilon_norm, settings)

    return search


def _search_with_restarts(method: _Method, inputs: AttackInput, restarts: int, epsilon: float | None) -> Candidates:
    """Run the search ``restarts`` times with different seeds and keep the best candidate of each image.

    A minimal-norm attack is repeated on all images and keeps the adversarial candidate with the smallest distance.
    Other attacks are repeated only on images that are not adversarial yet.
    """
    best = method.search(inputs, epsilon)
    for restart in range(1, restarts):
        is_repeated = (
            torch.ones_like(inputs.labels, dtype=torch.bool)
            if method.minimal_norm
            else ~inputs.is_adversarial(best.logits)
        )
        rows = torch.nonzero(is_repeated).flatten()
        if not len(rows):
            break
        repeated = inputs.rows(rows)
        repeated = replace(repeated, seeds=tuple(derive_seed(seed, "restart", restart) for seed in repeated.seeds))
        candidates = method.search(repeated, epsilon)
        is_better = repeated.is_adversarial(candidates.logits)
        if method.minimal_norm:
            best_distances = distances(method.norm, repeated.images, best.images[rows])
            is_closer = distances(method.norm, repeated.images, candidates.images) < best_distances
            is_better &= is_closer | ~repeated.is_adversarial(best.logits[rows])
        _update(best, candidates, rows, is_better)
    return best


def _update(best: Candidates, candidates: Candidates, rows: Tensor, is_better: Tensor) -> None:
    """Replace candidates in ``best`` by better ones, in place, and add up the queries.

    ``zero_gradient`` and ``stage`` stay those of the first search.

    Args:
        best: ``n`` candidates.
        candidates: ``m`` new candidates, for the images ``rows`` of ``best``.
        rows: ``(m,)`` int64.
        is_better: ``(m,)`` bool, whether to use the new candidate.
    """
    replaced = rows[is_better]
    best.images[replaced] = candidates.images[is_better]
    best.logits[replaced] = candidates.logits[is_better]
    best.queries[rows.cpu()] += candidates.queries


def _result(
    method: _Method,
    batch: AttackInput,
    clean_logits: Tensor,
    correct_rows: Tensor,
    candidates: Candidates | None,
    epsilon: float,
) -> AttackResult:
    """Combine the candidates with the images that were not attacked, and verify the images that are reported.

    Args:
        method: the attack.
        batch: all ``B`` images.
        clean_logits: ``(B,K)`` logits on the clean images.
        correct_rows: ``(n,)`` int64 rows of the images that were attacked.
        candidates: ``n`` candidates, one per attacked image; None if no image was attacked.
        epsilon: as for ``run_attack``.
    """
    images, logits = batch.images.clone(), clean_logits.clone()
    distance, zero_gradient = np.zeros(len(batch)), np.full(len(batch), np.nan, dtype=np.float32)
    queries = np.zeros(len(batch), dtype=np.int64)
    clean_prediction = clean_logits.argmax(dim=1)
    stage = np.where(_numpy(clean_prediction != batch.labels), "clean", "").astype(object)
    if candidates is not None:
        attacked, rows = batch.rows(correct_rows), _numpy(correct_rows)
        is_adversarial = attacked.is_adversarial(candidates.logits)
        sizes = distances(method.norm, attacked.images, candidates.images)
        # the candidate of a minimal-norm attack may be farther away than epsilon: then the clean image is reported
        reported = is_adversarial & (sizes <= epsilon) if method.minimal_norm else torch.ones_like(is_adversarial)
        images[correct_rows[reported]] = candidates.images[reported]
        logits[correct_rows[reported]] = candidates.logits[reported]
        distance[rows] = _numpy(sizes.where(is_adversarial, torch.inf) if method.minimal_norm else sizes)
        queries[rows] = candidates.queries.numpy()
        if candidates.zero_gradient is not None:
            zero_gradient[rows] = candidates.zero_gradient.numpy()
        broken = _numpy(is_adversarial & reported)
        stage[rows[broken]] = method.name if candidates.stage is None else candidates.stage[broken]
    verify(method.norm, epsilon, batch.images, images)
    confidence, prediction = logits.softmax(dim=1).max(dim=1)
    return AttackResult(
        adversarials=images,
        prediction=_numpy(prediction),
        confidence=_numpy(confidence).astype(np.float32),
        distance=distance,
        success=_numpy(batch.is_adversarial(logits)),
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


def _choose_targets(rule: str, clean_logits: Tensor, labels: Tensor, seeds: Sequence[int]) -> Tensor:
    """``(B,)`` int64 target classes, never the true one.

    Args:
        rule: ``least_likely``; ``next``, the class number after the true one; or ``random``, one drawn from the seed.
        clean_logits: ``(B,K)`` logits on the clean images.
        labels: ``(B,)`` int64 true classes.
        seeds: ``B`` seeds.
    """
    n_classes = clean_logits.shape[1]
    if rule == "least_likely":
        without_true_class = clean_logits.scatter(1, labels[:, None], torch.inf)
        return without_true_class.argmin(dim=1)
    if rule == "next":
        return (labels + 1) % n_classes
    offsets = [1 + derive_seed(seed, "target") % (n_classes - 1) for seed in seeds]
    return (labels + torch.tensor(offsets, device=labels.device)) % n_classes


def _check_inputs(classifier: nn.Module, images: Tensor, labels: Tensor, seeds: Sequence[int]) -> None:
    """Raise ConfigurationError for inputs that ``run_attack`` does not accept."""
    if classifier.training:
        raise ConfigurationError("the classifier is in training mode; call .eval() before attacking it")
    if images.ndim != 4 or not len(images) == len(labels) == len(seeds):
        raise ConfigurationError(
            f"images {tuple(images.shape)}, labels {tuple(labels.shape)} and {len(seeds)} seeds do not match;"
            " expected shapes (B,3,H,W) and (B,), and B seeds"
        )
    if not len(images):
        raise ConfigurationError("no images to attack")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):
        raise ConfigurationError(f"images must have pixel values in [0,1], got values from {low:.4g} to {high:.4g}")

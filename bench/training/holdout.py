"""How good the network is after an epoch, on images it was not trained on, and when it has collapsed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bench.attacks import AttackSpec, run_attack
from bench.benchmarks import Batch
from bench.configs import Recipe
from bench.data import Crops
from bench.data.dataset import balanced_subset
from bench.models import Classifier
from bench.models.fast import prepare_fast
from bench.seeding import derive_seed
from bench.training.recipe import attack_radius
from bench.training.step import perturb

PGD_10 = AttackSpec("pgd_linf", {"steps": 10, "rel_stepsize": 0.25})
"""The attack that judges an epoch: ten steps of a quarter of epsilon (Wong et al. 2020 stop early by PGD)."""


@dataclass(frozen=True)
class Split:
    """Positions of the training set: disjoint, together every image."""

    train: NDArray[np.int64]
    """Trained on."""
    holdout: NDArray[np.int64]
    """Judged on, class-balanced."""


@dataclass(frozen=True)
class HoldoutAccuracy:
    """Accuracies on the held-out images, in [0,1]."""

    clean: float
    """On the images as they are."""
    own_attack: float | None
    """Under the attack the network is trained against; None in plain training."""
    pgd: float | None
    """Under PGD-10 at the same epsilon; None in plain training."""

    @property
    def score(self) -> float:
        """What the best epoch is chosen by: PGD accuracy, or clean accuracy in plain training."""
        return self.clean if self.pgd is None else self.pgd


def split_holdout(labels: NDArray[np.int64], holdout: int, *, seed: int) -> Split:
    """Set ``holdout`` images apart, as many of each class as the classes allow."""
    kept = balanced_subset(labels, holdout, seed=derive_seed(seed, "holdout"))
    return Split(train=np.setdiff1d(np.arange(len(labels)), kept), holdout=kept)


def judge_holdout(
    classifier: Classifier,
    crops: Crops,
    positions: NDArray[np.int64],
    recipe: Recipe,
    device: torch.device,
    *,
    seed: int,
) -> HoldoutAccuracy:
    """The accuracies of ``classifier``, which is left in eval mode, on the images at ``positions``."""
    network = prepare_fast(classifier.eval())
    epsilon, correct = attack_radius(recipe), np.zeros(3)
    for start in range(0, len(positions), recipe.batch_size):
        chosen = positions[start : start + recipe.batch_size]
        labels = torch.from_numpy(crops.labels[chosen]).to(device)
        batch = Batch(crops.read(chosen.tolist()).to(device), labels, crops.image_ids[chosen])
        if recipe.steps == 0:
            with torch.no_grad():
                correct[0] += int((network(batch.pixels()).argmax(dim=1) == labels).sum())
            continue
        seeds = [derive_seed(seed, "holdout", str(image_id)) for image_id in batch.image_ids]
        attacked = run_attack(network, batch.pixels(), labels, PGD_10, epsilon, seeds=seeds)
        generator = torch.Generator(device).manual_seed(seeds[0])
        own = perturb(
            network,
            batch.pixels(),
            labels,
            epsilon=epsilon,
            steps=recipe.steps,
            step_size=recipe.step_size,
            generator=generator,
        )
        with torch.no_grad():
            own_correct = int((network(own).argmax(dim=1) == labels).sum())
        truth = labels.cpu().numpy()
        correct += [(attacked.clean_prediction == truth).sum(), own_correct, (attacked.prediction == truth).sum()]
    clean, own_attack, pgd = (correct / len(positions)).tolist()
    return HoldoutAccuracy(clean, own_attack, pgd) if recipe.steps else HoldoutAccuracy(clean, None, None)


def collapse(history: Sequence[HoldoutAccuracy]) -> str:
    """Whether the last epoch shows catastrophic overfitting (Wong et al. 2020, section 5), in words.

    The network then masks its gradient: it withstands the one step it is trained against and no longer PGD. The rule:
    PGD accuracy has fallen to less than half of its best, and is less than half of that under the training attack.

    Returns:
        What was seen; empty where nothing was.
    """
    last = history[-1]
    if last.pgd is None or last.own_attack is None:
        return ""
    best = max(accuracy.pgd or 0.0 for accuracy in history)
    if last.pgd >= best / 2 or last.pgd >= last.own_attack / 2:
        return ""
    return (
        f"catastrophic overfitting: PGD-10 accuracy on the held-out images fell from {best:.1%} to"
        f" {last.pgd:.1%}, while {last.own_attack:.1%} withstand the attack trained against"
    )

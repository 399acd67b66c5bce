"""The input of every search: the images to attack, and the criterion for an adversarial image."""

from dataclasses import dataclass

import torch
from foolbox.criteria import Criterion, Misclassification, TargetedMisclassification
from torch import Tensor

from bench.attacks.guard import GuardedClassifier


@dataclass(frozen=True)
class AttackInput:
    """``n`` correctly classified images to attack; an image's outcome may depend on its own row alone."""

    model: GuardedClassifier
    """The classifier, counted and guarded."""
    images: Tensor
    """``(n,3,H,W)`` in [0,1]."""
    labels: Tensor
    """``(n,)`` true classes."""
    targets: Tensor | None
    """``(n,)`` classes to reach; None for an untargeted attack."""
    seeds: tuple[int, ...]
    """``n`` seeds, one per image."""

    def __len__(self) -> int:
        return len(self.images)

    @property
    def aim(self) -> Tensor:
        """``(n,)`` the class the search pushes away from, or towards when targeted."""
        return self.labels if self.targets is None else self.targets

    def is_adversarial(self, logits: Tensor, rows: Tensor | None = None) -> Tensor:
        """Which logits are adversarial.

        Args:
            logits: ``(m,...,K)`` logits of versions of the images ``rows``.
            rows: ``(m,)`` int64 rows of the inputs; None for all ``n`` in order.

        Returns:
            ``(m,...)`` bool.
        """
        prediction = logits.argmax(dim=-1)
        aim = self.aim if rows is None else self.aim[rows]
        aim = aim.reshape(-1, *[1] * (prediction.ndim - 1))
        return prediction != aim if self.targets is None else prediction == aim

    def criterion(self) -> Criterion:
        """The same rule as foolbox states it."""
        return Misclassification(self.labels) if self.targets is None else TargetedMisclassification(self.targets)

    def rows(self, index: Tensor) -> "AttackInput":
        """The inputs of the rows in ``index``, a ``(m,)`` int64 tensor."""
        return AttackInput(
            model=self.model,
            images=self.images[index],
            labels=self.labels[index],
            targets=None if self.targets is None else self.targets[index],
            seeds=tuple(self.seeds[i] for i in index.tolist()),
        )


@torch.no_grad()
def evaluate(model: GuardedClassifier, images: Tensor) -> Tensor:
    """Logits ``(n,K)`` without a graph."""
    return model(images)  # type: ignore[no-any-return]

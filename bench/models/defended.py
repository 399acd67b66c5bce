"""A classifier behind a defense, and the gradient that attacks on it are given."""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from bench.data.crop import CropRecipe
from bench.data.dataset import DecisionGroups
from bench.models.classifier import ClassGroups, LabelSubset
from bench.models.defenses import Defense, RandomDefense
from bench.seeding import derive_seed


class DefendedClassifier(nn.Module):
    """A classifier that is shown the defense's version of an image; composable with any classifier, itself included.

    A random defense draws from the image's own bytes and the defense's seed. So a decision can be repeated, does not
    depend on the batch, and a stored adversarial image stays adversarial; any change of the image is a new draw, so an
    attacker cannot know a draw without querying it. An attack that tries many images tries many draws, which makes the
    accuracy measured a lower bound on that under fresh draws.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``, in eval mode.
        defense: what stands in front of it.
    """

    def __init__(self, classifier: nn.Module, defense: Defense) -> None:
        super().__init__()
        self.classifier = classifier
        self.defense = defense
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B,K)`` of ``images``, ``(B,3,H,W)`` in [0,1], with the defense's gradient."""
        defense = self.defense
        differentiated = torch.is_grad_enabled() and images.requires_grad
        n_draws = defense.deciding_draws
        if differentiated and defense.gradient == "adaptive":
            n_draws = max(n_draws, defense.gradient_draws)
        digests = image_digests(images) if isinstance(defense, RandomDefense) else []
        draws = [
            # Checkpointed: one draw's activations at a time, whatever their number.
            checkpoint(self._draw, images, digests, draw, use_reentrant=False, preserve_rng_state=False)
            if differentiated and n_draws > 1
            else self._draw(images, digests, draw)
            for draw in range(n_draws)
        ]
        logits = torch.stack(draws)
        decision = defense.decide(logits[: defense.deciding_draws])
        if not differentiated:
            return decision
        if defense.gradient == "adaptive":
            # Expectation over transformation, of logits: probabilities saturate, and their gradient with them.
            return _with_gradient_of(decision, logits.mean(dim=0))
        return decision if decision.requires_grad else _with_zero_gradient(decision, images)

    def _draw(self, images: Tensor, digests: list[str], draw: int) -> Tensor:
        """Logits ``(B,K)`` of one version of each image."""
        defense = self.defense
        seeds = [derive_seed(defense.seed, d, draw) for d in digests] if isinstance(defense, RandomDefense) else []
        shown = defense.transform(images, seeds)
        if images.requires_grad and defense.gradient == "adaptive" and defense.straight_through:
            shown = _with_gradient_of(shown.detach(), images)
        logits: Tensor = self.classifier(shown)
        return logits

    @property
    def name(self) -> str:
        """Display name of the classifier."""
        return str(self.classifier.name)

    @property
    def weights_digest(self) -> str:
        """Digest of the classifier's weights."""
        return str(self.classifier.weights_digest)

    @property
    def precision(self) -> str:
        """Numeric precision of the classifier."""
        return str(self.classifier.precision)

    @property
    def crop(self) -> CropRecipe:
        """Recipe from an encoded image to the crop that the defense is given."""
        crop: Any = self.classifier.crop
        return crop  # type: ignore[no-any-return]

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the crop."""
        return self.crop.height, self.crop.width


def defend(classifier: nn.Module, defense: Defense | None) -> nn.Module:
    """The classifier behind ``defense``; itself where there is none."""
    return classifier if defense is None else DefendedClassifier(classifier, defense)


def restrict(
    classifier: nn.Module, class_ids: Sequence[int] | None = None, groups: DecisionGroups | None = None
) -> nn.Module:
    """The classifier with some of its classes only, or with coarse ones; itself where neither is given.

    It stands behind a defense, so that votes are cast among these classes.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        class_ids: the logit columns to keep, in the order of the new columns.
        groups: coarse classes, as ``bench.models.ClassGroups`` takes them.
    """
    if isinstance(classifier, DefendedClassifier) and (class_ids is not None or groups is not None):
        return DefendedClassifier(restrict(classifier.classifier, class_ids, groups), classifier.defense)
    if class_ids is not None:
        return LabelSubset(classifier, class_ids)
    return classifier if groups is None else ClassGroups(classifier, groups)


def image_digests(images: Tensor) -> list[str]:
    """A digest of each image's bytes: equal for equal images, on every device and in every batch."""
    arrays = images.detach().cpu().contiguous().numpy()
    return [hashlib.blake2b(array.tobytes(), digest_size=16).hexdigest() for array in arrays]


class _Substitute(torch.autograd.Function):
    """The value of one tensor, bit for bit, with the gradient of another of its shape."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, carrier: Tensor) -> Tensor:  # noqa: ARG004
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[None, Any]:  # noqa: ARG004
        return None, gradients[0]


def _with_gradient_of(value: Tensor, carrier: Tensor) -> Tensor:
    substituted: Tensor = _Substitute.apply(value, carrier)
    return substituted


def _with_zero_gradient(value: Tensor, images: Tensor) -> Tensor:
    """``value`` ``(B,K)``, to which autograd finds a path from ``images``, of derivative exactly 0."""
    return _with_gradient_of(value.detach(), (0 * images.flatten(1)[:, :1]).expand_as(value))

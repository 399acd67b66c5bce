"""Transfer attack (Papernot et al. 2016): adversarial images of surrogates, shown to the classifier."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from bench.attacks import AttackSpec, run_attack
from bench.attacks.budget import expected_passes
from bench.attacks.transfer import evaluate_transfer
from bench.benchmarks.adversarial import parse_epsilons, refuse_several_labels
from bench.benchmarks.base import Batch, Benchmark
from bench.data import LabelSpace
from bench.errors import ConfigurationError
from bench.models import Classifier, ModelConfig, check_model, load_classifier, restrict
from bench.models.fast import prepare_fast
from bench.records import Condition, Outcomes, Parameter
from bench.seeding import derive_seed


@dataclass(frozen=True, kw_only=True)
class Transfer(Benchmark):
    """Each surrogate is attacked on the classifier's own crops, and its images are shown to the classifier.

    A surrogate of another input size sees the crops resized, differentiably: the perturbation is bounded where the
    classifier sees it. The surrogate's best tries count too where it withstood the attack.

    Args:
        surrogates: names that ``model.name`` takes.
        epsilons: radii in [0,1] pixel units of the attack's norm.
        attack: name of a gradient attack.
        options: keyword arguments of the attack, such as ``steps``.
    """

    surrogates: tuple[str, ...]
    epsilons: tuple[Any, ...]
    attack: str
    options: dict[str, Any]

    name = "transfer"
    version = "2"
    axis = "Transfer"
    citation = "Papernot et al., Transferability in Machine Learning, arXiv:1605.07277, 2016"
    strength_unit = "epsilon"
    class_columns = ("clean_prediction",)
    condition_fields = ("surrogates", "epsilons", "attack")

    @property
    def spec(self) -> AttackSpec:
        """The attack on a surrogate. It does not stop at the first success: an image that barely fools a surrogate
        fools no other network.
        """
        return AttackSpec(self.attack, self.options, active_set=False)

    def check(self) -> None:
        """Refuse unknown surrogates, attacks and epsilons."""
        if not self.surrogates:
            raise ConfigurationError("transfer.surrogates is empty: name at least one model")
        for name in self.surrogates:
            if not check_model(ModelConfig(name=name)).has_gradient:
                self.spec.check_without_gradient(name)
        if self.spec.minimal_norm:
            raise ConfigurationError(f"transfer needs an attack within a ball, and {self.attack!r} seeks the smallest")
        parse_epsilons(self.spec, self.epsilons)

    def check_classifier(self, label_space: LabelSpace) -> None:
        """Refuse surrogates that have other classes than the classifier, or the same in another order."""
        for name in self.surrogates:
            surrogate = check_model(ModelConfig(name=name)).label_space
            if not surrogate.is_numbered_like(label_space):
                raise ConfigurationError(
                    f"transfer: the surrogate {name} has {surrogate}, and the classifier {label_space}: name surrogates"
                    " that decide among the same classes, in the same order"
                )

    def conditions(self) -> tuple[Condition, ...]:
        """One a surrogate and epsilon; the name holds the surrogate's weights, which the outcomes depend on."""
        names = [f"{name}#{_surrogate(name).weights_digest}" for name in self.surrogates]
        radii = parse_epsilons(self.spec, self.epsilons)
        return tuple(Condition(name, radius) for name in names for radius in radii)

    def parameters(self) -> dict[str, Any]:
        """The attack on the surrogate, by its one name and with every option."""
        return {"surrogate_attack": self.spec.name, "options": dict(self.spec.identity)}

    def surrogate(self, condition: Condition) -> str:
        """Its name, without the digest of its weights."""
        return _surrogate_name(condition)

    @classmethod
    def describe(cls, condition: Condition, unit: str, known: Collection[Parameter] = ()) -> str:
        """The surrogate by its name alone: the digest of its weights means nothing to a reader."""
        return super().describe(replace(condition, name=_surrogate_name(condition)), unit, known)

    @property
    def passes(self) -> int:
        """The attack on the surrogate, and two looks by the classifier."""
        return expected_passes(self.spec) + 2

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """The classifier's decision on what was made against the surrogate.

        Returns:
            Outcomes with ``surrogate_fooled`` (the surrogate fell) beside them.
        """
        refuse_several_labels(batch)
        name = _surrogate_name(condition)
        surrogate = _on_device(name, str(batch.images.device))
        surrogate = restrict(surrogate, batch.class_ids, batch.groups).to(batch.images.device)
        images = batch.pixels()
        seeds = [derive_seed(seed, condition.key, str(image_id)) for image_id in batch.image_ids]
        attacked = run_attack(surrogate, images, batch.labels, self.spec, condition.strength, seeds=seeds)
        shown = evaluate_transfer(classifier, images, batch.labels, attacked)
        return Outcomes(
            image_id=batch.image_ids,
            label=batch.labels.cpu().numpy(),
            prediction=shown.prediction,
            confidence=shown.confidence,
            extra={"surrogate_fooled": shown.surrogate_fooled, "clean_prediction": shown.clean_prediction},
        )


class _Resized(nn.Module):
    """A classifier that takes images of any size."""

    def __init__(self, classifier: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.classifier = classifier
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[-2:] != self.size:
            images = interpolate(images, self.size, mode="bilinear", align_corners=False, antialias=True)
        logits: Tensor = self.classifier(images)
        return logits


def _surrogate_name(condition: Condition) -> str:
    """As ``conditions`` wrote it before the digest."""
    return condition.name.partition("#")[0]


@cache
def _surrogate(name: str) -> Classifier:
    return load_classifier(ModelConfig(name=name))


@cache
def _on_device(name: str, device: str) -> nn.Module:
    surrogate = _surrogate(name)
    return _Resized(prepare_fast(surrogate), surrogate.input_size).to(torch.device(device)).eval()

"""Stability of the decision along a perturbation sequence (ImageNet-P; Hendrycks & Dietterich 2019)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.benchmarks.base import Batch, Benchmark, judge
from bench.benchmarks.metric import LOWER, Measured, Metric
from bench.benchmarks.protocol import as_shown, check_protocol, crop_to_corrupt
from bench.corruptions.sequences import NOISE_SEQUENCES, PERTURBATIONS, SEQUENCES, Frames
from bench.data import CropRecipe
from bench.errors import ConfigurationError, nearest_names
from bench.metrics.stability import mean_over_perturbations
from bench.records import Condition, Outcomes
from bench.seeding import derive_seed

TOP = 5
"""Ranks that the ranking distance looks at."""


def _flip_probabilities(measured: Measured) -> NDArray[np.float64]:
    """``(N,)`` the mean over the ten perturbations."""
    flips = {condition.name: measured.column(condition, "flip_probability") for condition in measured.expected}
    return mean_over_perturbations(flips)


@dataclass(frozen=True, kw_only=True)
class Stability(Benchmark):
    """How often the decision changes from frame to frame, whether it is right or not.

    Frames are made from the base image, one of every image of the batch at a time; see `bench.corruptions.sequences`
    for how they differ from the published videos. Noise frames are compared with the first, others with the one before.
    Only the paper's first difficulty exists.

    Args:
        perturbations: any of the ten test perturbations.
        protocol: ``published``: ImageNet's 224-pixel base image for every classifier, its frames resized to the
            classifier's input. The videos' lossy coding is not repeated: what their decoder makes of them is defined by
            no script. ``native``: each classifier's own crop.

    Raises:
        ConfigurationError: an unknown perturbation or protocol.
    """

    perturbations: tuple[str, ...] = PERTURBATIONS
    protocol: str = "published"

    name = "stability"
    version = "3"
    axis = "Stability"
    metrics = (Metric("mean_flip_probability", "Flip probability", LOWER, _flip_probabilities),)
    citation = "Hendrycks & Dietterich, Benchmarking Neural Network Robustness to Common Corruptions, ICLR 2019"
    licence = "Apache-2.0: parameters of hendrycks/robustness"
    strength_unit = "difficulty"
    condition_fields = ("perturbations",)

    def __post_init__(self) -> None:
        for perturbation in self.perturbations:
            if perturbation not in PERTURBATIONS:
                raise ConfigurationError(
                    f"unknown perturbation {perturbation!r}: {nearest_names(perturbation, PERTURBATIONS)}"
                )
        check_protocol(self.protocol, None)

    @property
    def image_protocol(self) -> str:
        """As ``protocol`` says."""
        return self.protocol

    def recipe(self, crop: CropRecipe) -> CropRecipe:
        """The published base image, whatever the classifier's own ``crop``, or that."""
        return crop_to_corrupt(self.protocol, "imagenet_c", crop)

    def conditions(self) -> tuple[Condition, ...]:
        """Every perturbation at the paper's difficulty 1."""
        return tuple(Condition(perturbation, 1.0) for perturbation in self.perturbations)

    @property
    def passes(self) -> int:
        """A sequence's frames."""
        return 31

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass a frame: 31, or 41 for translate.

        Returns:
            The decision on the first frame, which is the image itself in the noise sequences and zoom_blur, with two
            columns of means over the pairs of frames beside it: ``flip_probability``, the share of pairs whose
            prediction differs, and ``top5_distance``, the mean of `ranking_distance`.
        """
        seeds = [derive_seed(seed, condition.key, str(image_id)) for image_id in batch.image_ids]
        flips = torch.zeros(len(batch), dtype=torch.float64, device=batch.images.device)
        distance, pairs = torch.zeros_like(flips), 0
        with torch.no_grad():
            decisions = _decisions(classifier, batch, SEQUENCES[condition.name](batch.images, seeds))
            first, reference = next(decisions)
            for _, order in decisions:
                flips += order[:, 0] != reference[:, 0]
                distance += ranking_distance(reference, order)
                pairs += 1
                if condition.name not in NOISE_SEQUENCES:
                    reference = order
        extra = {
            "flip_probability": (flips / pairs).cpu().numpy(),
            "top5_distance": (distance / pairs).cpu().numpy(),
        }
        return replace(first, extra=extra)


def _decisions(classifier: nn.Module, batch: Batch, frames: Frames) -> Iterator[tuple[Outcomes, Tensor]]:
    """Outcomes and ranking of every frame; no frame may be without a decision, so each is judged."""
    for frame in frames:
        shown = replace(batch, images=as_shown(frame, "none", batch.input_size))
        logits = classifier(shown.pixels())
        yield judge(logits, shown), ranking(logits)


def ranking(logits: Tensor) -> Tensor:
    """``(B,K)`` classes from the most to the least probable; the earlier class first where logits are equal."""
    return logits.argsort(dim=1, descending=True, stable=True)


def ranking_distance(before: Tensor, after: Tensor) -> Tensor:
    """The top-5 distance between rankings (section 4.2 of the paper): how far the first five have moved.

    With the class at rank ``i`` before at rank ``sigma(i)`` after, it is the sum over the first five ``i`` of
    ``|min(sigma(i), 6) - i|``: how far the class moves within the first five, or until it has left them. It is not
    symmetric.

    Args:
        before: ``(B,K)`` classes from the most to the least probable, as of `ranking`.
        after: ``(B,K)`` the same of the later frame.

    Returns:
        ``(B,)`` int64, at most 15; with fewer than five classes, all of them are looked at.
    """
    places = torch.arange(before.shape[1], device=before.device)
    place_after = torch.empty_like(after).scatter_(1, after, places.expand_as(after))
    moved = place_after.gather(1, before[:, :TOP]).clamp_(max=TOP)
    return (moved - places[:TOP]).abs_().sum(dim=1)

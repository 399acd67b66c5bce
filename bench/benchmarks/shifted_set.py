"""What the benchmarks on shifted image sets share: top-1 and top-5 decisions, and accuracy by variant of the set."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.benchmarks.base import Batch, Benchmark, judge
from bench.benchmarks.metric import HIGHER, Measured, Metric
from bench.errors import DataError
from bench.records import Condition, Outcomes

TOP = 5
SPLIT = "val"
"""Folder that some published sets put between a variant and its classes; it is no variant."""


@dataclass(frozen=True, kw_only=True)
class ShiftedSet(Benchmark):
    """Top-1 decision on a set of images of its own, and whether a right class is among the five likeliest."""

    version = "1"
    pictured = True
    axis = "Natural shifts"
    strength_unit = ""
    own_images = True
    calibrated = True

    def conditions(self) -> tuple[Condition, ...]:
        """The one condition: the images as they are."""
        return (Condition(self.name),)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass.

        Returns:
            Outcomes with ``top5`` beside them: whether a right class is among the five largest logits.
        """
        del condition, seed
        with torch.no_grad():
            logits = classifier(batch.pixels())
        return judge(logits, batch, {"top5": in_top_five(logits, batch)})


def in_top_five(logits: Tensor, batch: Batch) -> NDArray[np.bool_]:
    """``(B,)`` whether a right class of each image is among the five largest of its logits ``(B,K)``."""
    best = logits.topk(min(TOP, logits.shape[1]), dim=1).indices
    right = batch.labels[:, None] if batch.accepted is None else batch.accepted
    hits: NDArray[np.bool_] = (best[:, :, None] == right[:, None, :]).any(dim=2).any(dim=1).cpu().numpy()
    return hits


def accuracy_metrics(name: str, title: str, *, top5: bool = True) -> tuple[Metric, ...]:
    """The figures of a shifted set.

    Args:
        name: of the benchmark.
        title: of the set.
        top5: whether the top-5 accuracy is one of them.
    """
    first = Metric(f"{name}_accuracy", title, HIGHER, _correct, under_shift=True, published_as=f"{name}_accuracy")
    second = Metric(f"{name}_top5_accuracy", f"{title}, top-5", HIGHER, _top5, published_as=f"{name}_top5_accuracy")
    return (first, second) if top5 else (first,)


def _correct(measured: Measured) -> NDArray[np.bool_]:
    return measured.correct(Condition(measured.spec.benchmark))


def _top5(measured: Measured) -> NDArray[np.bool_]:
    column: NDArray[np.bool_] = measured.outcomes(Condition(measured.spec.benchmark))["top5"].to_numpy(dtype=bool)
    return column


def variants_of_images(image_ids: NDArray[np.str_]) -> NDArray[np.str_]:
    """``(N,)`` the folders above each image's class folder: ``mixed_same`` of ``mixed_same/val/00_dog/1.JPEG``."""
    names = []
    for image_id in image_ids.tolist():
        parts = image_id.split("/")[:-2]
        names.append("/".join(parts[:-1] if parts[-1:] == [SPLIT] else parts))
    return np.array(names)


def correct_by_variant(measured: Measured) -> dict[str, NDArray[np.bool_]]:
    """Variant -> ``(N_variant,)`` whether each of its images is right.

    Raises:
        DataError: the cell is missing, incomplete or failed.
    """
    rows = measured.outcomes(Condition(measured.spec.benchmark))
    variants, correct = variants_of_images(rows["image_id"].to_numpy(dtype=str)), rows["correct"].to_numpy(dtype=bool)
    return {str(name): correct[variants == name] for name in np.unique(variants)}


def variant_metric(name: str, title: str, variant: str) -> Metric:
    """The accuracy on one variant of a set."""

    def values(measured: Measured) -> NDArray[np.bool_]:
        found = correct_by_variant(measured)
        if variant not in found:
            raise DataError(f"{measured.spec.dataset} has no images in a folder {variant}")
        return found[variant]

    return Metric(name, title, HIGHER, values, under_shift=True)


def mean_over_variants(measured: Measured) -> NDArray[np.float64]:
    """``(N,)`` what each image contributes to the mean of the variants' accuracies, each of the same weight.

    Raises:
        DataError: as ``correct_by_variant``.
    """
    found = list(correct_by_variant(measured).values())
    return weighted([(values, 1 / len(found)) for values in found])


def weighted(parts: list[tuple[NDArray[np.bool_], float]]) -> NDArray[np.float64]:
    """Values whose mean is the weighted sum of the accuracies of disjoint parts: ``(values, weight)`` each."""
    n = sum(len(values) for values, _ in parts)
    return np.concatenate([values * (weight * n / len(values)) for values, weight in parts])

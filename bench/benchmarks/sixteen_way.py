"""Decisions among the 16 categories of Geirhos et al. (2018, 2019), and accuracy on folder sets that are named so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.benchmarks.base import Batch, Benchmark, judge
from bench.benchmarks.metric import HIGHER, Measured, Metric
from bench.data import CropRecipe, LabelSpace
from bench.data.categories import CATEGORIES, CATEGORY_NUMBERS, CategoryMap, imagenet_categories, read_category_map
from bench.errors import ConfigurationError, DataError
from bench.models import group_scores
from bench.records import Condition, Outcomes, Parameter

PUBLISHED_SIDE = 224
"""Pixels of the published stimuli (rgeirhos/texture-vs-shape)."""


def category_scores(logits: Tensor, categories: CategoryMap) -> Tensor:
    """Log of each category's **mean** softmax probability over its classes.

    Not their sum or maximum: a category of many classes would win by their number (Geirhos et al. 2019; either moves
    a network's shape bias by points).

    Args:
        logits: ``(B,K)`` before softmax.
        categories: the ``C`` categories' columns.

    Returns:
        ``(B,C)``, in the order of ``categories.columns``.

    Raises:
        DataError: the classifier's label space is another one than the map's.
    """
    n_classes, highest = logits.shape[1], max(max(columns) for columns in categories.columns.values())
    if highest >= n_classes or n_classes != (categories.n_classes or n_classes):
        expected = categories.n_classes or f"more than {highest}"
        raise DataError(
            f"the classifier has {n_classes} classes, and the map to the 16 categories is for {expected}: give the"
            " benchmark a class_map=FILE for its label space"
        )
    return group_scores(logits, list(categories.columns.values()), "mean")


def judge_categories(
    logits: Tensor, batch: Batch, categories: CategoryMap, extra: Mapping[str, NDArray[Any]] | None = None
) -> Outcomes:
    """Outcomes among the categories: label and prediction are places in ``CATEGORIES``.

    The confidence is the decision's share of the categories' mean probabilities. The decision's name stands in the
    column ``decision``.

    Raises:
        DataError: labels that are no categories, or a category that the label space does not have.
        NonFiniteLogitsError: a logit is NaN or infinite.
    """
    numbers = np.array([CATEGORY_NUMBERS[category] for category in categories.columns])
    places = {int(number): place for place, number in enumerate(numbers)}
    for image_id, label in zip(batch.image_ids, batch.labels.tolist(), strict=True):
        if label not in places:
            known = label in range(len(CATEGORIES))
            why = f"the class map has no {CATEGORIES[label]!r}" if known else "its label is none of the 16 categories"
            raise DataError(f"{image_id} cannot be decided on: {why}")
    inner = torch.tensor([places[label] for label in batch.labels.tolist()])
    judged = judge(category_scores(logits, categories), replace(batch, labels=inner))
    prediction = numbers[judged.prediction]
    decision = np.array(CATEGORIES)[prediction]
    return replace(
        judged, label=numbers[judged.label], prediction=prediction, extra={"decision": decision, **(extra or {})}
    )


def _correct(measured: Measured) -> NDArray[np.bool_]:
    return measured.correct(Condition(SixteenWay.name))


@dataclass(frozen=True, kw_only=True)
class SixteenWay(Benchmark):
    """16-way decision on a folder set of category folders: edges, silhouettes, sketches, stylised images, ...

    The images are shown whole.

    Args:
        resize: ``own``, to the input of a classifier that takes another size; or ``none``, at the 224 pixels that they
            were published with, to classifiers that take them.
        class_map: file that says which of the classifier's classes make up a category; the published map for
            ImageNet's 1,000 classes when left out.

    Raises:
        ConfigurationError: the class map is missing or malformed, or ``resize`` is neither.
    """

    class_map: str | None = None
    resize: str = "own"

    name = "sixteen_way"
    version = "1"
    pictured = True
    axis = "16 categories"
    several = True
    metrics: ClassVar[tuple[Metric, ...]] = (Metric("category_accuracy", "16-way accuracy", HIGHER, _correct),)
    citation = "Geirhos et al., Generalisation in humans and deep neural networks, NeurIPS 2018"
    strength_unit = ""

    def __post_init__(self) -> None:
        if self.resize not in ("own", "none"):
            raise ConfigurationError(f"{self.name} shows images with resize=own or resize=none, not {self.resize!r}")

    @property
    def label_kind(self) -> str:
        """The 16 categories."""
        return "categories"

    @property
    def categories(self) -> CategoryMap:
        """The map in use."""
        return imagenet_categories() if self.class_map is None else read_category_map(Path(self.class_map))

    def recipe(self, crop: CropRecipe) -> CropRecipe:
        """No crop, as the stimuli were shown to people; no resize where the images have the classifier's size already,
        or where there is to be none.
        """
        return CropRecipe.exact(PUBLISHED_SIDE) if self.resize == "none" else replace(crop, crop_pct=1.0)

    def shown_size(self, crop: CropRecipe) -> tuple[int, int]:
        """That of the recipe."""
        recipe = self.recipe(crop)
        return recipe.height, recipe.width

    def check(self) -> None:
        """Refuse a class map that cannot be read."""
        _ = self.categories

    def check_classifier(self, label_space: LabelSpace) -> None:
        """Refuse a classifier whose classes are not those of the map."""
        self.categories.check_classifier(label_space)

    def parameters(self) -> Mapping[str, Parameter]:
        """What the map says, not where it lies; and the resize."""
        return {"categories": self.categories.digest, "resize": self.resize}

    def conditions(self) -> tuple[Condition, ...]:
        """The one condition: the images as they are."""
        return (Condition(self.name),)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass."""
        del condition, seed
        with torch.no_grad():
            return judge_categories(classifier(batch.pixels()), batch, self.categories)

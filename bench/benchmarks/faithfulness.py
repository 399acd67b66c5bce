"""Are a classifier's attribution maps to be believed? Deletion, insertion, randomised weights, another method."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.benchmarks.base import Batch, Benchmark, judge
from bench.benchmarks.cam_audit import attribution_maps
from bench.errors import ConfigurationError
from bench.explain import (
    check_method,
    check_without_gradient,
    deletion,
    insertion,
    randomisation_check,
    rank_correlation,
)
from bench.models import Classifier
from bench.records import Condition, Outcomes
from bench.seeding import derive_seed

COLUMNS = (
    *("deletion_area", "random_deletion_area", "insertion_area", "random_insertion_area"),
    *("head_correlation", "all_correlation", "method_correlation"),
)


@dataclass(frozen=True, kw_only=True)
class Faithfulness(Benchmark):
    """Evidence for and against the maps of an attribution method, on some images of the dataset.

    Costly, and a few images tell: ``share`` picks them by name, the same for every classifier; the others have an
    outcome and no figure.

    Args:
        method: a name of ``bench.explain.METHODS``.
        other: the method that its maps are compared with.
        steps: of the deletion and insertion curves (Petsiuk et al. 2018).
        randomise: whether weights are randomised (Adebayo et al. 2018): of the last layer, then of all.
        share: of the images, above 0 and up to 1.

    Raises:
        ConfigurationError: an unknown method, or a number out of range.
    """

    method: str = "grad_cam"
    other: str = "saliency"
    steps: int = 28
    randomise: bool = True
    share: float = 1.0

    name = "faithfulness"
    version = "1"
    axis = "Faithfulness"
    citation = "Petsiuk et al., RISE, BMVC 2018; Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018"
    strength_unit = ""

    def __post_init__(self) -> None:
        check_method(self.method)
        check_method(self.other)
        if self.steps < 1 or not 0 < self.share <= 1:
            raise ConfigurationError("steps is at least 1, and share is above 0 and up to 1")

    @property
    def passes(self) -> int:
        """Of an average image."""
        return 1 + round(self.share * (4 * (self.steps + 1) + 12))

    def conditions(self) -> tuple[Condition, ...]:
        """The one condition: the images as they are."""
        return (Condition(self.name),)

    def check_without_gradient(self, classifier: str) -> None:
        """Refuse it to methods that follow a gradient, and to randomised weights, which it has none of."""
        for method in (self.method, self.other):
            check_without_gradient(method, classifier)
        if self.randomise:
            raise ConfigurationError(f"{classifier} has no weights that could be randomised: set randomise=false")

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """Decision, maps of the predicted class, and their curves.

        Returns:
            Outcomes with the float columns of ``COLUMNS``, NaN where the image was not picked. Areas below the curves
            of the map and of random numbers; rank correlations of absolute maps with those of the network whose last
            layer, or whole, is random (NaN without ``randomise``), and with the other method's.
        """
        del condition
        pixels = batch.pixels()
        with torch.no_grad():
            outcomes = judge(classifier(pixels), batch)
        picked = [derive_seed("share", str(name), bits=32) < self.share * 2**32 for name in batch.image_ids]
        columns = {name: np.full(len(batch), np.nan) for name in COLUMNS}
        rows = np.flatnonzero(picked)
        if len(rows):
            part = batch.rows(rows)
            targets = torch.as_tensor(outcomes.prediction[rows]).to(pixels.device)
            for name, values in self._figures(classifier, part, targets, seed).items():
                columns[name][rows] = values
        return replace(outcomes, extra=columns)

    def _figures(
        self, classifier: nn.Module, batch: Batch, targets: Tensor, seed: int
    ) -> Mapping[str, NDArray[np.float64]]:
        pixels, baseline = batch.pixels(), _mean_colour(classifier)
        maps = attribution_maps(classifier, pixels, targets, self.method, batch, seed=seed)
        others = attribution_maps(classifier, pixels, targets, self.other, batch, seed=seed)
        noise = torch.stack([_noise(maps[0], derive_seed(seed, "noise", str(name))) for name in batch.image_ids])
        figures = {"method_correlation": rank_correlation(maps.abs(), others.abs())}
        for curve in (deletion, insertion):
            for prefix, order in (("", maps), ("random_", noise)):
                walked = curve(classifier, pixels, targets, order, steps=self.steps, baseline=baseline)
                figures[f"{prefix}{curve.__name__}_area"] = walked.area
        if self.randomise:
            stages = randomisation_check(classifier, pixels, targets, self.method, stages=2, seed=seed)
            figures["head_correlation"], figures["all_correlation"] = (stage.correlation for stage in stages)
        return {name: values.double().cpu().numpy() for name, values in figures.items()}


def _noise(like: Tensor, seed: int) -> Tensor:
    return torch.rand(like.shape, generator=torch.Generator().manual_seed(seed)).to(like.device)


def _mean_colour(classifier: nn.Module) -> Any:
    """What blank pixels become: zero after normalisation, the authors' choice; grey for a network without any."""
    means = (part.mean for part in classifier.modules() if isinstance(part, Classifier))
    return next(means, 0.5)

"""Parametric image manipulations (Geirhos et al. 2018), made on the fly from any dataset."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import nn

from bench.benchmarks.base import Batch, Benchmark, judge
from bench.benchmarks.sixteen_way import judge_categories
from bench.corruptions.parametric import MANIPULATIONS, check_strength, manipulate
from bench.data import LabelSpace
from bench.data.categories import CategoryMap, imagenet_categories, read_category_map
from bench.errors import ConfigurationError
from bench.records import Condition, Outcomes, Parameter
from bench.seeding import derive_seed


@dataclass(frozen=True, kw_only=True)
class Parametric(Benchmark):
    """Decision on greyscale, low-contrast, filtered, noisy, phase-scrambled and rotated images.

    Args:
        decision: ``classes``, top-1 on images with the classifier's labels; or ``categories``, 16-way on folders of
            the 16 categories, as the paper's humans decided.
        class_map: with ``categories``, as of `bench.benchmarks.sixteen_way.SixteenWay`.
        greyscale: ``1`` or nothing.
        contrast: percent of contrast left.
        low_pass: standard deviations of the Gaussian, in pixels.
        high_pass: the same.
        uniform_noise: half widths of the noise, of the range [0,1]; the contrast is reduced to 30 % first.
        phase_scrambling: half widths of the phase noise, in degrees.
        rotation: degrees, counter-clockwise.

    Raises:
        ConfigurationError: an unknown decision, or a strength outside its limits.
    """

    decision: str = "classes"
    class_map: str | None = None
    greyscale: tuple[float, ...] = MANIPULATIONS["greyscale"].published
    contrast: tuple[float, ...] = MANIPULATIONS["contrast"].published
    low_pass: tuple[float, ...] = MANIPULATIONS["low_pass"].published
    high_pass: tuple[float, ...] = MANIPULATIONS["high_pass"].published
    uniform_noise: tuple[float, ...] = MANIPULATIONS["uniform_noise"].published
    phase_scrambling: tuple[float, ...] = MANIPULATIONS["phase_scrambling"].published
    rotation: tuple[float, ...] = MANIPULATIONS["rotation"].published

    name = "parametric"
    version = "2"
    pictured = True
    axis = "Parametric"
    several = True
    citation = "Geirhos et al., Generalisation in humans and deep neural networks, NeurIPS 2018"
    strength_unit = ""
    condition_fields = tuple(MANIPULATIONS)

    def __post_init__(self) -> None:
        if self.decision not in ("classes", "categories"):
            raise ConfigurationError(f"parametric decides among 'classes' or 'categories', not {self.decision!r}")
        for condition in self.conditions():
            check_strength(condition.name, condition.strength)

    @property
    def label_kind(self) -> str:
        """As ``decision`` says."""
        return self.decision

    @property
    def categories(self) -> CategoryMap:
        """The map in use, where categories are decided on."""
        return imagenet_categories() if self.class_map is None else read_category_map(Path(self.class_map))

    def check(self) -> None:
        """Refuse a class map that cannot be read, or that nothing would read."""
        if self.class_map is not None and self.decision == "classes":
            raise ConfigurationError("parametric reads class_map only with decision=categories")
        _ = self.categories

    def check_classifier(self, label_space: LabelSpace) -> None:
        """Refuse a classifier whose classes are not those of the map."""
        if self.decision == "categories":
            self.categories.check_classifier(label_space)

    def parameters(self) -> Mapping[str, Parameter]:
        """The decision, and what the map says."""
        return {"categories": self.categories.digest} if self.decision == "categories" else {}

    def conditions(self) -> tuple[Condition, ...]:
        """Every manipulation at every strength."""
        lists = [field.name for field in fields(self) if field.name in MANIPULATIONS]
        return tuple(Condition(name, float(strength)) for name in lists for strength in getattr(self, name))

    def unit(self, condition: Condition) -> str:
        """The manipulation's own."""
        return MANIPULATIONS[condition.name].unit

    def make(self, batch: Batch, condition: Condition, *, seed: int) -> Batch:
        """The batch with its images manipulated."""
        if batch.made:
            return batch
        seeds = [derive_seed(seed, condition.key, str(image_id)) for image_id in batch.image_ids]
        return replace(batch, images=manipulate(batch.images, condition, seeds), made=True)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass."""
        shown = self.make(batch, condition, seed=seed)
        with torch.no_grad():
            logits = classifier(shown.pixels())
            if self.decision == "classes":
                return judge(logits, shown)
            return judge_categories(logits, shown, self.categories)

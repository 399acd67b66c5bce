"""A plug-in in one file: a benchmark that darkens the images."""

from dataclasses import dataclass

import torch

from bench.benchmarks import HIGHER, Benchmark, Metric, judge, register_benchmark
from bench.benchmarks.metric import correct_at_largest_strength
from bench.records import Condition


@register_benchmark
@dataclass(frozen=True, kw_only=True)
class Shade(Benchmark):
    """Top-1 decision on darkened images.

    Args:
        shades: shares of the brightness that are taken away, from 0 to 1.
    """

    shades: tuple[float, ...] = (0.2, 0.5)

    name = "shade"
    version = "1"
    axis = "Shade"
    strength_unit = "shade"
    citation = "nobody, 2026"
    condition_fields = ("shades",)
    metrics = (
        Metric(
            "shade_accuracy",
            "Accuracy in the shade",
            HIGHER,
            correct_at_largest_strength,
            at_largest_strength=True,
            under_shift=True,
            note="The shade is even.",
        ),
    )
    needs_clean = True

    def conditions(self):
        return tuple(Condition("shade", shade) for shade in self.shades)

    def run(self, classifier, batch, condition, *, seed):
        with torch.no_grad():
            return judge(classifier(batch.pixels() * (1 - condition.strength)), batch)

"""An installed plug-in: a benchmark that a suite may hold several entries of, each with its own colour."""

from dataclasses import dataclass

import torch

from bench.benchmarks import HIGHER, Benchmark, Metric, judge, register_benchmark
from bench.benchmarks.metric import correct_at_largest_strength
from bench.records import Condition


@register_benchmark
@dataclass(frozen=True, kw_only=True)
class Tint(Benchmark):
    """Top-1 decision on images of which one colour channel is weakened.

    Args:
        channel: 0 for red, 1 for green, 2 for blue.
        shares: what is taken away, from 0 to 1.
    """

    channel: int = 0
    shares: tuple[float, ...] = (0.5,)

    name = "tint"
    version = "3"
    strength_unit = "percent"
    several = True
    condition_fields = ("shares",)
    metrics = (Metric("tint_accuracy", "tint accuracy", HIGHER, correct_at_largest_strength),)

    def conditions(self):
        return tuple(Condition("tint", 100 * share) for share in self.shares)

    def run(self, classifier, batch, condition, *, seed):
        pixels = batch.pixels()
        pixels[:, self.channel] *= 1 - condition.strength / 100
        with torch.no_grad():
            return judge(classifier(pixels), batch)

"""Accuracy on the images as they are."""

from dataclasses import dataclass

import torch
from torch import nn

from bench.benchmarks.base import Batch, Benchmark, judge
from bench.records import Condition, Outcomes


@dataclass(frozen=True, kw_only=True)
class Clean(Benchmark):
    """Top-1 decision on the untouched crops."""

    name = "clean"
    version = "1"
    strength_unit = ""

    def conditions(self) -> tuple[Condition, ...]:
        """The one condition: untouched."""
        return (Condition("clean"),)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass."""
        del condition, seed
        with torch.no_grad():
            return judge(classifier(batch.pixels()), batch)

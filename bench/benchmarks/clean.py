"""Accuracy on the images as they are."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.benchmarks.base import Batch, Benchmark, judge
from bench.benchmarks.metric import HIGHER, Measured, Metric
from bench.benchmarks.real_labels import applies_to, real_values
from bench.benchmarks.words import CLEAN
from bench.records import Condition, Outcomes


def _correct(measured: Measured) -> NDArray[np.bool_]:
    return measured.correct(CLEAN)


@dataclass(frozen=True, kw_only=True)
class Clean(Benchmark):
    """Top-1 decision on the untouched crops."""

    name = "clean"
    version = "1"
    pictured = True
    axis = "Clean"
    strength_unit = ""
    calibrated = True
    metrics = (
        Metric(
            "clean_accuracy",
            "Clean accuracy",
            HIGHER,
            _correct,
            always=True,
            on_front=True,
            order=3,
            published_as="clean_accuracy",
        ),
        Metric("real_accuracy", "ReaL accuracy", HIGHER, real_values, applies=applies_to, published_as="real_accuracy"),
    )

    def conditions(self) -> tuple[Condition, ...]:
        """The one condition: untouched."""
        return (CLEAN,)

    def run(self, classifier: nn.Module, batch: Batch, condition: Condition, *, seed: int) -> Outcomes:
        """One forward pass."""
        del condition, seed
        with torch.no_grad():
            return judge(classifier(batch.pixels()), batch)

"""Benchmarks: classifier and images to per-image outcomes, each one module and one yaml."""

from bench.benchmarks.base import Batch, Benchmark, NonFiniteLogitsError, Shown, judge
from bench.benchmarks.metric import HIGHER, LOWER, Measured, Metric
from bench.benchmarks.registry import register_benchmark

__all__ = [
    "HIGHER",
    "LOWER",
    "Batch",
    "Benchmark",
    "Measured",
    "Metric",
    "NonFiniteLogitsError",
    "Shown",
    "judge",
    "register_benchmark",
]

"""Benchmarks: classifier and images to per-image outcomes, each one module and one yaml."""

from bench.benchmarks.base import Batch, Benchmark, NonFiniteLogitsError, judge

__all__ = ["Batch", "Benchmark", "NonFiniteLogitsError", "judge"]

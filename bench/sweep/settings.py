"""Typed settings of one job: which classifiers, which benchmarks on which images, and how to run them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.benchmarks import Benchmark
from bench.configs import BudgetConfig, DataConfig, EngineConfig, ModelConfig, RuntimeConfig
from bench.errors import ConfigurationError
from bench.models import Defense


@dataclass(frozen=True)
class Settings:
    """One job: one classifier or several, taken through a suite."""

    models: tuple[ModelConfig, ...]
    """The classifiers."""
    defense: Defense | None
    """What stands in front of each."""
    data: DataConfig
    """The images, unless a benchmark brings its own."""
    benchmarks: Mapping[str, tuple[Benchmark, DataConfig]]
    """The suite, by name, each benchmark with its images."""
    runtime: RuntimeConfig
    """How to run."""
    engine: EngineConfig
    """Who runs it."""
    store: str
    """Where results go."""
    seed: int
    """The sweep's seed."""
    plugins: tuple[str, ...] = ()
    """Files of plug-ins, which every worker loads."""
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    """How much of it is run."""

    @property
    def auxiliary(self) -> frozenset[str]:
        """Entries of the suite whose images are not the main ones."""
        return auxiliary_entries({name: data for name, (_, data) in self.benchmarks.items()}, self.data)

    @property
    def model(self) -> ModelConfig:
        """The classifier, where there is one.

        Raises:
            ConfigurationError: there are several.
        """
        if len(self.models) > 1:
            raise ConfigurationError("this task takes one classifier: give model=NAME instead of models")
        return self.models[0]


def auxiliary_entries(images: Mapping[str, DataConfig | None], main: DataConfig | None) -> frozenset[str]:
    """Entries of a suite whose images are not the main ones.

    Args:
        images: of each entry; None for images that come from Python.
        main: the main images, likewise.
    """
    return frozenset(name for name, data in images.items() if data != main)

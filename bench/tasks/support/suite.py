"""The entries of the configured suite, as stored cells are compared with them."""

from omegaconf import DictConfig, OmegaConf

from bench.configs import DataConfig
from bench.library.presets import build_benchmark
from bench.results.holdings import SuiteEntry
from bench.tasks.support.config import chosen_benchmarks

NAMING = ("name", "source", "root", "dataset")
"""Fields of a data section that name the dataset."""


def suite_entries(config: DictConfig) -> dict[str, SuiteEntry]:
    """The suite of ``config``, by entry; imports torch, since only a benchmark's class knows its conditions.

    Raises:
        ConfigurationError: a benchmark with an unknown parameter, or a value of the wrong type.
    """
    from bench.data import dataset_name

    entries = {}
    for name, node in chosen_benchmarks(config).items():
        own, benchmark, main = node.get("data"), build_benchmark(name, node), DataConfig()
        shown = benchmark.data_of(main)
        if own is not None:
            shown = DataConfig(**{key: own[key] for key in NAMING if not OmegaConf.is_missing(own, key)})
        dataset = None if shown is main else dataset_name(shown)
        entries[name] = SuiteEntry(frozenset(benchmark.conditions()), dataset)
    return entries

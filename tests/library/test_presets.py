"""Yaml files read without Hydra are what Hydra makes of them."""

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra

import bench
from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.data import DataConfig
from bench.errors import ConfigurationError
from bench.library.presets import build_benchmark, names_of, preset_benchmark, preset_suite
from bench.tasks.support.config import chosen_benchmarks

SAMPLES = DataConfig(source="samples", regions="samples")


def compose(*overrides):
    register_schemas()
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", overrides=list(overrides))


@pytest.mark.parametrize("name", names_of("benchmark"))
def test_a_benchmark_by_name_is_hydras(name):
    config = compose(f"benchmark={name}")
    (node,) = chosen_benchmarks(config).values()
    found = preset_benchmark(name, SAMPLES)
    assert found.benchmark == build_benchmark(name, node)
    assert found.data is None  # where images of their own lie is for the caller to say
    assert "data" not in node or node.data.root is None


@pytest.mark.parametrize("name", sorted({*names_of("suite")} - {"natural_shift", "openood"}))
def test_a_suite_by_name_is_hydras(name):
    expected = {entry: build_benchmark(entry, node) for entry, node in compose(f"suite={name}").benchmarks.items()}
    assert {entry: found.benchmark for entry, found in preset_suite(name, SAMPLES).items()} == expected


def test_parameters_can_be_changed_by_name():
    changed = bench.benchmark("pgd", epsilons=["4/255"], options={"steps": 3})
    (condition,) = changed.conditions()
    assert condition.strength == 4 / 255
    assert changed.options["steps"] == 3
    with pytest.raises(ConfigurationError, match="no parameter 'epsilon': did you mean 'epsilons'"):
        bench.benchmark("pgd", epsilon=4 / 255)


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(ConfigurationError, match="unknown benchmark 'corruptions': did you mean 'corruption"):
        preset_benchmark("corruptions")
    with pytest.raises(ConfigurationError, match=r"unknown suite '\.\./suite/full'"):
        preset_suite("../suite/full")

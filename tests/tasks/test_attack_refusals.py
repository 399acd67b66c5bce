"""What would run nothing, drop a suite's threat model or attack in the wrong unit is refused before any work."""

import hydra
import pytest

from bench.cli.checks import preflight
from bench.cli.schemas import register_schemas
from bench.conf_files import CONF
from bench.errors import ConfigurationError
from bench.tasks.support.config import chosen_benchmarks


@pytest.fixture(autouse=True)
def _schemas():
    register_schemas()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["benchmark=corruption", "benchmark.severities=[]"], "benchmark 'corruption' runs nothing: .* severities"),
        (["benchmarks.pgd.epsilons=[]"], "benchmark 'pgd' runs nothing: give at least one of epsilons"),
        (["data.limit=500"], r"data\.limit=500 is more than the 20 images of samples"),
        (["benchmark=null"], "benchmark=null: give the name of one choice"),
        (["~suite"], "the configuration lacks 'benchmarks'"),
        (
            ["suite=cifar10_linf", "benchmark=fgsm"],
            r"leave out suite=cifar10_linf and give benchmark\.epsilons=\[0,8/255\]; or leave out benchmark",
        ),
        (
            ["suite=cifar10_linf", "benchmark=pgd"],
            r"benchmark\.options\.steps=40 benchmark\.options\.rel_stepsize=0\.05",
        ),
        (["suite=imagenet_linf", "benchmark=corruption"], "leave out suite=imagenet_linf; or leave out benchmark"),
        (["benchmarks.pgd.epsilons=[0.1,1/10]"], "benchmark 'pgd' lists pgd_linf@0.1 more than once"),
        (["benchmarks.pgd.epsilons=[8]"], "epsilon 8 is beyond 1, .* write 8/255"),
        (["benchmark=fmn", "benchmark.epsilons=[2]"], "epsilon 2 is beyond 1, .* write 2/255"),
        (["benchmark=transfer", "benchmark.epsilons=[8]"], "epsilon 8 is beyond 1"),
        (["benchmarks.pgd.options.steps=0"], r"steps is a whole number of at least 1 \(by default 40\), not 0"),
        (["benchmark=autoattack", "benchmark.options.stages=[apgd]"], "stages is a list of apgd-ce, apgd-t"),
    ],
)
def test_refused_in_one_line(overrides, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        preflight(overrides)
    assert "\n" not in str(caught.value)


def test_a_suite_of_no_benchmark_is_refused():
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        entries = chosen_benchmarks(hydra.compose("config"))
    with pytest.raises(ConfigurationError, match="the suite has no benchmark"):
        preflight([f"~benchmarks.{entry}" for entry in entries])


def test_a_benchmark_without_a_suite_runs_by_its_own_yaml():
    preflight(["benchmark=fgsm"])
    preflight(["suite=cifar10_linf"])

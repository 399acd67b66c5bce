"""Attacks as benchmarks: one identity for each attack, and radii that cannot be meant are refused before any work."""

import json

import pytest

from bench.benchmarks.attack import Attack
from bench.benchmarks.transfer import Transfer
from bench.errors import ConfigurationError
from bench.sweep import plan_cells
from bench.training import Recipe, check_recipe


def attack(name, epsilons=("4/255",), **changes):
    fields = {"options": {}, "norm": None, "restarts": 1, "target": ""} | changes
    return Attack(attack=name, epsilons=epsilons, **fields)


def identity(benchmark):
    """What a cell's identity says of the benchmark, as text."""
    return json.dumps(dict(benchmark.parameters()), sort_keys=True), [c.key for c in benchmark.conditions()]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (attack("pgd_linf"), attack("LinfProjectedGradientDescentAttack")),
        (attack("pgd_linf"), attack("pgd_linf", options={"steps": 40}, norm="linf")),
        (attack("hop_skip_jump", [1]), attack("HopSkipJumpAttack", [1.0], options={"constraint": "l2"})),
        (attack("autoattack"), attack("autoattack", options={"queries": 5000}, norm="linf")),
        (attack("one_pixel", [1]), attack("one_pixel", ["1"], options={"batch_size": 3})),
    ],
)
def test_an_attack_is_one_cell_however_it_is_written(one, other):
    assert identity(one) == identity(other)


def test_a_surrogates_attack_has_one_name_too():
    names = ("pgd_linf", "LinfProjectedGradientDescentAttack")
    both = [Transfer(surrogates=("lite0",), epsilons=(0.1,), attack=name, options={}) for name in names]
    assert both[0].parameters() == both[1].parameters()


@pytest.mark.parametrize("epsilon", [8, "8", 2.0, "255/100"])
def test_grey_levels_given_as_epsilon_are_refused(epsilon):
    with pytest.raises(ConfigurationError, match=r"is beyond 1, .*write .*/255"):
        attack("pgd_linf", [0, epsilon])
    with pytest.raises(ConfigurationError, match=r"is beyond 1"):
        Transfer(surrogates=("lite0",), epsilons=(epsilon,), attack="pgd_linf", options={}).check()
    with pytest.raises(ConfigurationError, match=r"write .*/255"):
        check_recipe(Recipe(epsilon=str(epsilon)))


def test_no_steps_are_refused_where_the_benchmark_is_made():
    with pytest.raises(ConfigurationError, match="steps is a whole number of at least 1"):
        attack("pgd_linf", options={"steps": 0})


def test_a_cell_of_less_than_standard_autoattack_says_so(channel_means, make_crops):
    suite = {
        "aa": attack("autoattack"),
        "quick": attack("autoattack", options={"queries": 50}),
        "pgd": attack("pgd_linf", options={"steps": 1}),
    }
    cells = plan_cells(channel_means, {name: (entry, make_crops(2)) for name, entry in suite.items()}, seed=0)
    assert [cell.spec.title for cell in cells] == ["aa", "quick (reduced: queries 50 of 5000)", "pgd"]

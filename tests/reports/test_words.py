"""Conditions in words: their unit comes from what the benchmark declares, never from a list of names."""

from dataclasses import dataclass

import pytest

from bench.benchmarks.attack import Attack
from bench.benchmarks.base import Benchmark, judge
from bench.benchmarks.parametric import Parametric
from bench.benchmarks.registry import register_benchmark
from bench.benchmarks.transfer import Transfer
from bench.benchmarks.words import describe_condition
from bench.records import Condition
from bench.reports.entries import read_entries
from bench.reports.missing import missing_cells, missing_sentences
from bench.reports.protocols import with_protocols
from bench.results import Store
from bench.sweep import plan_cells


@register_benchmark
@dataclass(frozen=True, kw_only=True)
class Gamma(Benchmark):
    """The example of CONTRIBUTING.md."""

    gammas: tuple[float, ...] = (0.5, 2.0)

    name = "gamma"
    version = "1"
    strength_unit = "gamma"
    condition_fields = ("gammas",)

    def conditions(self):
        return tuple(Condition("gamma", gamma) for gamma in self.gammas)

    def run(self, classifier, batch, condition, *, seed):
        return judge(classifier(batch.pixels() ** condition.strength), batch)


def test_a_benchmark_of_ones_own_is_reported_in_its_own_unit(
    tmp_path, make_crops, channel_means, make_outcomes, provenance
):
    store = Store(str(tmp_path / "store"))
    cells = plan_cells(channel_means, {"gamma": (Gamma(), make_crops(10))}, seed=0)
    store.write_part(cells[0].spec, make_outcomes(0, 10), 0, provenance)
    store.write_part(cells[1].spec, make_outcomes(0, 4), 0, provenance)
    missing = missing_cells(with_protocols(read_entries(store)))
    assert ("channel_means", "gamma, gamma 2: stopped half-way") in missing_sentences(missing)


@pytest.mark.parametrize(
    ("condition", "unit", "said", "words"),
    [
        (Condition("clean"), "", (), "the clean images"),
        (Condition("snow", 3), "severity", ("corruption",), "snow severity 3"),
        (Condition("pgd_linf", 4 / 255), "epsilon", ("attack", "my_pgd", "pgd_linf"), "epsilon 4/255"),
        (Condition("one_pixel", 1), "pixels", ("one_pixel",), "1 pixel"),
        (Condition("rotation", 90), "degrees", ("parametric",), "rotation 90 degrees"),
        (Condition("cue_conflict"), "", ("cue_conflict",), "cue_conflict"),
    ],
)
def test_conditions_in_words(condition, unit, said, words):
    assert describe_condition(condition, unit, said) == words


def test_a_surrogate_is_named_without_the_digest_of_its_weights():
    assert Transfer.describe(Condition("lite0#00ff", 0.5), "epsilon") == "lite0 epsilon 0.5"


def test_units_that_differ_between_conditions_come_from_the_condition():
    parametric = Parametric()
    assert {item.name: parametric.unit(item) for item in parametric.conditions()}["low_pass"] == "sigma"
    one_pixel = Attack(attack="one_pixel", epsilons=(1,), options={}, norm=None, restarts=1, target="")
    assert [one_pixel.unit(item) for item in one_pixel.conditions()] == ["pixels"]

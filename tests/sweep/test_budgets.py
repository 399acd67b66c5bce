"""Samples of the images: what a budget buys, how samples grow, and that the full run is the largest of them."""

import logging
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import bench
from bench.benchmarks import HIGHER, Benchmark, Metric, judge, registry
from bench.configs import BudgetConfig
from bench.errors import ConfigurationError
from bench.records import Condition
from bench.results import Store
from bench.sweep import plan_cells, plan_units
from bench.sweep.sampling import Round, allocate, next_size
from tests.conftest import ToyCrops

SETTINGS = {"threads": 1, "batch_size": 16}


def darkened_accuracy(measured):
    return np.mean([measured.correct(condition) for condition in measured.expected], axis=0)


@dataclass(frozen=True, kw_only=True)
class Darker(Benchmark):
    """Adds a constant to one channel; cheap, and harder with the strength."""

    shifts: tuple[float, ...] = (0.0, 0.01, 0.02, 0.03)
    cost: int = 1

    name = "darker"
    version = "1"
    strength_unit = "shift"
    condition_fields = ("shifts",)
    metrics = (Metric("darkened_accuracy", "Darkened accuracy", HIGHER, darkened_accuracy),)

    def conditions(self):
        return tuple(Condition("darker", shift) for shift in self.shifts)

    @property
    def passes(self):
        return self.cost

    def run(self, classifier, batch, condition, *, seed):
        pixels = batch.pixels()
        pixels[:, 0] += condition.strength
        return judge(classifier(pixels), batch)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setattr(registry, "_plugged", {**registry._plugged, "darker": Darker})


class Channels(nn.Module):
    def forward(self, images):
        return 20 * images.mean((2, 3))


def images(n=120, seed=3):
    draw = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 180, (n, 3, 8, 8), dtype=torch.uint8, generator=draw)
    labels = torch.arange(n) % 3
    pixels[torch.arange(n), labels] += 10
    return pixels, labels


def cells_of(n, *benchmarks):
    crops = ToyCrops(
        torch.zeros(n, 3, 2, 2, dtype=torch.uint8), np.arange(n) % 3, np.array([f"image_{i}" for i in range(n)])
    )
    classifier = SimpleNamespace(
        name="toy",
        weights_digest="00ff",
        crop=SimpleNamespace(key="2x2", height=2, width=2),
        precision="float32",
        input_size=(2, 2),
    )
    return plan_cells(classifier, {f"entry{i}": (item, crops) for i, item in enumerate(benchmarks)}, seed=0)


def test_a_budget_goes_where_it_lowers_the_variance_most():
    # Neyman: images ~ 1 / sqrt(cost): 4 conditions of cost 1 and 1 of cost 16 get 4 : 1 images, 64 and 16 of cost 320
    cells = cells_of(1000, Darker(), Darker(shifts=(0.5,), cost=16))
    assert allocate(cells, 320) == {"entry0": 16, "entry1": 16}
    # the sets are no larger: what one entry cannot use goes to the other
    assert allocate(cells_of(20, Darker(), Darker(shifts=(0.5,), cost=16)), 400) == {"entry0": 20, "entry1": 20}
    assert allocate(cells_of(20, Darker(), Darker(shifts=(0.5,), cost=16)), 399) == {"entry0": 19, "entry1": 19}
    small = cells_of(20, Darker(shifts=(0.1,)), Darker(shifts=(0.5,), cost=4))
    assert allocate(small, 72) == {"entry0": 20, "entry1": 13}, "26 images of cost 1 would be due, but there are 20"


def test_a_budget_that_buys_too_little_is_refused():
    with pytest.raises(ConfigurationError, match=r"5 images for each of the suite's 5 conditions cost 100 .* entry1$"):
        allocate(cells_of(1000, Darker(), Darker(shifts=(0.5,), cost=16)), 99)
    assert allocate(cells_of(1000, Darker(), Darker(shifts=(0.5,), cost=16)), 100) == {"entry0": 5, "entry1": 5}


def test_conditions_share_no_image_while_the_set_suffices(tmp_path):
    units = plan_units(cells_of(400, Darker()), Store(str(tmp_path)), chunk=30, sizes={"entry0": 100})
    shown = np.concatenate([unit.positions for unit in units])
    assert len(shown) == len(set(shown)) == 400
    labels = [set(unit.positions % 3) for unit in units]
    assert all(len(classes) == 3 for classes in labels), "every part has images of every class"


def test_every_condition_has_its_first_images_before_any_has_more(tmp_path):
    units = plan_units(cells_of(1000, Darker()), Store(str(tmp_path)), chunk=1024, sizes={"entry0": 170})
    assert [unit.sample for unit in units] == [50] * 4 + [100] * 4 + [170] * 4
    assert [len(unit) for unit in units] == [50] * 4 + [50] * 4 + [70] * 4


def test_a_sample_grown_to_the_full_set_is_the_full_run(tmp_path):
    pixels, labels = images()
    grown, whole = str(tmp_path / "grown"), str(tmp_path / "whole")
    few = bench.evaluate(Channels(), (pixels, labels), [Darker()], store=grown, budget=4 * 21, **SETTINGS)
    before = few.outcomes("darker")
    assert len(before) == 4 * 21
    more = bench.evaluate(Channels(), (pixels, labels), [Darker()], store=grown, budget=4 * 50, **SETTINGS)
    assert len(more.outcomes("darker")) == 4 * 50
    parts = sorted(path.name for path in (tmp_path / "grown").rglob("*.parquet"))
    full = bench.evaluate(Channels(), (pixels, labels), [Darker()], store=grown, **SETTINGS)
    assert set(parts) < {path.name for path in (tmp_path / "grown").rglob("*.parquet")}
    assert sum(_length(path) for path in (tmp_path / "grown").rglob("*.parquet")) == 4 * 120, "no image twice"
    fresh = bench.evaluate(Channels(), (pixels, labels), [Darker()], store=whole, **SETTINGS)
    key = ["condition", "strength", "image_id"]
    ours, theirs = (item.outcomes("darker").sort_values(key, ignore_index=True) for item in (full, fresh))
    pd.testing.assert_frame_equal(ours, theirs)
    merged = before.merge(theirs, on=key, suffixes=("", "_full"))
    assert (merged["prediction"] == merged["prediction_full"]).all()
    assert len(merged) == len(before)
    assert full.leaderboard().iloc[0]["sampled"] == ""
    again = bench.evaluate(Channels(), (pixels, labels), [Darker()], store=whole, budget=4 * 20, **SETTINGS)
    assert len(again.outcomes("darker")) == 4 * 120, "a small budget takes nothing away"


def _length(path):
    start, stop = (int(number) for number in path.stem.split("-"))
    return stop - start


def test_the_figures_of_a_sample_are_those_of_its_images(tmp_path):
    results = bench.evaluate(
        Channels(), images(), ["clean", Darker()], store=str(tmp_path / "s"), budget=4 * 30 + 60, **SETTINGS
    )
    row = results.leaderboard().iloc[0]
    assert row["sampled"] == "clean darker"
    darker, clean = results.outcomes("darker"), results.outcomes("clean")
    by_condition = darker.groupby("strength")["correct"]
    assert len(by_condition.count().unique()) == 1
    assert row["darkened_accuracy"] == pytest.approx(by_condition.mean().mean())
    assert row["clean_accuracy"] == pytest.approx(clean["correct"].mean())
    scores = results.scores()
    shown = scores[(scores["benchmark"] == "darker") & (scores["metric"] == "accuracy")]
    assert shown["value"].tolist() == pytest.approx(by_condition.mean().tolist())
    assert set(shown["n"]) == set(by_condition.count())
    assert len(results.missing()) == 0, "what a budget left out is no failure"


def test_samples_of_two_classifiers_are_compared_on_the_same_images(tmp_path):
    store = str(tmp_path / "s")

    class Shifted(Channels):
        def forward(self, images):
            return super().forward(images) + torch.tensor([0.3, 0.0, 0.0])

    networks = (
        bench.make_classifier(Channels(), name="plain", input_size=8),
        bench.make_classifier(Shifted(), name="shifted", input_size=8),
    )
    results = bench.evaluate(list(networks), images(), [Darker()], store=store, budget=4 * 25, **SETTINGS)
    ours, theirs = (results.outcomes("darker", classifier=name) for name in ("plain", "shifted"))
    assert ours["image_id"].tolist() == theirs["image_id"].tolist()


def test_samples_grow_until_the_interval_is_narrow_enough(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    results = bench.evaluate(
        Channels(), images(3000), [Darker()], store=str(tmp_path / "s"), half_width=4.0, **SETTINGS
    )
    row = results.leaderboard().iloc[0]
    reached = 100 * (row["darkened_accuracy_high"] - row["darkened_accuracy_low"]) / 2
    assert 2.5 < reached < 4.4
    sizes = results.outcomes("darker").groupby("strength").size()
    assert sizes.nunique() == 1
    assert 50 < sizes.iloc[0] < 300
    assert "darker: Darkened accuracy" in caplog.text
    assert "more of each are to come" in caplog.text


def test_a_half_width_that_the_set_cannot_give_is_a_warning_and_not_a_full_run(tmp_path, caplog):
    results = bench.evaluate(Channels(), images(400), [Darker()], store=str(tmp_path / "s"), half_width=0.5, **SETTINGS)
    assert "the 400 images of" in caplog.text
    assert "are too few for ± 0.5 points" in caplog.text
    assert len(results.outcomes("darker")) < 4 * 400


def test_the_next_size_is_worked_by_hand():
    # squared half-width 16 at 50 images falls as 1 / k: 4 needs 200, with the margin of 10 % 220
    assert next_size([Round(50, 4.0)], 2.0, n_conditions=10, n_images=50_000) == 220
    assert next_size([Round(50, 4.0)], 3.9, n_conditions=10, n_images=50_000) == 63, "at least a quarter more"
    assert next_size([Round(50, 4.0)], 0.001, n_conditions=1, n_images=90) == 90
    assert next_size([Round(50, 4.0)], 0.001, n_conditions=100, n_images=5000) == 100, "images come into two conditions"
    # 10 + 300 / k: 16 at 50 and 13 at 100, with images in several conditions; 12 needs 150, and 165 with the margin
    rounds = [Round(50, 4.0), Round(100, 13**0.5)]
    assert next_size(rounds, 12**0.5, n_conditions=100, n_images=500) == 165
    assert next_size(rounds, 10.5**0.5, n_conditions=100, n_images=500) is None, "10 + 300 / 500 is what there is"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"forwards": 0}, "budget.forwards=0"),
        ({"half_width": 0.0}, r"budget.half_width=0\.0"),
        ({"half_width": 100.0}, "budget.half_width"),
        ({"half_widths": {"pgd": -1.0}}, "budget.half_widths.pgd"),
    ],
)
def test_budgets_out_of_range_are_refused(settings, words):
    with pytest.raises(ConfigurationError, match=words):
        BudgetConfig(**settings)


def test_a_half_width_for_an_unknown_entry_is_refused():
    with pytest.raises(ConfigurationError, match=r"half_widths.darke: the suite has no such entry.*darker"):
        bench.evaluate(Channels(), images(30), [Darker()], half_width={"darke": 3}, **SETTINGS)


class Biased(nn.Module):
    """Adds a bias to the first logit, and noise of its own to each image."""

    def __init__(self, bias, seed):
        super().__init__()
        self.bias = nn.Parameter(torch.tensor([bias, 0.0, 0.0]))
        self.direction = nn.Parameter(torch.randn(3, generator=torch.Generator().manual_seed(seed)))

    def forward(self, shown):
        return 20 * shown.mean((2, 3)) + self.bias + self.direction * torch.sin(1e4 * shown.mean((1, 2, 3)))[:, None]


def test_classifiers_are_run_until_they_are_ranked(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    named = [
        bench.make_classifier(network, name=name, input_size=8)
        for name, network in (("good", Channels()), ("alike", Channels()), ("bad", Biased(3.0, 1)))
    ]
    named[1].weights_digest = "another"  # else the outcomes of the same weights would be copied
    results = bench.evaluate(
        named, images(3000), [Darker()], store=str(tmp_path / "s"), until="ranked", indifference=3.0, **SETTINGS
    )
    sizes = results.outcomes("darker").groupby("classifier").size() / 4
    assert sizes["bad"] == 50, "told apart at the first look"
    assert sizes["good"] == sizes["alike"] == 50, "they agree on every image, so their difference is known to be 0"
    assert "of bad less that of good" in caplog.text
    assert "undecided" not in caplog.text


def test_an_undecided_pair_grows_alone(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    named = [
        bench.make_classifier(network, name=name, input_size=8)
        for name, network in (("one", Biased(0.0, 1)), ("other", Biased(0.0, 2)), ("bad", Biased(6.0, 3)))
    ]
    results = bench.evaluate(
        named, images(900), [Darker()], store=str(tmp_path / "s"), until="ranked", indifference=0.5, **SETTINGS
    )
    sizes = results.outcomes("darker").groupby("classifier").size() / 4
    assert sizes["one"] == sizes["other"] > sizes["bad"]
    assert "undecided" in caplog.text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"until": "bored"}, "give ranked"),
        ({"until": "ranked"}, "give at least two"),
        ({"until": "ranked", "budget": 500, "two": True}, "leave out the forward passes"),
        ({"until": "ranked", "indifference": 0.0, "two": True}, "give points above 0"),
    ],
)
def test_ranking_that_cannot_be_is_refused(settings, words):
    networks = [bench.make_classifier(Biased(0.0, seed), name=str(seed), input_size=8) for seed in (1, 2)]
    chosen = networks if settings.pop("two", False) else networks[0]
    with pytest.raises(ConfigurationError, match=words):
        bench.evaluate(chosen, images(30), [Darker()], **settings, **SETTINGS)

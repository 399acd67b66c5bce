"""Several classifiers in one run: each as if it were alone, images read and corrupted once for all of them."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import bench
from bench.benchmarks import Benchmark, Shown, judge, registry
from bench.records import Condition
from bench.results import Store
from bench.sweep import RuntimeConfig, plan_cells, plan_units, run_local
from bench.sweep.sharing import in_step, repeats
from tests.conftest import ChannelMeans, ToyCrops

CALLS = {"read": [], "make": []}


@dataclass(frozen=True, kw_only=True)
class Darker(Benchmark):
    """Shows the images at a share of their brightness, and counts how often that is done."""

    shares: tuple[float, ...] = (0.5, 0.25)
    fail: str = ""
    """The stage that breaks: ``read`` or ``make``."""
    fail_for: str = ""
    """The classifier whose own passes break."""

    name = "darker"
    version = "1"
    strength_unit = "share"
    condition_fields = ("shares",)

    def conditions(self):
        return tuple(Condition("darker", share) for share in self.shares)

    def read(self, crops, positions, condition, *, seed):
        CALLS["read"] += [(condition.strength, int(position)) for position in positions]
        if self.fail == "read":
            raise OSError("the disk went away")
        return Shown(crops.read(positions))

    def make(self, batch, condition, *, seed):
        if batch.made:
            return batch
        CALLS["make"] += [(condition.strength, str(name)) for name in batch.image_ids]
        if self.fail == "make":
            raise ArithmeticError("the corruption crashed")
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return replace(batch, images=(batch.images * condition.strength).to(torch.uint8), made=True)

    def run(self, classifier, batch, condition, *, seed):
        if self.fail_for and classifier.name == self.fail_for:
            raise ArithmeticError("the attack crashed")
        assert batch.made
        return judge(classifier(batch.pixels()), batch)


class Named(ChannelMeans):
    """The toy classifier under another name, with weights of its own."""

    def __init__(self, name, weight=1.0):
        super().__init__()
        self.name, self.weights_digest = name, f"digest of {name}"
        self.register_buffer("weights", torch.tensor([weight, 1.0, 1.0]))

    def forward(self, pixels):
        return super().forward(pixels) * self.weights


def toy_crops(n=20):
    pixels = torch.randint(0, 256, (n, 3, 8, 8), generator=torch.Generator().manual_seed(n), dtype=torch.uint8)
    return ToyCrops(pixels, np.zeros(n, dtype=np.int64), np.array([f"image_{i}" for i in range(n)]))


def run(classifiers, benchmark, root, *, chunk=8, batch_size=4, sizes=None):
    for calls in CALLS.values():
        calls.clear()
    store, crops = Store(str(root)), toy_crops()
    runtime = RuntimeConfig(device="cpu", workers=0, batch_size=batch_size, keep_memory=False)
    planned = [
        plan_units(
            plan_cells(classifier, {"darker": (benchmark, crops)}, seed=0),
            store,
            chunk=chunk,
            sizes=None if sizes is None else {"darker": sizes[classifier.name]},
        )
        for classifier in classifiers
    ]
    networks = {classifier.name: classifier.eval() for classifier in classifiers}
    return list(run_local(networks, in_step(planned), runtime, seed=0))


def by_classifier(results):
    found = {}
    for result in results:
        spec = result.unit.cell.spec
        outcomes = result.outcomes
        rows = [] if outcomes is None else zip(outcomes.image_id, outcomes.prediction, outcomes.confidence, strict=True)
        found.setdefault(spec.classifier, {}).update(
            {(spec.condition, str(name)): (int(choice), float(sure)) for name, choice, sure in rows}
        )
    return found


@settings(max_examples=20, deadline=None)
@given(
    chunk=st.integers(1, 21), batch_size=st.integers(1, 9), sizes=st.lists(st.integers(2, 20), min_size=3, max_size=3)
)
def test_each_classifier_has_the_outcomes_of_a_run_alone(tmp_path_factory, chunk, batch_size, sizes):
    classifiers = [Named("a"), Named("b", 2.0), Named("c", 0.1)]
    wanted = dict(zip("abc", sizes, strict=True))
    options = {"chunk": chunk, "batch_size": batch_size, "sizes": wanted}
    together = by_classifier(run(classifiers, Darker(), tmp_path_factory.mktemp("store"), **options))
    for classifier in classifiers:
        alone = by_classifier(run([classifier], Darker(), tmp_path_factory.mktemp("store"), **options))
        assert together[classifier.name] == alone[classifier.name]
        assert len(alone[classifier.name]) == 2 * wanted[classifier.name]
    assert together["a"] != together["c"]


def test_images_are_read_and_made_once_for_all(tmp_path):
    run([Named("a"), Named("b"), Named("c")], Darker(), tmp_path)
    assert sorted(CALLS["read"]) == sorted((share, i) for share in (0.5, 0.25) for i in range(20))
    made = CALLS["make"]
    assert len(set(made)) == 40
    # batches of 4 do not fit at first: the first is tried whole, then all are made in halves
    assert len(made) == 44


def test_a_classifier_that_has_outcomes_already_is_left_out(tmp_path, provenance):
    a, b = Named("a"), Named("b")
    store = Store(str(tmp_path))
    for result in run([a], Darker(), tmp_path):
        store.write_part(
            result.unit.cell.spec, result.outcomes, result.unit.start, provenance, positions=result.unit.positions
        )
    assert set(by_classifier(run([a, b], Darker(), tmp_path))) == {"b"}


@pytest.mark.parametrize("stage", ["read", "make"])
def test_what_cannot_be_shown_fails_for_every_classifier(tmp_path, stage):
    results = run([Named("a"), Named("b")], Darker(fail=stage), tmp_path)
    assert {(result.unit.cell.spec.classifier, result.unit.cell.spec.condition.strength) for result in results} == {
        (name, share) for name in "ab" for share in (0.5, 0.25)
    }
    assert all(
        (result.outcomes is None and "went away" in result.error) or "crashed" in result.error for result in results
    )


@pytest.mark.parametrize("broken", ["a", "b", "c"])
def test_a_classifier_that_fails_takes_no_other_with_it(tmp_path, broken):
    results = run([Named("a"), Named("b"), Named("c")], Darker(fail_for=broken), tmp_path)
    failed = {result.unit.cell.spec.classifier for result in results if result.outcomes is None}
    assert failed == {broken}
    whole = by_classifier([result for result in results if result.outcomes is not None])
    assert {name: len(rows) for name, rows in whole.items()} == {name: 40 for name in "abc" if name != broken}


def test_only_neighbours_that_show_the_same_share(tmp_path):
    store, crops = Store(str(tmp_path)), toy_crops()
    one, two = (
        plan_units(plan_cells(named, {"darker": (Darker(), crops)}, seed=seed), store, chunk=20)
        for named, seed in ((Named("a"), 0), (Named("b"), 0))
    )
    assert repeats(in_step([one, two])) == [False, True, False, True]
    assert repeats([*one, *two]) == [False, False, False, False]
    other_seed = plan_units(plan_cells(Named("c"), {"darker": (Darker(), crops)}, seed=1), store, chunk=20)
    assert repeats(in_step([one, other_seed])) == [False, False, False, False]
    assert repeats([one[0], one[0]]) == [False, False]  # the same cell twice is not sharing


def test_evaluate_runs_its_classifiers_side_by_side(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_plugged", {**registry._plugged, "darker": Darker})
    images = torch.randint(0, 256, (12, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = [i % 3 for i in range(12)]
    networks = [
        bench.make_classifier(Named(name, weight), name=name, input_size=8) for name, weight in (("a", 1.0), ("b", 3.0))
    ]
    for calls in CALLS.values():
        calls.clear()
    bench.evaluate(networks, (images, labels), [Darker()], store=str(tmp_path / "both"), device="cpu")
    assert len(CALLS["read"]) == 24
    for network in networks:
        bench.evaluate(network, (images, labels), [Darker()], store=str(tmp_path / "alone"), device="cpu")
    both, alone = (bench.open_results(str(tmp_path / name)) for name in ("both", "alone"))
    columns = ["classifier", "strength", "image_id", "prediction", "confidence"]
    tables = [results.outcomes("darker")[columns] for results in (both, alone)]
    frames = [table.sort_values(columns[:3]).reset_index(drop=True) for table in tables]
    assert len(frames[0]) == 48
    assert frames[0].equals(frames[1])

"""Planning and running: each image exactly once, failures as records, nothing left to chance."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.benchmarks import Benchmark, Shown, judge
from bench.benchmarks.clean import Clean
from bench.records import Condition
from bench.results import Store
from bench.sweep import RuntimeConfig, plan_cells, plan_units, run_local
from tests.conftest import ChannelMeans, ToyCrops


@dataclass(frozen=True, kw_only=True)
class Noise(Benchmark):
    """Reads noisy images; breaks in the ways a test asks for."""

    levels: tuple[float, ...] = (1.0,)
    fail_reading: bool = False
    fail_running: bool = False
    largest_batch: int = 10**6
    words: str = ""
    """Of the error of a batch that is too large; torch's own error where there are none."""

    name = "noise"
    version = "1"
    strength_unit = "level"
    condition_fields = ("levels",)

    def conditions(self):
        return tuple(Condition("noise", level) for level in self.levels)

    def read(self, crops, positions, condition, *, seed):
        if self.fail_reading:
            raise OSError("the disk went away")
        return Shown(crops.read(positions))

    def run(self, classifier, batch, condition, *, seed):
        if self.fail_running:
            raise ArithmeticError("the attack crashed")
        if len(batch) > self.largest_batch:
            raise RuntimeError(self.words) if self.words else torch.OutOfMemoryError("CUDA out of memory")
        return judge(classifier(batch.pixels()), batch)


def sweep(classifier, suite, root, *, seed=0, **runtime):
    store = Store(str(root))
    cells = plan_cells(classifier, suite, seed=seed)
    config = RuntimeConfig(**{"device": "cpu", "workers": 0, **runtime})
    units = plan_units(cells, store, chunk=config.chunk)
    results = list(run_local({classifier.name: classifier}, units, config, seed=seed))
    return store, cells, results


def store_results(store, results, provenance):
    for result in results:
        if result.outcomes is not None:
            store.write_part(result.unit.cell.spec, result.outcomes, result.unit.start, provenance)


@settings(max_examples=25, deadline=None)
@given(chunk=st.integers(1, 12), batch_size=st.integers(1, 12), n=st.integers(1, 11))
def test_each_image_once_whatever_chunk_and_batch(tmp_path_factory, chunk, batch_size, n):

    pixels = torch.randint(0, 256, (n, 3, 4, 4), dtype=torch.uint8)
    crops = ToyCrops(pixels, np.zeros(n, dtype=np.int64), np.array([str(i) for i in range(n)]))
    suite = {"clean": (Clean(), crops), "noise": (Noise(levels=(1.0, 2.0)), crops)}
    root = tmp_path_factory.mktemp("store")
    _, cells, results = sweep(ChannelMeans(), suite, root, chunk=chunk, batch_size=batch_size)
    seen = [
        (result.unit.cell.spec.cell_id, str(image_id)) for result in results for image_id in result.outcomes.image_id
    ]
    assert sorted(seen) == sorted((cell.spec.cell_id, str(i)) for cell in cells for i in range(n))
    truth = (20 * pixels.float().div(255).mean(dim=(2, 3))).argmax(dim=1).numpy()
    by_image = {str(i): int(truth[i]) for i in range(n)}
    for result in results:
        assert [by_image[str(i)] for i in result.outcomes.image_id] == list(result.outcomes.prediction)


def test_workers_change_nothing(tmp_path, channel_means, make_crops, provenance):
    crops = make_crops(23)
    frames = []
    for workers in (0, 2):
        suite = {"noise": (Noise(levels=(1.0, 2.0)), crops)}
        store, cells, results = sweep(
            channel_means, suite, tmp_path / str(workers), workers=workers, batch_size=4, chunk=9
        )
        store_results(store, results, provenance)
        frames.append([store.outcomes(cell.spec) for cell in cells])
    for left, right in zip(*frames, strict=True):
        assert left.equals(right)


def test_only_what_is_missing_is_planned(tmp_path, channel_means, make_crops, provenance):
    suite = {"clean": (Clean(), make_crops(10)), "noise": (Noise(), make_crops(10))}
    store, cells, results = sweep(channel_means, suite, tmp_path, chunk=4)
    store_results(store, results[1:4], provenance)
    units = plan_units(cells, store, chunk=4)
    assert [(unit.cell.spec.benchmark, unit.start, unit.stop) for unit in units] == [
        ("clean", 0, 4),
        ("noise", 4, 8),
        ("noise", 8, 10),
    ]
    store_results(store, results, provenance)
    assert plan_units(cells, store, chunk=3) == []


@pytest.mark.parametrize("broken", [{"fail_reading": True}, {"fail_running": True}])
def test_a_failing_cell_is_recorded_and_the_others_go_on(tmp_path, channel_means, make_crops, broken):
    crops = make_crops(10)
    suite = {"broken": (Noise(**broken), crops), "clean": (Clean(), crops)}
    _, _, results = sweep(channel_means, suite, tmp_path, chunk=4, batch_size=2)
    failed = [result for result in results if result.outcomes is None]
    assert len(failed) == 1, "after the first failure the cell's other units are left alone"
    assert "Traceback" in failed[0].traceback
    assert failed[0].error in ("OSError: the disk went away", "ArithmeticError: the attack crashed")
    assert sum(len(result.outcomes) for result in results if result.outcomes is not None) == 10


def test_nan_logits_are_a_failure_never_a_prediction(tmp_path, make_crops, channel_means):
    class Broken(type(channel_means)):
        def forward(self, images):
            logits = super().forward(images)
            return torch.where(images.mean() > -1, logits * float("nan"), logits)

    _, _, results = sweep(Broken(), {"clean": (Clean(), make_crops(5))}, tmp_path)
    assert results[0].outcomes is None
    assert results[0].error.startswith("NonFiniteLogitsError: 5 of 5 images")


def test_labels_without_a_logit_are_a_failure_never_a_wrong_answer(tmp_path, channel_means, make_crops):
    crops = replace(make_crops(5), labels=np.array([0, 1, 2, 3, 0]))
    _, _, results = sweep(channel_means, {"clean": (Clean(), crops)}, tmp_path)
    assert results[0].outcomes is None
    assert results[0].error.startswith("DataError: label 3 has no logit: the classifier has 3 classes")


@pytest.mark.parametrize(
    "words",
    [
        "",
        "DefaultCPUAllocator: can't allocate memory",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuFFT error: CUFFT_ALLOC_FAILED",
    ],
)
def test_batches_are_halved_until_they_fit(tmp_path, channel_means, make_crops, words):
    suite = {"noise": (Noise(largest_batch=3, words=words), make_crops(20))}
    _, _, results = sweep(channel_means, suite, tmp_path, batch_size=16)
    outcomes = results[0].outcomes
    assert outcomes.image_id[np.argsort(results[0].unit.positions)].tolist() == [f"image_{i}" for i in range(20)]


def test_out_of_memory_at_one_image_is_a_failure(tmp_path, channel_means, make_crops):
    suite = {"noise": (Noise(largest_batch=0), make_crops(4))}
    _, _, results = sweep(channel_means, suite, tmp_path)
    assert results[0].error == "OutOfMemoryError: CUDA out of memory"


def test_a_label_subset_decides_among_its_classes_only(tmp_path, channel_means, make_crops):
    crops = make_crops(30)
    keep = np.isin(crops.labels, [2, 0])
    subset = type(crops)(crops.pixels[keep], crops.labels[keep], crops.image_ids[keep], class_ids=(2, 0))
    _, _, results = sweep(channel_means, {"clean": (Clean(), subset)}, tmp_path)
    outcomes = results[0].outcomes
    positions = results[0].unit.positions
    means = subset.pixels.float().mean(dim=(2, 3))[positions]
    assert set(outcomes.prediction) <= {0, 2}
    assert list(outcomes.prediction) == [2 if row[2] > row[0] else 0 for row in means]
    assert list(outcomes.label) == list(subset.labels[positions])


def test_the_plan_tells_conditions_and_parameters_apart(channel_means, make_crops):
    crops = make_crops(4)
    few = plan_cells(channel_means, {"noise": (Noise(levels=(1.0,)), crops)}, seed=0)
    more = plan_cells(channel_means, {"noise": (Noise(levels=(1.0, 2.0)), crops)}, seed=0)
    assert few[0].spec.cell_id == more[0].spec.cell_id, "listing more conditions must not invalidate the others"
    other = plan_cells(channel_means, {"noise": (Noise(levels=(1.0,)), crops)}, seed=1)
    assert few[0].spec.cell_id != other[0].spec.cell_id

"""The packaged classifiers on real images: published accuracy, and what another batch size may change."""

import numpy as np
import pytest
import torch

from bench.benchmarks import Benchmark
from bench.benchmarks.clean import Clean
from bench.benchmarks.corruption import Corruption
from bench.data import DataConfig, load_dataset, open_crops
from bench.models import ModelConfig, load_classifier
from bench.models.fast import prepare_fast
from bench.records import Condition
from bench.results import Store
from bench.sweep import RuntimeConfig, plan_cells, plan_units, run_local


@pytest.fixture(scope="module")
def lite0():
    return load_classifier(ModelConfig(name="lite0"))


def crops_of(classifier, tmp_path, **config):
    dataset = load_dataset(DataConfig(**config), classifier.label_space)
    return open_crops(dataset, classifier.crop, cache_dir=tmp_path, cache_gb=1, workers=0, on_error="refuse")


def predictions(classifier, network, crops, benchmark: Benchmark, tmp_path, **runtime):
    cells = plan_cells(classifier, {"benchmark": (benchmark, crops)}, seed=0)
    units = plan_units(cells, Store(str(tmp_path / "store")), chunk=1000)
    config = RuntimeConfig(device="cpu", workers=0, **runtime)
    results = list(run_local({classifier.name: network}, units, config, seed=0))
    assert all(result.outcomes is not None for result in results), [result.error for result in results]
    return np.concatenate([result.outcomes.prediction[np.argsort(result.unit.positions)] for result in results])


def test_another_batch_size_shows_the_same_bytes_and_hardly_moves_a_prediction(lite0, tmp_path, capsys):
    crops = crops_of(lite0, tmp_path, name="samples", source="samples")
    benchmark = Corruption(corruptions=("gaussian_noise", "snow", "pixelate"), severities=(1, 3, 5))
    fast = prepare_fast(lite0)
    one = predictions(lite0, fast, crops, benchmark, tmp_path, batch_size=3)
    other = predictions(lite0, fast, crops, benchmark, tmp_path, batch_size=20)
    condition = Condition("snow", 3.0)
    whole = benchmark.corrupted(crops.read(range(20)), crops.image_ids, condition, seed=0)
    parts = [benchmark.corrupted(crops.read([i]), crops.image_ids[i : i + 1], condition, seed=0) for i in range(20)]
    assert torch.equal(whole, torch.cat(parts))
    changed = float(np.mean(one != other))
    with capsys.disabled():
        print(f"\n{changed:.2%} of {len(one)} predictions differ between batch sizes 3 and 20")
    assert changed <= 0.005


def test_the_fast_path_agrees_with_the_plain_one(lite0, tmp_path):
    crops = crops_of(lite0, tmp_path, name="samples", source="samples")
    benchmark = Corruption(corruptions=("fog", "contrast"), severities=(2, 4))
    plain = predictions(lite0, lite0, crops, benchmark, tmp_path)
    fast = predictions(lite0, prepare_fast(lite0), crops, benchmark, tmp_path)
    assert np.array_equal(plain, fast)


@pytest.mark.shared_data
@pytest.mark.slow
def test_lite0_on_500_imagenet_images_is_as_accurate_as_published(lite0, shared_data, tmp_path, capsys):
    crops = crops_of(lite0, tmp_path, source="folder", root=str(shared_data / "imagenet_samples"))
    accuracy = float(np.mean(predictions(lite0, prepare_fast(lite0), crops, Clean(), tmp_path) == crops.labels))
    with capsys.disabled():
        print(f"\nlite0 on {len(crops)} images: {accuracy:.1%}")
    assert accuracy == pytest.approx(0.88, abs=0.02)

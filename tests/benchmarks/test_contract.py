"""One contract over every benchmark yaml: it composes, covers each image and condition once, and repeats."""

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from bench.benchmarks import Batch
from bench.conf_files import CONF
from bench.errors import ConfigurationError
from bench.tasks.support.config import build_benchmark

QUICK = {
    "autoattack": {"options": {"steps": 3, "target_classes": 2, "queries": 20}},
    "boundary": {"options": {"steps": 20}},
    "cw_l2": {"options": {"steps": 20}},
    "hop_skip_jump": {"options": {"steps": 2}},
    "square": {"options": {"queries": 50}},
    "cam_audit": {"method": "saliency"},  # the toy has no feature map, no regions and no parameters
    "faithfulness": {"method": "saliency", "randomise": False},
    "shortcut": {"method": "saliency", "shortcuts": ["tag", "watermark", "patch_shuffle"]},
    "transfer": {"options": {"steps": 1}},
}
"""Smaller budgets than the yaml's, where that takes long."""

ELSEWHERE = {"imagenet_3dcc": "reads published files", "imagenet_w": "needs its package"}
"""Their images are tested in tests/benchmarks/test_natural_shifts.py."""

BENCHMARKS = sorted(path.stem for path in (CONF / "benchmark").glob("*.yaml"))

CATEGORIES = {"airplane": [0], "bear": [1], "bicycle": [2]}
"""Three classes of the toy classifier as categories; their numbers are their columns."""


def load(name, **changes):
    node = OmegaConf.merge(OmegaConf.load(CONF / "benchmark" / f"{name}.yaml"), changes)
    node.pop("defaults", None)  # which data it brings is Hydra's to compose
    return build_benchmark(name, node)


def named_by_cues(crops):
    shapes = [list(CATEGORIES)[label] for label in crops.labels]
    return replace(crops, image_ids=np.array([f"{shape}/{shape}{i}-bear1.png" for i, shape in enumerate(shapes)]))


def run(benchmark, classifier, crops, condition, positions, *, seed=0):
    shown = benchmark.read(crops, positions, condition, seed=seed)
    rows = list(positions)
    labels = torch.as_tensor(crops.labels[rows])
    batch = Batch(shown.images, labels, crops.image_ids[rows], condition=condition, side=shown.side)
    return benchmark.run(classifier, batch, condition, seed=seed)


class FourLogits(torch.nn.Module):
    """Channel means, and a class that no image has: AutoAttack's targeted loss needs four."""

    def forward(self, images):
        means = 20 * images.mean(dim=(2, 3))
        return torch.cat([means, means.mean(dim=1, keepdim=True) - 1], dim=1)


@pytest.fixture
def four_logits():
    return FourLogits().eval()


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_yaml_states_every_default_of_its_class(name):
    node = OmegaConf.load(CONF / "benchmark" / f"{name}.yaml")
    benchmark = load(name)
    assert node["name"] == name
    assert benchmark.version
    assert all(benchmark.unit(item) for item in benchmark.conditions() if item.strength not in (0, 1))
    fields = {field.name for field in dataclasses.fields(benchmark)}
    assert fields <= set(node), "a key that is not in the yaml cannot be found by reading it"


@pytest.mark.parametrize("name", BENCHMARKS)
def test_conditions_are_distinct(name):
    conditions = load(name).conditions()
    assert conditions
    assert len({condition.key for condition in conditions}) == len(conditions)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_yaml_and_its_class_have_the_same_default_values(name):
    benchmark = load(name)
    defaults = {
        field.name: field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        for field in dataclasses.fields(benchmark)
    }
    other = {
        key: (getattr(benchmark, key), default)
        for key, default in defaults.items()
        if default is not dataclasses.MISSING and getattr(benchmark, key) != default
    }
    assert other == {}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_that_would_run_nothing_is_refused(name):
    benchmark = load(name)
    benchmark.check_conditions(name)
    lists = {key: [] for key in benchmark.condition_fields if isinstance(getattr(benchmark, key), tuple)}
    if lists:
        with pytest.raises(ConfigurationError, match=f"benchmark '{name}' runs nothing"):
            load(name, **lists).check_conditions(name)


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in ELSEWHERE])
def test_each_image_gets_one_outcome_that_its_batch_cannot_change(name, four_logits, make_crops, tmp_path):
    benchmark = load(name, **QUICK.get(name, {}))
    crops = make_crops(7, side=32)
    if benchmark.label_kind == "categories":
        (tmp_path / "map.json").write_text(json.dumps(CATEGORIES))
        benchmark = load(name, class_map=str(tmp_path / "map.json"))
        crops = named_by_cues(crops)
    conditions = benchmark.conditions()
    for condition in {conditions[0], conditions[len(conditions) // 2], conditions[-1]}:
        whole = run(benchmark, four_logits, crops, condition, range(7))
        assert list(whole.image_id) == list(crops.image_ids)
        assert list(whole.label) == ([-1] * 7 if benchmark.unlabelled else list(crops.labels))
        again = run(benchmark, four_logits, crops, condition, range(7))
        parts = [run(benchmark, four_logits, crops, condition, [i]) for i in range(7)]
        for column, values in whole.columns().items():
            is_float = values.dtype.kind == "f"
            assert np.array_equal(values, again.columns()[column], equal_nan=is_float)
            split = np.concatenate([part.columns()[column] for part in parts])
            if is_float:
                assert np.allclose(values, split, atol=1e-5, equal_nan=True)
            else:
                assert np.array_equal(values, split)


def test_a_misspelt_parameter_names_the_nearest():
    with pytest.raises(ConfigurationError, match=r"has no parameter 'stps'.*'steps'"):
        load("pgd", options={"stps": 3})
    with pytest.raises(ConfigurationError, match=r"has no parameter 'restart'.*'restarts'"):
        load("pgd", restart=3)


def test_a_value_of_the_wrong_type_is_refused():
    with pytest.raises(ConfigurationError, match="pgd"):
        load("pgd", restarts="many")


def test_an_unknown_corruption_names_the_nearest():
    with pytest.raises(ConfigurationError, match=r"'gausian_noise'.*'gaussian_noise'"):
        load("corruption", corruptions=["gausian_noise"])

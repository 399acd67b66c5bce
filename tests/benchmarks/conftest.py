"""What comparisons of devices are made on."""

import json
from dataclasses import replace

import pytest
import test_contract as contract
from little_benchmarks import LittleNet, N


@pytest.fixture(scope="module")
def network():
    return LittleNet().eval().requires_grad_(False)


@pytest.fixture
def shown(network, make_crops, tmp_path):
    """A benchmark with little to do, images for it, and one of its conditions."""

    def show(name):
        quick = contract.QUICK.get(name, {})
        if name == "one_pixel":
            quick = {"options": {"population": 8, "generations": 10}}
        benchmark, crops = contract.load(name, **quick), make_crops(N, side=32)
        if benchmark.label_kind == "categories":
            (tmp_path / "map.json").write_text(json.dumps(contract.CATEGORIES))
            benchmark = contract.load(name, class_map=str(tmp_path / "map.json"))
            crops = contract.named_by_cues(crops)
        else:  # the labels are what the network says, so that every image is attacked
            crops = replace(crops, labels=network(crops.pixels.float() / 255).argmax(1).numpy())
        conditions = benchmark.conditions()
        return benchmark, crops, conditions[len(conditions) // 2]

    return show

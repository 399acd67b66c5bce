"""Every benchmark on a pretended accelerator gives the CPU's outcomes; the attacks wait for the device once a step."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import test_contract as contract
import torch
from pretended import counted, memory_limit, pretended_device

from bench.benchmarks import Batch
from bench.models import numerics
from bench.models.defended import defend
from bench.models.defenses import DEFENSES
from bench.records import Outcomes
from bench.results import Store
from bench.sweep import RuntimeConfig, plan_cells, plan_units, run_local

N = 7
STEPS = {"pgd": 20, "pgd_l2": 50, "pgd_targeted": 40, "bim": 10, "mi_fgsm": 10, "square": 50, "one_pixel": 10}
"""Steps, proposals or generations of a benchmark's run here."""
ELSEWHERE = 30
"""Waits of one run outside its steps: inputs checked, the clean prediction, the result copied back."""


class LittleNet(torch.nn.Module):
    """Convolutions and four logits; curved enough that attacks take several steps."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.features = torch.nn.Sequential(
                torch.nn.Conv2d(3, 6, 3, stride=2, padding=1), torch.nn.GELU(), torch.nn.Conv2d(6, 6, 3, padding=1)
            )
            self.head = torch.nn.Linear(6, 4)

    def forward(self, images):
        return 40 * self.head(self.features(images).mean((2, 3)))


@pytest.fixture(scope="module")
def network():
    return LittleNet().eval().requires_grad_(False)


def run(benchmark, classifier, crops, condition, device):
    shown = benchmark.read(crops, range(N), condition, seed=0)
    batch = Batch(
        shown.images.to(device),
        torch.as_tensor(crops.labels).to(device),
        crops.image_ids,
        condition=condition,
        side=shown.side,
    )
    return benchmark.run(classifier, batch, condition, seed=0)


def assert_same(left: Outcomes, right: Outcomes):
    for column, values in left.columns().items():
        assert np.array_equal(values, right.columns()[column], equal_nan=values.dtype.kind == "f"), column


NAMES = [name for name in contract.BENCHMARKS if name not in contract.ELSEWHERE]


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


@pytest.mark.filterwarnings("ignore:LinearSearchBlended:UserWarning")
@pytest.mark.parametrize("name", NAMES)
def test_outcomes_are_the_cpus(name, network, shown):
    benchmark, crops, condition = shown(name)
    here = run(benchmark, network, crops, condition, "cpu")
    with pretended_device() as device, counted() as counts:
        there = run(benchmark, copy.deepcopy(network).to(device), crops, condition, device)
    assert_same(here, there)
    if name in STEPS:
        assert counts.host_reads <= STEPS[name] + ELSEWHERE, dict(counts.reads_by_name)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.filterwarnings("ignore:LinearSearchBlended:UserWarning")
@pytest.mark.parametrize("name", NAMES)
def test_a_gpu_decides_as_the_cpu_does(name, network, shown):
    benchmark, crops, condition = shown(name)
    here = run(benchmark, network, crops, condition, "cpu")
    with numerics("float32"):
        there = run(benchmark, copy.deepcopy(network).cuda(), crops, condition, "cuda")
    assert list(here.image_id) == list(there.image_id)
    # rounding may take a search another way, so that one image of seven may end otherwise
    assert (here.correct != there.correct).sum() <= 1
    assert (here.prediction != there.prediction).sum() <= 1


@pytest.mark.parametrize("name", sorted(DEFENSES))
def test_defenses_are_the_cpus(name, network):
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    here = defend(network, DEFENSES[name]())
    with pretended_device() as device:
        there = defend(copy.deepcopy(network).to(device), DEFENSES[name]())
        moved = images.to(device).requires_grad_()
        logits = there(moved)
        (gradient,) = torch.autograd.grad(logits.square().sum(), moved)
    own = images.clone().requires_grad_()
    expected = here(own)
    assert torch.allclose(logits.detach().cpu(), expected.detach(), atol=1e-5)
    assert torch.allclose(gradient.cpu(), torch.autograd.grad(expected.square().sum(), own)[0], atol=1e-4)


class Named(LittleNet):
    name, weights_digest, precision = "little", "00", "float32"
    input_size = (32, 32)


def results(classifier, benchmark, crops, device, batch_size, store):
    from conftest import ChannelMeans

    classifier.crop = ChannelMeans.crop
    cells = plan_cells(classifier, {"attack": (benchmark, crops)}, seed=0)
    units = plan_units(cells, Store(str(store)), chunk=24)
    runtime = RuntimeConfig(device=str(device), workers=0, batch_size=batch_size)
    return list(run_local(classifier, units, runtime, seed=0))


def test_running_out_of_memory_in_the_middle_of_an_attack_loses_and_repeats_nothing(make_crops, tmp_path):
    """The batch is halved until it fits, and the images are those of an undisturbed run, each once."""
    benchmark, crops = contract.load("pgd", epsilons=[0.01]), make_crops(24, side=32)
    classifier = Named().eval().requires_grad_(False)
    crops = replace(crops, labels=classifier(crops.pixels.float() / 255).argmax(1).numpy())
    expected = results(classifier, benchmark, crops, "cpu", 24, tmp_path)
    with pretended_device() as device:
        moved = copy.deepcopy(classifier).to(device)
        with memory_limit(2**40) as memory:
            results(moved, benchmark, crops, device, 24, tmp_path)
            needed = memory.peak
        with memory_limit(int(needed * 0.4)) as memory, counted() as counts:
            halved = results(moved, benchmark, crops, device, 24, tmp_path)
            assert 0.2 * needed < memory.peak <= 0.4 * needed
    assert counts.launches > 100
    assert not any(result.error for result in halved)
    for left, right in zip(expected, halved, strict=True):
        assert list(left.outcomes.image_id) == list(right.outcomes.image_id)
        assert np.array_equal(left.outcomes.prediction, right.outcomes.prediction)
        assert np.array_equal(left.outcomes.correct, right.outcomes.correct)

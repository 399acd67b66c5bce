"""Every benchmark on a pretended accelerator gives the CPU's outcomes; the attacks wait for the device once a step."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import test_contract as contract
import torch
from little_benchmarks import NAMES, LittleNet, assert_same, run
from pretended import counted, memory_limit, pretended_device

from bench.models.defended import defend
from bench.models.defenses import DEFENSES
from bench.results import Store
from bench.sweep import RuntimeConfig, plan_cells, plan_units, run_local
from bench.sweep.batch_size import CPU_BATCH, GPU_BATCH, automatic_batch

STEPS = {"pgd": 20, "pgd_l2": 50, "pgd_targeted": 40, "bim": 10, "mi_fgsm": 10, "square": 50, "one_pixel": 10}
"""Steps, proposals or generations of a benchmark's run here."""
ELSEWHERE = 30
"""Waits of one run outside its steps: inputs checked, the clean prediction, the result copied back."""


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
    from tests.conftest import ChannelMeans

    classifier.crop = ChannelMeans.crop
    cells = plan_cells(classifier, {"attack": (benchmark, crops)}, seed=0)
    units = plan_units(cells, Store(str(store)), chunk=24)
    runtime = RuntimeConfig(device=str(device), workers=0, batch_size=batch_size)
    return list(run_local({classifier.name: classifier}, units, runtime, seed=0))


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
            assert memory.refused
            assert memory.peak <= 0.4 * needed
    assert counts.launches > 100
    assert not any(result.error for result in halved)
    for left, right in zip(expected, halved, strict=True):
        assert list(left.outcomes.image_id) == list(right.outcomes.image_id)
        assert np.array_equal(left.outcomes.prediction, right.outcomes.prediction)
        assert np.array_equal(left.outcomes.correct, right.outcomes.correct)


def test_the_automatic_batch_is_what_the_memory_holds(make_crops, tmp_path):
    benchmark, crops = contract.load("pgd", epsilons=[0.01]), make_crops(24, side=32)
    classifier = Named().eval().requires_grad_(False)
    crops = replace(crops, labels=classifier(crops.pixels.float() / 255).argmax(1).numpy())
    assert automatic_batch(classifier, torch.device("cpu")) == CPU_BATCH
    with pretended_device() as device:
        moved = copy.deepcopy(classifier).to(device)
        chosen = []
        for images in (3, 100, 1000, 8000):
            with memory_limit(2**40) as memory:
                moved(torch.full((images, 3, 32, 32), 0.5, device=device, requires_grad=True)).sum().backward()
                needed = memory.peak
            with memory_limit(needed):
                chosen.append(automatic_batch(moved, device))
        assert chosen[0] == 1
        assert 1 < chosen[1] < 100  # an attack's own images need memory too
        assert chosen[1] < chosen[2] <= chosen[3] == GPU_BATCH
        with memory_limit(2**20) as memory:
            without_a_word = results(moved, benchmark, crops, device, None, tmp_path)
            assert not memory.refused
    assert not any(result.error for result in without_a_word)

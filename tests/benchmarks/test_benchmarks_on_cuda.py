"""Every benchmark on a real GPU decides as on the CPU. No pretended device here: torch knows one kind per process."""

import copy

import pytest
import torch
from little_benchmarks import NAMES, run

from bench.models import numerics


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

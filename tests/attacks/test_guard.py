"""Generators that an attack seeds are given back as they were."""

import numpy as np
import pytest
import torch

from bench.attacks.guard import seeded


def test_the_draws_are_those_of_manual_seed_and_the_callers_go_on():
    torch.manual_seed(1)
    np.random.seed(1)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(7)
    seventh = torch.rand(3)
    torch.manual_seed(1)
    np.random.seed(1)
    with seeded(7, torch.device("cpu")):
        assert torch.equal(torch.rand(3), seventh)
        np.random.rand(5)
    assert torch.equal(torch.rand(3), expected[0])
    assert np.array_equal(np.random.rand(3), expected[1])


def test_seeding_for_the_cpu_leaves_every_gpu_alone(monkeypatch):
    touched = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", touched.append)
    monkeypatch.setattr(torch.cuda, "manual_seed", touched.append)
    with seeded(7, torch.device("cpu")):
        pass
    assert not touched


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_gpus_generator_is_as_before(device):
    before = torch.cuda.get_rng_state()
    with seeded(7, torch.device(device)):
        torch.rand(5, device=device)
    assert torch.equal(torch.cuda.get_rng_state(), before)

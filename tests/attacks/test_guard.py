"""Generators that an attack seeds are given back as they were."""

import numpy as np
import pytest
import torch

from bench.attacks.guard import GuardedClassifier, seeded
from bench.attacks.result import AttackError


def test_the_draws_are_those_of_manual_seed_and_the_callers_go_on():
    torch.manual_seed(1)
    np.random.seed(1)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(7)
    seventh = torch.rand(3)
    torch.manual_seed(1)
    np.random.seed(1)
    with seeded(7):
        assert torch.equal(torch.rand(3), seventh)
        np.random.rand(5)
    assert torch.equal(torch.rand(3), expected[0])
    assert np.array_equal(np.random.rand(3), expected[1])


def test_seeding_touches_no_gpu(monkeypatch):
    touched = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", touched.append)
    monkeypatch.setattr(torch.cuda, "manual_seed", touched.append)
    with seeded(7):
        pass
    assert not touched


def draw(device):
    """One of each draw that foolbox and pyautoattack make."""
    return [
        torch.rand(5, device=device),
        torch.randn(2, 3, device=device),
        torch.randint(0, 9, (7,), device=device),
        torch.randperm(11, device=device),
        torch.rand_like(torch.zeros(4, device=device)),
        torch.randn_like(torch.zeros(4, device=device)),
        torch.empty(6, device=device).uniform_(-1, 1),
        torch.empty(6, device=device).normal_(),
    ]


def test_draws_for_another_device_are_the_cpus():
    torch.manual_seed(7)
    expected = draw("cpu")
    from pretended import pretended_device

    with pretended_device() as device, seeded(7):
        drawn = draw(device)
        assert all(values.device == device for values in drawn)
        assert all(torch.equal(values.cpu(), own) for values, own in zip(drawn, expected, strict=True))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_draws_for_a_gpu_are_the_cpus_and_its_generator_is_as_before():
    torch.manual_seed(7)
    expected, before = draw("cpu"), torch.cuda.get_rng_state()
    with seeded(7):
        drawn = draw("cuda")
    assert all(torch.equal(values.cpu(), own) for values, own in zip(drawn, expected, strict=True))
    assert torch.equal(torch.cuda.get_rng_state(), before)


class TurnsBad(torch.nn.Module):
    """Logits that are NaN from the third call on."""

    calls = 0

    def forward(self, images):
        self.calls += 1
        return images.flatten(1)[:, :3] * (1.0 if self.calls < 3 else float("nan"))


def test_logits_that_turn_bad_in_the_middle_are_named_whatever_fails_first():
    model = GuardedClassifier(TurnsBad())
    images = torch.rand(2, 3, 4, 4)
    with model.checked():
        model(images)
        model(images)
    with pytest.raises(AttackError, match="NaN or infinite"), model.checked():
        model(images)
    with pytest.raises(AttackError, match="NaN or infinite"), model.checked():
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), GuardedClassifier(TurnsBad()).checked():
        raise ZeroDivisionError

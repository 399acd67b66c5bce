"""The pretended device finds each kind of fault that a separate device would show; each is planted here."""

import copy

import pytest
import torch
from pretended import counted, pretended_device


@pytest.fixture
def device():
    with pretended_device() as device:
        yield device


def test_operands_on_two_devices(device):
    with pytest.raises(RuntimeError, match="same device"):
        torch.ones(3, device=device) + torch.ones(3)
    with pytest.raises(RuntimeError, match="same device"):
        torch.ones(3, device="pretended:0") + torch.ones(3, device="pretended:1")
    # a number without dimensions may come from the CPU, as in CUDA
    assert (torch.ones(3, device=device) + torch.tensor(1.0)).tolist() == [2, 2, 2]


def test_numpy_without_a_copy(device):
    with pytest.raises(TypeError, match=r"Use Tensor\.cpu"):
        torch.ones(3, device=device).numpy()
    assert torch.ones(3, device=device).cpu().numpy().sum() == 3


def test_a_generator_of_another_device(device):
    with pytest.raises(RuntimeError, match="generator"):
        torch.rand(3, device=device, generator=torch.Generator())
    with pytest.raises(RuntimeError, match="generator"):
        torch.empty(3, device=device).normal_(generator=torch.Generator())


def test_a_draw_from_the_devices_own_generator(device):
    for draw in (
        lambda: torch.rand(3, device=device),
        lambda: torch.randperm(3, device=device),
        lambda: torch.empty(3, device=device).uniform_(),
        lambda: torch.bernoulli(torch.full((3,), 0.5, device=device)),
    ):
        with pytest.raises(RuntimeError, match="other numbers than the CPU's"):
            draw()


def test_an_index_on_the_wrong_device(device):
    place = torch.tensor([1], device=device)
    with pytest.raises(RuntimeError, match="same device as the indexed tensor"):
        torch.ones(3)[place]
    with pytest.raises(RuntimeError, match="same device"):
        torch.ones(3, device=device).index_select(0, place.cpu())


def test_a_constant_made_on_the_cpu_in_every_step_is_counted(device):
    values = torch.ones(3, device=device)
    with counted() as counts:
        for _ in range(5):
            values = values * torch.tensor([1.0, 2.0, 3.0]).to(device)
    assert (counts.to_device, counts.launches, counts.host_reads) == (5, 5, 0)


@pytest.mark.parametrize(
    "read",
    [
        lambda values: values.sum().item(),
        lambda values: bool((values > 0).all()),
        lambda values: values.nonzero(),
        lambda values: values[values > 0],
        lambda values: values.tolist(),
        lambda values: values.cpu(),
        lambda values: torch.equal(values, values),
        lambda values: values.unique(),
    ],
)
def test_reads_of_the_host_are_counted(device, read):
    values = torch.ones(3, device=device)
    with counted() as counts:
        read(values)
    assert counts.host_reads == 1


def test_launches_and_bytes_by_hand(device):
    values = torch.ones(100, device=device)
    with counted() as counts:
        values.view(10, 10).t()[2:4].add_(1)  # views cost nothing; 20 floats are read and written
        values.mul(2)
    assert counts.launches == 2
    assert counts.bytes_moved == 2 * 80 + 2 * 400


def test_networks_and_gradients_are_those_of_the_cpu(device):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.GELU()).eval()
    there = copy.deepcopy(network).to(device).to(memory_format=torch.channels_last)
    images = torch.linspace(0, 1, 2 * 3 * 8 * 8).view(2, 3, 8, 8)
    moved = images.to(device).requires_grad_()
    here = images.clone().requires_grad_()
    there(moved).square().sum().backward()
    network(here).square().sum().backward()
    assert there[0].weight.device == device
    assert torch.allclose(moved.grad.cpu(), here.grad, atol=1e-6)


def test_other_devices_of_the_type(device):
    third = torch.ones(2, device="pretended:2").requires_grad_()
    (third * 3).sum().backward()
    assert third.grad.device == torch.device("pretended:2")
    assert third.detach().to("pretended:1").device == torch.device("pretended:1")


def test_outside_the_block_there_is_only_the_cpu():
    assert not torch.accelerator.is_available()
    with torch.random.fork_rng():
        torch.manual_seed(0)
    with pretended_device():
        assert torch.accelerator.is_available()

"""Division that rounds alike on every device, and that the corruptions keep to it."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench.corruptions import CORRUPTIONS, EXTRA_CORRUPTIONS
from bench.corruptions.batched import corrupt
from bench.imaging.division import divide
from bench.records import Condition

_DIVISIONS = (torch.ops.aten.div.Tensor, torch.ops.aten.div_.Tensor)


class ByReciprocals(TorchDispatchMode):
    """Divides floats by Python numbers as torch does on a CUDA device: by multiplying with the reciprocal."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in _DIVISIONS and not isinstance(args[1], torch.Tensor) and args[0].is_floating_point():
            reciprocal = (1 / torch.tensor(args[1], dtype=args[0].dtype)).item()
            multiply = torch.ops.aten.mul if func is _DIVISIONS[0] else torch.ops.aten.mul_
            return multiply.Scalar(args[0], reciprocal)
        return func(*args, **(kwargs or {}))


def test_the_pretended_division_is_not_that_of_ieee():
    levels = torch.arange(256, dtype=torch.float64)
    with ByReciprocals():
        assert not torch.equal(levels / 255, torch.from_numpy(levels.numpy() / 255))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_divide_rounds_to_the_nearest(dtype):
    levels = torch.arange(256, dtype=dtype)
    with ByReciprocals():
        quotients = divide(levels.clone(), 255)
    assert torch.equal(quotients, torch.from_numpy(levels.numpy() / levels.numpy().dtype.type(255)))


@pytest.mark.parametrize("definition", ["imagenet_c", "cifar10_c"])
@pytest.mark.parametrize("name", CORRUPTIONS + EXTRA_CORRUPTIONS)
def test_no_corruption_divides_by_reciprocals(name, definition, photographs):
    images = photographs[:2, :, 60:92, 90:122].contiguous()
    plain = corrupt(images, Condition(name, 3), range(2), definition=definition)
    with ByReciprocals():
        assert torch.equal(corrupt(images, Condition(name, 3), range(2), definition=definition), plain)

"""Float32 is true float32, whatever is set around it; TF32 is a choice that a cell's identity names."""

import pytest
import torch

from bench.errors import ConfigurationError
from bench.models import check_precision, numerics


def switches():
    backends = torch.backends
    own = (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn, backends.mkldnn.matmul, backends.mkldnn.conv)
    return [switch.fp32_precision for switch in own]


@pytest.mark.parametrize("around", ["highest", "high", "medium"])
def test_float32_is_true_float32_and_everything_is_set_back(around):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(around)
    try:
        own, cudnn = switches(), (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark)
        for precision in ("float32", "bfloat16"):
            with numerics(precision):
                assert switches() == ["ieee"] * 5
                assert torch.backends.cudnn.deterministic
                assert not torch.backends.cudnn.benchmark
        with numerics("tf32", deterministic=False, benchmark=True):
            assert switches() == ["tf32"] * 3 + ["ieee"] * 2
            assert torch.backends.cudnn.benchmark
        with pytest.raises(ZeroDivisionError), numerics("tf32"):
            raise ZeroDivisionError
        assert switches() == own
        assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == cudnn
    finally:
        torch.set_float32_matmul_precision(before)


def test_tf32_is_refused_where_there_is_none():
    check_precision("float32", torch.device("cpu"))
    check_precision("tf32", torch.device("cuda"))
    with pytest.raises(ConfigurationError, match=r"tf32 is of NVIDIA GPUs.*runs on cpu"):
        check_precision("tf32", torch.device("cpu"))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", ["convolution", "product"])
def test_on_a_gpu_float32_has_23_bits_and_tf32_has_10(kind):
    generator = torch.Generator().manual_seed(0)
    if kind == "product":
        left, right = (torch.randn(512, 512, generator=generator) for _ in range(2))
        run = torch.matmul
    else:
        left, right = torch.randn(8, 64, 32, 32, generator=generator), torch.randn(64, 64, 3, 3, generator=generator)
        run = torch.nn.functional.conv2d
    exact = run(left.double(), right.double())

    def error(precision):
        with numerics(precision):
            return float((run(left.cuda(), right.cuda()).cpu().double() - exact).abs().max() / exact.abs().max())

    assert error("float32") < 5e-6
    assert error("tf32") > 5e-5

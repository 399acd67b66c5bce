"""How floating point is computed: chosen, and not what this version of torch or the program around happens to set."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bench.errors import ConfigurationError

_OPERATIONS = ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")
"""Of ``torch.backends``: what may be computed in fewer bits than float32 has, where nobody forbids it."""


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse a precision that a device does not have.

    Raises:
        ConfigurationError: ``tf32`` without a CUDA device.
    """
    if precision == "tf32" and device.type != "cuda":
        raise ConfigurationError(
            f"model.precision=tf32 is of NVIDIA GPUs, and this runs on {device.type}: take float32"
        )


@contextmanager
def numerics(precision: str, *, deterministic: bool = True, benchmark: bool = False) -> Iterator[None]:
    """Compute in this precision meanwhile, and set everything back afterwards. The settings are the process's.

    cuDNN computes float32 convolutions in TF32 (10 bits of fraction instead of 23) unless it is told not to, and matrix
    products too where ``torch.set_float32_matmul_precision`` allows it. ``float32`` is true float32 here, forward and
    backward; ``tf32`` allows TF32, and is a precision of its own in a cell's identity.

    Args:
        precision: ``float32``, ``tf32``, or one of autocast's types, whose remaining operations are in true float32.
        deterministic: cuDNN takes only algorithms that give the same bits every time.
        benchmark: cuDNN times its algorithms for each new shape and keeps the fastest, which may be another in each
            run.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = deterministic, benchmark
    try:
        with _float32_as("tf32" if precision == "tf32" else "ieee"):
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


@contextmanager
def _float32_as(kind: str) -> Iterator[None]:
    """``tf32`` or ``ieee`` for float32 operations."""
    if not hasattr(torch.backends.cuda.matmul, "fp32_precision"):  # torch before 2.9
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        allowed = matmul.allow_tf32, cudnn.allow_tf32
        matmul.allow_tf32 = cudnn.allow_tf32 = kind == "tf32"
        try:
            yield
        finally:
            matmul.allow_tf32, cudnn.allow_tf32 = allowed
        return
    switches = []
    for name in _OPERATIONS:
        backend, operation = name.split(".")
        switch = getattr(getattr(torch.backends, backend), operation)
        switches.append((switch, switch.fp32_precision))
        switch.fp32_precision = kind if backend != "mkldnn" else "ieee"
    try:
        yield
    finally:
        for switch, own in switches:
            switch.fp32_precision = own

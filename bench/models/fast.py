"""The fast path of a classifier: frozen, batch norms folded into convolutions, channels-last; equal in prediction."""

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from bench.errors import ConfigurationError

DEFAULT_SIDE = 224
"""Side in pixels of the probe image when neither ``example`` nor the classifier's ``input_size`` gives one."""

TOLERANCE = 1e-3
"""Largest change of a logit that folding may cause, relative to the spread of the logits; rounding stays near 1e-5."""


def prepare_fast(module: nn.Module, example: Tensor | None = None) -> nn.Module:
    """A copy of the classifier that runs forward and backward faster and predicts the same.

    The copy is in eval mode, needs no weight gradients, is laid out channels-last where that is faster, and every
    batch norm that is the only reader of one convolution's output is folded into that convolution (activations of
    timm's ``BatchNormAct2d`` are kept). Which pairs qualify is seen by watching one forward pass, and the folded copy
    is kept only if its logits agree with the plain ones; what cannot be folded exactly is left as it is.

    Args:
        module: ``(B,3,H,W)`` float in [0,1] -> logits ``(B,K)``; left untouched.
        example: ``(B,3,H,W)`` images the classifier accepts. Without it, one random image of the classifier's
            ``input_size`` (``(H,W)`` or ``(3,H,W)``), else of 224 x 224 pixels.

    Returns:
        The fast copy, on the same device.

    Raises:
        ConfigurationError: the classifier has batch norms but cannot run on the example.
    """
    plain = _frozen_copy(module)
    if not any(type(part) in _FOLDABLE_NORMS for part in plain.modules()):
        return _laid_out(plain)
    device = next(plain.parameters()).device
    probe = _probe_image(module, device) if example is None else example[:1].to(device)
    pairs, expected = _trace(plain, probe)
    folded = copy.deepcopy(plain)
    for conv, norm in pairs:
        _fold(folded, conv, norm)
    folded = _laid_out(folded)
    with _fixed_noise(device), torch.no_grad():
        logits = folded(probe)
    spread = expected.max() - expected.min()
    if (logits - expected).abs().max() <= TOLERANCE * spread:
        return folded
    return _laid_out(plain)


_FOLDABLE_NORMS = (nn.BatchNorm2d, BatchNormAct2d)
_FOLDABLE_CONVS = (nn.Conv2d, Conv2dSame)
# Exact types only: a subclass (weight standardisation, frozen or synchronised norms, parametrisations) may compute
# something else in its forward.


class _Watch(TorchFunctionMode):
    """Watches one forward pass: which convolution made the input of which batch norm, and who else read it."""

    def __init__(self) -> None:
        super().__init__()
        self._outputs: dict[int, tuple[str, Tensor]] = {}
        self._reads: Counter[int] = Counter()
        self._calls: Counter[str] = Counter()
        self._joined: list[tuple[str, str, int]] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        # Shape and type queries return no tensor and do not read the values.
        if isinstance(result, Tensor | tuple | list):
            self._reads.update({id(item) for item in _tensors((args, kwargs)) if id(item) in self._outputs})
        return result

    def after_conv(self, name: str, output: Tensor) -> None:
        """Remember whose output this is; holding the tensor keeps any other from taking its id."""
        self._calls[name] += 1
        self._outputs[id(output)] = (name, output)

    def before_norm(self, name: str, value: Tensor) -> None:
        """Pair the batch norm with the convolution that made its input, if one did."""
        self._calls[name] += 1
        if id(value) in self._outputs:
            self._joined.append((self._outputs[id(value)][0], name, id(value)))

    def pairs(self) -> list[tuple[str, str]]:
        """Names of a convolution and the batch norm that alone reads its output, each run once."""
        return [
            (conv, norm)
            for conv, norm, tensor in self._joined
            if self._calls[conv] == self._calls[norm] == self._reads[tensor] == 1
        ]


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))


def _frozen_copy(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).eval().requires_grad_(False)


def _laid_out(module: nn.Module) -> nn.Module:
    """In the memory format that is faster: channels-last, but not for true float32 on a GPU.

    On an H100, ResNet-50 in float32 took 17 % less time a forward pass and 14 % less a gradient with the channels
    first; in TF32 it took 20 % and 18 % more (docs/devices.md).
    """
    parameter = next(module.parameters(), None)
    if parameter is not None and parameter.device.type == "cuda" and getattr(module, "precision", "") == "float32":
        return module.to(memory_format=torch.contiguous_format)
    return module.to(memory_format=torch.channels_last)


def _probe_image(module: nn.Module, device: torch.device) -> Tensor:
    size = getattr(module, "input_size", (DEFAULT_SIDE, DEFAULT_SIDE))
    side = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    return torch.rand(1, 3, *side, generator=torch.Generator().manual_seed(0)).to(device)


@contextmanager
def _fixed_noise(device: torch.device) -> Iterator[None]:
    """Give a randomised classifier the same draws in both passes, and leave the caller's generators alone."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        yield


def _hook(module: nn.Module, watch: _Watch) -> list[RemovableHandle]:
    """Report every foldable convolution and batch norm to ``watch``; modules with hooks of their own are left out."""

    def conv_hook(name: str, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        watch.after_conv(name, output)

    def norm_hook(name: str, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        watch.before_norm(name, inputs[0])

    handles = []
    for name, part in module.named_modules():
        if part._forward_hooks or part._forward_pre_hooks:
            continue
        if type(part) in _FOLDABLE_CONVS:
            handles.append(part.register_forward_hook(partial(conv_hook, name)))
        elif type(part) in _FOLDABLE_NORMS and part.running_var is not None:
            handles.append(part.register_forward_pre_hook(partial(norm_hook, name)))
    return handles


def _trace(module: nn.Module, probe: Tensor) -> tuple[list[tuple[str, str]], Tensor]:
    """Run the probe; the pairs that may be folded, and the ``(1,K)`` logits of the unfolded classifier."""
    watch = _Watch()
    handles = _hook(module, watch)
    try:
        with _fixed_noise(probe.device), torch.no_grad(), watch:
            logits: Tensor = module(probe)
    except RuntimeError as error:
        raise ConfigurationError(
            f"the classifier does not run on an image of shape {tuple(probe.shape[1:])}, so its batch norms cannot be "
            f"folded; pass example= images of the size it takes, or set its input_size ({error})"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    return watch.pairs(), logits


def _fold(module: nn.Module, conv_name: str, norm_name: str) -> None:
    """Fold one eval-mode batch norm into its convolution, in double precision, and leave its activation behind."""
    conv, norm = module.get_submodule(conv_name), module.get_submodule(norm_name)
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    fused = nn.utils.fusion.fuse_conv_bn_eval(copy.deepcopy(conv).double(), copy.deepcopy(norm).double())
    assert fused.bias is not None
    conv.weight = nn.Parameter(fused.weight.to(conv.weight.dtype), requires_grad=False)
    conv.bias = nn.Parameter(fused.bias.to(conv.weight.dtype), requires_grad=False)
    rest = nn.Sequential(norm.drop, norm.act) if isinstance(norm, BatchNormAct2d) else nn.Identity()
    module.set_submodule(norm_name, rest.eval())

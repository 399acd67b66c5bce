"""A device that computes on the CPU but behaves as a separate one, and counts what an accelerator would be asked.

Tensors on it are wrappers around CPU tensors. Every operation is checked as CUDA would check it (operands on one
device, no NumPy without a copy, no generator of another device), run on the CPU, and counted: kernel launches, bytes
moved, reads by the host, copies between host and device. A draw from the device's own generator is refused: CUDA's
gives other numbers than the CPU's, and no outcome may depend on the device.
"""

from __future__ import annotations

import contextlib
import copy
import weakref
from collections import Counter
from dataclasses import dataclass, field

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

NAME = "pretended"
COUNT = 4
aten = torch.ops.aten


class _Presence:
    """Whether the devices are there: for the other tests of a process there is only the CPU."""

    entered = 0


class _Module:
    """What torch asks of a device type's module, ``torch.pretended``."""

    @staticmethod
    def is_available():
        return _Presence.entered > 0

    @staticmethod
    def device_count():
        return COUNT if _Presence.entered else 0

    @staticmethod
    def current_device():
        return 0

    @staticmethod
    def empty_cache():
        pass

    @staticmethod
    def mem_get_info(device=None):
        limit = _Memory.limit or 2**40
        return limit - _Memory.used, limit

    @staticmethod
    def memory_allocated(device=None):
        return _Memory.used

    @staticmethod
    def memory_reserved(device=None):
        return _Memory.used

    @staticmethod
    def reset_peak_memory_stats(device=None):
        _Memory.peak = _Memory.used

    @staticmethod
    def max_memory_allocated(device=None):
        return _Memory.peak

    @staticmethod
    def _is_in_bad_fork():
        return False

    @staticmethod
    def manual_seed_all(seed):
        pass

    @staticmethod
    def get_amp_supported_dtype():
        return [torch.float16, torch.bfloat16]


def register():
    """Make ``pretended`` a device type of torch, once a process."""
    if torch._C._get_privateuse1_backend_name() != NAME:
        from torch.utils import backend_registration

        if torch.cuda.is_available():  # torch knows of one kind of accelerator per process
            pytest.skip("the pretended device cannot stand beside a real one", allow_module_level=True)
        if not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"):
            pytest.skip("this version of torch has no devices written in Python", allow_module_level=True)

        class Hook(torch._C._acc.PrivateUse1Hooks):
            def is_available(self):
                return _Presence.entered > 0

            def has_primary_context(self, device):
                return True

            def is_built(self):
                return True

        backend_registration._setup_privateuseone_for_python_backend(NAME, _Module(), Hook())


@dataclass
class Counts:
    """What an accelerator was asked to do."""

    launches: int = 0
    """Operations that run a kernel. Some run several: a lower bound."""
    bytes_moved: int = 0
    """Bytes of the operands and of the results."""
    host_reads: int = 0
    """Where the host waits for a value of the device: ``item``, ``nonzero``, an index of truths, ``tolist``, a copy."""
    to_device: int = 0
    to_host: int = 0
    by_name: Counter = field(default_factory=Counter)
    reads_by_name: Counter = field(default_factory=Counter)

    def __sub__(self, other):
        plain = {
            name: getattr(self, name) - getattr(other, name)
            for name in ("launches", "bytes_moved", "host_reads", "to_device", "to_host")
        }
        return Counts(
            **plain, by_name=self.by_name - other.by_name, reads_by_name=self.reads_by_name - other.reads_by_name
        )


TOTAL = Counts()


@contextlib.contextmanager
def counted():
    """What is counted meanwhile; read it when the block has ended."""
    before, counts = copy.deepcopy(TOTAL), Counts()
    yield counts
    vars(counts).update(vars(TOTAL - before))


class PretendedTensor(torch.Tensor):
    """A tensor on the pretended device: its bytes are those of ``host``."""

    @staticmethod
    def __new__(cls, host, device):
        wrapper = torch.Tensor._make_wrapper_subclass(
            cls,
            host.size(),
            strides=host.stride(),
            storage_offset=host.storage_offset(),
            dtype=host.dtype,
            device=torch.device(NAME, 0),  # autograd knows of one device of a type that is written in Python
        )
        wrapper.host = host
        wrapper.place = torch.device(NAME, device.index or 0)
        if _Memory.limit is not None:
            _Memory.take(wrapper)
        return wrapper

    @property
    def device(self):
        return self.place

    def __deepcopy__(self, memo):
        clone = PretendedTensor(self.host.detach().clone(), self.device).requires_grad_(self.requires_grad)
        if isinstance(self, torch.nn.Parameter):
            clone = torch.nn.Parameter(clone.detach(), self.requires_grad)
        memo[id(self)] = clone
        return clone

    @property
    def data(self):
        return self.detach()

    @data.setter
    def data(self, value):
        torch.Tensor.data.__set__(self, value)
        self.host = value.host

    def tolist(self):
        return self.cpu().tolist()

    def numpy(self, *, force=False):
        if force:
            return self.cpu().numpy()
        raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() first.")

    def __array__(self, dtype=None):
        return self.numpy()

    def __repr__(self):
        return f"PretendedTensor({self.host!r}, device={self.device})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})

    __torch_function__ = torch._C._disabled_torch_function_impl


PretendedTensor.__module__ = "torch"  # eagerpy, on which foolbox rests, goes by it


_SYNCHRONISES = {
    aten._local_scalar_dense.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.equal.default,
    aten.is_nonzero.default,
    aten.repeat_interleave.Tensor,
    aten.bincount.default,
}
_MAY_DRAW = {aten.native_dropout.default, aten.embedding_bag.default}
_COPIES = {aten._to_copy.default, aten.copy_.default}
_NO_KERNEL = {
    aten.detach.default,
    aten.alias.default,
    aten.lift_fresh.default,
    aten.empty.memory_format,
    aten.empty_strided.default,
    aten.new_empty.default,
    aten.empty_like.default,
    aten.new_empty_strided.default,
    aten._reshape_alias.default,
    aten._unsafe_view.default,
}
_INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._unsafe_index.Tensor}


def _is_view(func):
    returns = func._schema.returns
    return func in _NO_KERNEL or any(
        value.alias_info is not None and not value.alias_info.is_write for value in returns
    )


def _device_of(func, tensors, kwargs):
    """The pretended device of the result, or None for the CPU; operands on two devices raise as they do in CUDA."""
    ours = {tensor.device for tensor in tensors if isinstance(tensor, PretendedTensor)}
    asked = kwargs.get("device")
    if asked is not None:
        asked = torch.device(asked)
    if func not in _COPIES:
        if len(ours) > 1:
            raise RuntimeError(
                f"{func}: Expected all tensors to be on the same device, but found {sorted(map(str, ours))}"
            )
        others = [tensor for tensor in tensors if not isinstance(tensor, PretendedTensor)]
        if ours and func in _INDEXING and not isinstance(tensors[0], PretendedTensor):
            raise RuntimeError(f"{func}: indices should be on the same device as the indexed tensor (cpu)")
        if ours and func not in _INDEXING and any(tensor.dim() for tensor in others):
            raise RuntimeError(
                f"{func}: Expected all tensors to be on the same device, but found {next(iter(ours))} and cpu!"
            )
    if asked is not None:
        return asked if asked.type == NAME else None
    if func is aten.copy_.default:
        return tensors[0].device if isinstance(tensors[0], PretendedTensor) else None
    return next(iter(ours), None)


def run(func, args, kwargs):
    """Check, run on the CPU, count, wrap."""
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
    touches = [tensor for tensor in tensors if isinstance(tensor, PretendedTensor)]
    device = _device_of(func, tensors, kwargs)
    if not touches and device is None:
        return func(*args, **kwargs)
    if torch.Tag.nondeterministic_seeded in func.tags and func not in _MAY_DRAW:
        raise RuntimeError(f"{func}: a draw from the generator of {device}, which gives other numbers than the CPU's")
    generator = kwargs.get("generator")
    if generator is not None and device is not None:
        raise RuntimeError(f"Expected a '{NAME}' device type for generator but found '{generator.device}'")
    host_args, host_kwargs = tree_map(_host, (args, dict(kwargs)))
    if "device" in host_kwargs:
        host_kwargs["device"] = torch.device("cpu")
    if host_kwargs.get("pin_memory"):
        host_kwargs["pin_memory"] = False
    results = func(*host_args, **host_kwargs)
    if func is aten._to_copy.default and device is not None and any(results is value for value in host_args):
        results = results.clone()
    _count(func, args, tensors, device, results)
    return _wrapped(func, args, kwargs, results, device)


def _host(value):
    return value.host if isinstance(value, PretendedTensor) else value


def _wrapped(func, args, kwargs, results, device):
    """The results as tensors of the device; what an operation wrote to is the operand itself."""
    written = [
        kwargs.get(argument.name, args[place] if place < len(args) else None)
        for place, argument in enumerate(func._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    written = {id(_host(value)): value for value in tree_flatten(written)[0] if isinstance(value, torch.Tensor)}

    def wrap(value):
        if not isinstance(value, torch.Tensor):
            return value
        if id(value) in written:
            return written[id(value)]
        return value if device is None else PretendedTensor(value, device)

    return tree_map(wrap, results)


def _count(func, args, tensors, device, results):
    name = func.overloadpacket._qualified_op_name.removeprefix("aten::")
    if func in _COPIES:
        source = tensors[-1] if func is aten.copy_.default else tensors[0]
        from_device = isinstance(source, PretendedTensor)
        if from_device != (device is not None):
            TOTAL.by_name["copy to device" if device is not None else "copy to host"] += 1
            if device is not None:
                TOTAL.to_device += 1
            else:
                TOTAL.to_host += 1
                TOTAL.host_reads += 1
                TOTAL.reads_by_name["copy to host"] += 1
            return
    if _reads(func, args):
        TOTAL.host_reads += 1
        TOTAL.reads_by_name[name] += 1
    if _is_view(func) or func is aten._local_scalar_dense.default:
        return
    TOTAL.launches += 1
    TOTAL.by_name[name] += 1
    moved = [*tensors, *(value for value in tree_flatten(results)[0] if isinstance(value, torch.Tensor))]
    TOTAL.bytes_moved += sum(map(_bytes, moved))


def _bytes(tensor):
    """Of its elements; where they overlap in memory, of the memory."""
    tensor = _host(tensor)
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def _reads(func, args):
    if func in _SYNCHRONISES:
        return True
    if func not in _INDEXING:
        return False
    indices = [index for index in args[1] if index is not None]
    return any(index.dtype in (torch.bool, torch.uint8) or not isinstance(index, PretendedTensor) for index in indices)


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})


class _Memory:
    """How many bytes of the device are in use, and how many there are."""

    limit = None
    used = 0
    peak = 0
    refused = 0

    @classmethod
    def take(cls, wrapper):
        storage = wrapper.host.untyped_storage()
        if storage.data_ptr() in _STORAGES:
            _STORAGES[storage.data_ptr()][1] += 1
        else:
            size = storage.nbytes()
            if cls.used + size > cls.limit:
                cls.refused += 1
                free = cls.limit - cls.used
                raise torch.OutOfMemoryError(f"{NAME} out of memory: {size} bytes asked for, {free} free")
            _STORAGES[storage.data_ptr()] = [size, 1]
            cls.used += size
            cls.peak = max(cls.peak, cls.used)
        weakref.finalize(wrapper, cls.give, storage.data_ptr())

    @classmethod
    def give(cls, pointer):
        entry = _STORAGES.get(pointer)
        if entry is None:
            return
        entry[1] -= 1
        if not entry[1]:
            cls.used -= _STORAGES.pop(pointer)[0]


_STORAGES = {}


@contextlib.contextmanager
def memory_limit(limit):
    """Let the device have so many bytes; tensors that exist already do not count."""
    _Memory.limit, _Memory.used, _Memory.peak, _Memory.refused = limit, 0, 0, 0
    _STORAGES.clear()
    try:
        yield _Memory
    finally:
        _Memory.limit = None
        _STORAGES.clear()


@contextlib.contextmanager
def pretended_device():
    """Make tensors on ``pretended:0`` to ``pretended:3`` possible meanwhile."""
    # torch.tensor(..., device=...) then makes a CPU tensor and copies it by an operation that the mode sees
    lifted = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)
    _Presence.entered += 1
    try:
        with _Mode():
            yield torch.device(f"{NAME}:0")
    finally:
        _Presence.entered -= 1
        torch._C._set_only_lift_cpu_tensors(lifted)


register()  # before autograd starts its threads, one per device that it knows of

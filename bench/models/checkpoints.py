"""Checkpoints as people save them: the state dict in them, without wrappers' prefixes; nothing in them is run."""

import argparse
import difflib
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision.models
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.errors import ConfigurationError

StateDict = Mapping[str, Tensor]
"""Name -> tensor."""

ENTRIES = (
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "ema",
    "state_dict",
    "model_state_dict",
    "model",
    "network",
    "net",
)
"""Where a training checkpoint has its weights; a moving average (EMA) goes first, as in timm."""
PREFIXES = ("module.", "model.", "_orig_mod.", "network.", "net.", "backbone.")
"""What wrappers put before every name: DataParallel, Lightning modules, torch.compile."""
LONGEST_REASON = 300
LIKELIEST = 6
"""torchvision architectures, the likeliest by name, that a checkpoint which does not fit is compared with."""
_NUMPY_SCALARS = [
    np.dtype,
    np.float64(0).__reduce__()[0],
    *(type(np.dtype(kind)) for kind in ("f8", "f4", "i8", "i4", "?")),
]
_PLAIN_OBJECTS: list[Any] = [argparse.Namespace, *_NUMPY_SCALARS]
"""What training scripts save beside weights (arguments, a best accuracy); making one runs no code."""

Remap = Callable[[dict[str, Tensor], nn.Module], dict[str, Tensor]]


def read_checkpoint(path: Path, device: str = "cpu") -> StateDict:
    """The weights in a file: a state dict, or the one in a training checkpoint.

    Args:
        path: ``.safetensors``, or what ``torch.save`` wrote.
        device: where the tensors go; ``meta`` reads names and shapes alone.

    Raises:
        ConfigurationError: a damaged file, one with objects other than tensors, or one without weights.
    """
    return _weights_in(open_checkpoint(path, device), path)


def open_checkpoint(path: Path, device: str = "cpu") -> Any:
    """All that is in a file of weights, read without running anything in it; arguments as of ``read_checkpoint``.

    Raises:
        ConfigurationError: a damaged file, or one with objects other than tensors and plain values.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path, device="cpu" if device == "meta" else device)  # mapped: no weight is read
        _refuse_torchscript(path)
        with torch.serialization.safe_globals(_PLAIN_OBJECTS):
            return torch.load(path, map_location=device, weights_only=True)
    except ConfigurationError:
        raise
    except (pickle.UnpicklingError, SafetensorError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"checkpoint {path} {_why_unread(path, error)}") from error


def _refuse_torchscript(path: Path) -> None:
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("/constants.pkl") for name in names):
        raise ConfigurationError(
            f"checkpoint {path} is a TorchScript program, not weights: save the module's state_dict() instead, or"
            " export it with torch.export.save and give model.name=export:FILE.pt2"
        )
    if any(name.endswith("archive_format") for name in names):
        raise ConfigurationError(f"checkpoint {path} is an exported program: give model.name=export:{path}")


def _why_unread(path: Path, error: Exception) -> str:
    """In our words: torch's own end in advice to load files unsafely."""
    if path.suffix == ".safetensors":
        return f"is damaged: {' '.join(str(error).split())[:LONGEST_REASON]}"
    advice = "nothing in it was run. Save the network's state_dict() alone, best as .safetensors"
    unsafe = re.search(r"Unsupported (?:global|class): GLOBAL (\S+)|GLOBAL (\S+) was not an allowed global", str(error))
    named = (unsafe[1] or unsafe[2]) if unsafe else ""
    if named:
        return f"is damaged, or holds more than tensors (an object of {named.rstrip('.,')}); {advice}"
    return f"is damaged, or holds more than tensors; {advice}"


def _weights_in(content: Any, path: Path) -> StateDict:
    state = _state_dict(content)
    if state is None:
        keys = f" ({', '.join(map(str, list(content)[:6]))})" if isinstance(content, Mapping) else ""
        raise ConfigurationError(
            f"checkpoint {path} holds no state dict{keys}: save the network's state_dict(), alone or under the key"
            " state_dict"
        )
    return state


def _state_dict(content: Any) -> StateDict | None:
    """The first of ``ENTRIES`` that holds tensors, else the whole where it does."""
    if not isinstance(content, Mapping):
        return None
    inner = (_state_dict(content[name]) for name in ENTRIES if name in content)
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    return next((state for state in inner if state), None) or tensors or None


def without_prefixes(state: StateDict, names: frozenset[str]) -> StateDict:
    """The weights under the names of a network: prefixes of wrappers are taken off while that makes more names fit.

    What does not have the prefix is no part of the network (a loss's weights, a counter) and is left out.

    Args:
        state: name -> tensor.
        names: those of the network.
    """
    best = {name.replace("_orig_mod.", ""): value for name, value in state.items()}
    while True:
        candidates = [
            {name.removeprefix(prefix): value for name, value in best.items() if name.startswith(prefix)}
            for prefix in PREFIXES
        ]
        better = max(candidates, key=lambda candidate: len(names & candidate.keys()))
        inside = [candidate for candidate in candidates if len(candidate) == len(best)]  # every name has it
        if len(names & better.keys()) > len(names & best.keys()):
            best = better
        elif inside and not names & best.keys():
            best = inside[0]
        else:
            return best


def load_weights(network: nn.Module, path: Path, *, name: str, remap: Remap | None = None, device: str = "cpu") -> None:
    """Fill ``network`` with the weights of a file; every name and shape has to fit.

    Args:
        network: what is filled.
        path: see ``read_checkpoint``.
        name: the network's, as the source calls it, for messages.
        remap: from the file's names to the network's.
        device: ``meta`` compares names and shapes alone.

    Raises:
        ConfigurationError: as ``read_checkpoint``; weights that do not fit.
    """
    state = read_checkpoint(path, device)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="for .*: copying from a non-meta parameter")
            if remap is not None:
                state = remap(dict(state), network)
            else:
                state = without_prefixes(state, frozenset(network.state_dict()))
            network.load_state_dict(dict(state), strict=True)
    except (RuntimeError, AssertionError, KeyError) as error:
        misnamed = len(state.keys() & network.state_dict().keys()) < len(state) / 2
        fitting = _torchvision_network_of(state, (name, path.stem)) if misnamed else ""
        if fitting:
            what = (
                f"has the names of torchvision's {fitting}, not those of {name}: give model.name=torchvision:{fitting}"
            )
        else:
            what = f"does not fit {type(network).__name__} ({name}): {_misfit(error)}"
        raise ConfigurationError(f"checkpoint {path} {what}") from error


@lru_cache(maxsize=256)
def check_weights(
    network: nn.Module, path: Path, state: tuple[int, int], *, name: str, remap: Remap | None = None
) -> None:
    """``load_weights`` into a network on the ``meta`` device: once, however many jobs of a sweep ask.

    Args:
        network: on the ``meta`` device.
        path: the file.
        state: its time and size, which tell versions of it apart.
        name: as of ``load_weights``.
        remap: as of ``load_weights``.
    """
    del state
    load_weights(network, path, name=name, remap=remap, device="meta")


def file_state(path: Path) -> tuple[int, int]:
    """Time and size of a file: what ``check_weights`` tells its versions apart by."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _misfit(error: BaseException) -> str:
    """Torch's reasons in one line, without its heading and without all of many names."""
    text = " ".join(str(error).split())
    reasons = re.sub(r"^Error\(s\) in loading state_dict for \w+: ?", "", text) or type(error).__name__
    return reasons if len(reasons) <= LONGEST_REASON else f"{reasons[:LONGEST_REASON]} ..."


def _torchvision_network_of(state: StateDict, like: Sequence[str]) -> str:
    """The torchvision architecture whose names these are; empty for none of the likeliest."""
    names = torchvision.models.list_models(module=torchvision.models)
    words = [text.lower().partition("-")[0] for text in like]  # torchvision's files end in -DIGEST
    names.sort(key=lambda name: -max(difflib.SequenceMatcher(None, name, word).ratio() for word in words))
    for name in names[:LIKELIEST]:
        try:
            with torch.device("meta"):
                network = torchvision.models.get_model(name, weights=None)
        except Exception:  # noqa: S112  # one that needs more than its name is no candidate
            continue
        if network.state_dict().keys() == without_prefixes(state, frozenset(network.state_dict())).keys():
            return str(name)
    return ""

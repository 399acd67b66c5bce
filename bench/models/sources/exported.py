"""Programs of ``torch.export.save``: forward passes alone, and only files without pickled objects or native code."""

import hashlib
import io
import json
import re
import zipfile
from dataclasses import replace
from functools import lru_cache
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bench.configs import ModelConfig
from bench.errors import ConfigurationError
from bench.models.assembly import check_file, classifier_of, label_space_of, one_line, outline_of
from bench.models.checkpoints import file_state
from bench.models.classifier import Classifier, logits_of
from bench.models.forward_only import ForwardOnly
from bench.models.preprocessing import Preprocessing, pixels_of_size
from bench.models.source import ModelOutline, ModelSource

ADVICE = "save it again with torch.export.save of this torch, or load it in code of your own (python:FILE.py:FUNCTION)"
SYMBOLS = re.compile(r"(?:s|u|zf|zuf)\d+|[A-Z]\w*|positive|negative|nonnegative|integer|real|finite")
"""Names that an expression over sizes may hold: torch's symbols, and sympy's functions and assumptions."""


class ExportedNetwork(ForwardOnly):
    """An exported program.

    Args:
        program: what ``torch.export.load`` returned.
        digest: SHA-256 of its file, in hex.
        batch_size: as of ``ForwardOnly``.
    """

    def __init__(self, program: Any, digest: str, batch_size: int | None) -> None:
        super().__init__(digest, batch_size)
        # Guards repeat the shape checks, as Python code in the file: torch would compile it. Older torch writes none.
        unguarded = {"check_guards": False} if "check_guards" in signature(program.module).parameters else {}
        self.program: nn.Module = program.module(**unguarded)
        self.n_parameters = sum(value.numel() for value in program.parameters())

    def run(self, images: Tensor) -> Tensor:
        """Logits ``(B,K)``."""
        return logits_of(self.program(images), "the exported program")

    def macs(self, input_size: tuple[int, int]) -> float:
        """Counted in one forward pass."""
        batch = self.batch_size or 1
        device = next(self.program.parameters(), torch.empty(0)).device
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self.run(torch.zeros(batch, 3, *input_size, device=device))
        return float(counter.get_total_flops()) / 2 / batch

    def train(self, mode: bool = True) -> "ExportedNetwork":
        """Nothing: an exported program has no modes, and refuses to be asked."""
        self.training = mode
        return self


def outline(config: ModelConfig) -> ModelOutline:
    """Open the program: its shapes are in it."""
    program, _ = _read(config)
    _, size, n_classes = _shapes(program, config.name)
    return outline_of(config, _stated(size), label_space_of(config, n_classes), has_gradient=False)


def load(config: ModelConfig) -> Classifier:
    """The program; it takes pixels in [0,1] unless ``model.mean`` and ``model.std`` are set."""
    program, digest = _read(config)
    batch_size, size, n_classes = _shapes(program, config.name)
    shown = replace(config, name=Path(config.name).stem)
    space = label_space_of(config, n_classes)
    return classifier_of(shown, ExportedNetwork(program, digest, batch_size), _stated(size), space)


def _read(config: ModelConfig) -> tuple[Any, str]:
    path = check_file(config, ".pt2")
    return _open(path, file_state(path))


@lru_cache(maxsize=2)
def _open(path: Path, state: tuple[int, int]) -> tuple[Any, str]:
    """The program and its file's digest; ``state`` tells versions of the file apart."""
    del state
    content = path.read_bytes()
    _refuse_code(path, content)
    try:
        program = torch.export.load(io.BytesIO(content))
    except Exception as error:
        raise ConfigurationError(f"model export:{path} does not open: {one_line(error)}; {ADVICE}") from error
    return program, hashlib.sha256(content).hexdigest()


def _refuse_code(path: Path, content: bytes) -> None:
    """Refuse what ``torch.export.load`` would unpickle, evaluate or run while it reads a file.

    Raises:
        ConfigurationError: naming it; nothing of it was run.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise ConfigurationError(f"model export:{path} is no file of torch.export.save: {error}") from error
    for name, member in members.items():
        reason = _why_unsafe(name, member)
        if reason:
            raise ConfigurationError(f"model export:{path} holds {reason} ({name}); nothing in it was run; {ADVICE}")


def _why_unsafe(name: str, member: bytes) -> str:
    if "/aotinductor/" in name or name.endswith((".so", ".dll")):
        return "native code"
    if name.endswith(".pt") and member:
        try:
            torch.load(io.BytesIO(member), weights_only=True)
        except Exception:
            return "pickled objects other than tensors"
    if name.endswith(".json"):
        try:
            return _why_unsafe_json(json.loads(member))
        except ValueError:
            return "a description that is not JSON"
    if name.rpartition("/")[2].startswith(("custom_obj_", "opaque_obj_")):
        return "pickled objects"
    return ""


def _why_unsafe_json(value: Any) -> str:
    """Pickled tensors, and expressions over sizes that hold more than sizes: torch reads these by evaluating them."""
    if isinstance(value, list):
        return next(filter(None, map(_why_unsafe_json, value)), "")
    if not isinstance(value, dict):
        return ""
    if value.get("use_pickle"):
        return "pickled tensors"
    expression = value.get("expr_str")
    if isinstance(expression, str) and not _is_arithmetic(expression):
        return f"the expression {expression[:40]!r}"
    return next(filter(None, map(_why_unsafe_json, value.values())), "")


def _is_arithmetic(expression: str) -> bool:
    unquoted = re.sub(r"'((?:s|u|zf|zuf)\d+)'", r"\1", expression)
    plain = re.fullmatch(r"[\w\s+\-*/%(),.<>=&|~]*", unquoted) is not None
    names = re.findall(r"[A-Za-z_]\w*", unquoted)
    return plain and "__" not in expression and all(SYMBOLS.fullmatch(name) for name in names)


def _shapes(program: Any, name: str) -> tuple[int | None, tuple[int, int] | None, int]:
    """Fixed batch size, fixed height and width, and classes, as the graph states them."""
    nodes = {node.name: node for node in program.graph.nodes}
    inputs, outputs = program.graph_signature.user_inputs, program.graph_signature.user_outputs
    if len(inputs) != 1:
        raise ConfigurationError(f"model export:{name} has {len(inputs)} inputs; a classifier has one, the images")
    shape = list(nodes[inputs[0]].meta["val"].shape)
    if len(shape) != 4 or shape[1] != 3:
        raise ConfigurationError(f"model export:{name} takes {tuple(map(str, shape))}, not images (B,3,H,W)")
    logits = [nodes[item].meta["val"].shape for item in outputs]
    if len(logits) != 1 or len(logits[0]) != 2:
        raise ConfigurationError(
            f"model export:{name} returns {[tuple(map(str, item)) for item in logits]}, not (B, classes)"
        )
    batch, _, height, width = (length if isinstance(length, int) else None for length in shape)
    size = None if height is None or width is None else (height, width)
    return batch, size, int(logits[0][1])


def _stated(size: tuple[int, int] | None) -> Preprocessing | None:
    """The size in the file; nothing else is in it."""
    return None if size is None else pixels_of_size(size)


SOURCE = ModelSource(outline, load, settings=())

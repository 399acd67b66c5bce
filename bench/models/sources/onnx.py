"""ONNX files, run by ONNX Runtime on the CPU: forward passes alone."""

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.configs import ModelConfig
from bench.errors import ConfigurationError, nearest_names
from bench.models.assembly import (
    check_file,
    classifier_of,
    count_logits,
    import_extra,
    label_space_of,
    one_line,
    outline_of,
    take_options,
)
from bench.models.checkpoints import file_state
from bench.models.classifier import Classifier
from bench.models.forward_only import ForwardOnly
from bench.models.preprocessing import Preprocessing, pixels_of_size, with_settings
from bench.models.source import ModelOutline, ModelSource

logger = logging.getLogger(__name__)
INSTALL = "'snowwolf[onnx]'"
FLOATS = {1: torch.float32, 10: torch.float16}
"""ONNX's number of a type of tensor -> the type of the images that are given."""


class OnnxNetwork(ForwardOnly):
    """An ONNX graph.

    Args:
        graph: what ``read_graph`` returned.
        output: name of the logits among its outputs.
    """

    def __init__(self, graph: "Graph", output: str) -> None:
        super().__init__(graph.digest, graph.batch_size)
        self.graph, self.output = graph, output
        self.n_parameters = graph.n_parameters
        self._session = _open(graph.path, torch.get_num_threads())

    def run(self, images: Tensor) -> Tensor:
        """Logits ``(B,K)`` float32, on the device of ``images``."""
        pixels = images.to("cpu", FLOATS[self.graph.element]).contiguous().numpy()
        (logits,) = self._session.run([self.output], {self.graph.input: pixels})
        return torch.from_numpy(logits).to(images.device, torch.float32)

    def macs(self, input_size: tuple[int, int]) -> float:
        """Of its convolutions and matrix products, by the shapes of one pass; NaN where that pass fails."""
        try:
            return _count_macs(self.graph, input_size)
        except Exception as error:  # such as a graph beyond the 2 GB that can be changed in memory
            logger.warning("%s: its multiply-accumulates are not known (%s)", self.graph.path, one_line(error))
            return math.nan

    def __deepcopy__(self, memo: dict[int, Any]) -> "OnnxNetwork":
        return self  # it has no state that a copy could change


class Graph:
    """What an ONNX file says of its network.

    Args:
        path: the file.

    Raises:
        ConfigurationError: it is no ONNX file, or does not take ``(B,3,H,W)`` floats.
    """

    def __init__(self, path: Path) -> None:
        onnx = import_extra("onnx", INSTALL, "onnx")
        self.path = path
        try:
            self.model = onnx.load(str(path), load_external_data=False)
        except Exception as error:
            raise ConfigurationError(f"model onnx:{path} is no ONNX file: {one_line(error)}") from error
        graph = self.model.graph
        initial = {tensor.name for tensor in graph.initializer}
        inputs = [item for item in graph.input if item.name not in initial]
        if len(inputs) != 1:
            raise ConfigurationError(f"model onnx:{path} has {len(inputs)} inputs; a classifier has one, the images")
        self.input = inputs[0].name
        kind = inputs[0].type.tensor_type
        self.element = int(kind.elem_type)
        shape = [dim.dim_value or None for dim in kind.shape.dim]
        if self.element not in FLOATS or len(shape) != 4 or shape[1] not in (3, None):
            hint = "; transpose it to channels first" if len(shape) == 4 and shape[3] == 3 else ""
            raise ConfigurationError(
                f"model onnx:{path} takes {shape} of ONNX type {self.element}, not float images (B,3,H,W){hint}"
            )
        self.batch_size, _, self.height, self.width = shape
        self.outputs: dict[str, int] = {item.name: len(item.type.tensor_type.shape.dim) for item in graph.output}
        self.n_parameters = sum(math.prod(tensor.dims) for tensor in graph.initializer if tensor.data_type in FLOATS)
        self.digest = _digest(path, self.model)


def outline(config: ModelConfig) -> ModelOutline:
    """Read the graph's inputs and outputs, no weights."""
    graph = _graph(config)
    output = _output(config, graph)
    n_classes = _n_classes(config, graph, output)
    return outline_of(config, _stated(graph), label_space_of(config, n_classes), has_gradient=False)


def load(config: ModelConfig) -> Classifier:
    """The graph in a session of ONNX Runtime; it takes pixels in [0,1] unless ``model.mean`` and ``std`` are set."""
    graph = _graph(config)
    output = _output(config, graph)
    space = label_space_of(config, _n_classes(config, graph, output))
    shown = replace(config, name=Path(config.name).stem)
    return classifier_of(shown, OnnxNetwork(graph, output), _stated(graph), space)


def _graph(config: ModelConfig) -> Graph:
    import_extra("onnxruntime", INSTALL, "onnx")
    path = check_file(config, ".onnx")
    take_options(config, ("output",))
    return _read_graph(path, file_state(path))


@lru_cache(maxsize=8)
def _read_graph(path: Path, state: tuple[int, int]) -> Graph:
    del state
    return Graph(path)


def _stated(graph: Graph) -> Preprocessing | None:
    """The size in the file; nothing else is in it."""
    if graph.height is None or graph.width is None:
        return None
    return pixels_of_size((graph.height, graph.width))


def _output(config: ModelConfig, graph: Graph) -> str:
    named = config.options.get("output")
    if named is not None:
        if named not in graph.outputs:
            raise ConfigurationError(
                f"model onnx:{graph.path} has no output {named!r}: {nearest_names(str(named), graph.outputs)}"
            )
        return str(named)
    flat = [name for name, n_dims in graph.outputs.items() if n_dims == 2]
    if len(flat) != 1:
        raise ConfigurationError(
            f"model onnx:{graph.path} has {len(flat)} outputs of shape (B, classes): name the logits with"
            f" model.options.output, one of {', '.join(graph.outputs)}"
        )
    return flat[0]


def _n_classes(config: ModelConfig, graph: Graph, output: str) -> int:
    (value,) = (item for item in graph.model.graph.output if item.name == output)
    stated = value.type.tensor_type.shape.dim[-1].dim_value
    if stated:
        return int(stated)
    crop = with_settings(_stated(graph), config).crop
    return count_logits(OnnxNetwork(graph, output), (crop.height, crop.width), f"onnx:{graph.path}")


def _open(path: Path, threads: int) -> Any:
    runtime = import_extra("onnxruntime", INSTALL, "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ConfigurationError(f"model onnx:{path}: ONNX Runtime cannot open it: {one_line(error)}") from error


def _digest(path: Path, model: Any) -> str:
    """SHA-256 of the file, and of the files beside it that hold its large tensors."""
    digest: Any = hashlib.sha256(path.read_bytes())
    beside = {
        entry.value for tensor in model.graph.initializer for entry in tensor.external_data if entry.key == "location"
    }
    for name in sorted(beside):
        file = path.parent / name
        if Path(name).name != name or not file.is_file():
            raise ConfigurationError(f"model onnx:{path} has weights in {name!r}, which is not beside it")
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return str(digest.hexdigest())


def _count_macs(graph: Graph, input_size: tuple[int, int]) -> float:
    """Run the graph with every operand that counts among its outputs: shapes in files may be left open."""
    onnx, runtime = (import_extra(name, INSTALL, "onnx") for name in ("onnx", "onnxruntime"))
    model = onnx.load(str(graph.path))
    nodes = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    names = {name for node in nodes for name in (node.output[0], *node.input[:2])}
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    given = {*weights, graph.input, *(item.name for item in model.graph.output)}
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in sorted(names - given))
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    batch = graph.batch_size or 1
    grey = torch.zeros(batch, 3, *input_size, dtype=FLOATS[graph.element]).numpy()
    values = session.run(None, {graph.input: grey})
    found = {item.name: value.shape for item, value in zip(session.get_outputs(), values, strict=True)}
    shapes = {**found, **weights, graph.input: grey.shape}
    return sum(_macs_of(node, shapes) for node in nodes) / batch


def _macs_of(node: Any, shapes: Mapping[str, Sequence[int]]) -> int:
    outputs = math.prod(shapes[node.output[0]])
    if node.op_type == "Conv":
        return outputs * math.prod(shapes[node.input[1]][1:])
    transposed = node.op_type == "Gemm" and any(item.name == "transA" and item.i for item in node.attribute)
    return outputs * shapes[node.input[0]][-2 if transposed else -1]


SOURCE = ModelSource(outline, load, settings=("options",))

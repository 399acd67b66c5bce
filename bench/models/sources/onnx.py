"""ONNX files, run by ONNX Runtime on the CPU: forward passes alone."""

import hashlib
import logging
import math
from collections.abc import Mapping
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
        """Of its convolutions and matrix products; NaN where shapes are not in the file."""
        del input_size
        return self.graph.macs()

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
        self.outputs = {item.name: len(item.type.tensor_type.shape.dim) for item in graph.output}
        self.n_parameters = sum(math.prod(tensor.dims) for tensor in graph.initializer if tensor.data_type in FLOATS)
        self.digest = _digest(path, self.model)

    def macs(self) -> float:
        """Multiply-accumulates of one image."""
        onnx = import_extra("onnx", INSTALL, "onnx")
        try:
            inferred = onnx.shape_inference.infer_shapes(self.model).graph
            shapes = {item.name: _shape(item) for item in (*inferred.input, *inferred.output, *inferred.value_info)}
            shapes |= {tensor.name: list(tensor.dims) for tensor in inferred.initializer}
            total = sum(_macs_of(node, shapes) for node in inferred.node)
        except Exception as error:  # a shape that is not in the file, or a graph that cannot be inferred
            logger.warning("%s: its multiply-accumulates are not known (%s)", self.path, one_line(error))
            return math.nan
        return total / (self.batch_size or 1)


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
    digest = hashlib.sha256(path.read_bytes())
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


def _shape(item: Any) -> list[int]:
    """Lengths; of symbolic ones, 1: the batch is the only one that may be."""
    dims = [dim.dim_value for dim in item.type.tensor_type.shape.dim]
    if any(not length for length in dims[1:]):
        raise ValueError(f"{item.name} has no fixed shape")
    return [length or 1 for length in dims]


def _macs_of(node: Any, shapes: Mapping[str, list[int]]) -> int:
    if node.op_type == "Conv":
        return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
    if node.op_type == "Gemm":
        transposed = any(item.name == "transA" and item.i for item in node.attribute)
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]
    if node.op_type == "MatMul":
        return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    return 0


SOURCE = ModelSource(outline, load, settings=("options",))

"""Guided backprop and deconvnet for every rectifier, wherever it is called from.

The rules are put on the nodes of the autograd graph, not on modules: a rectifier is found whether it is a module, a
functional call or in place, and the graph, with the rules on it, is gone after the call. The papers define both rules
for ReLU. For its relatives (ReLU6, SiLU, GELU, Hardswish, ELU, ...) the forward condition stays ``input > 0`` and the
activation's own slope is kept; gates (sigmoid, softmax) and normalisations are no rectifiers and keep their gradient.
"""

import re
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.utils.hooks import RemovableHandle

from bench.errors import ConfigurationError
from bench.explain.features import class_scores

Rule = Literal["guided", "deconvnet"]

_RECTIFIERS = {
    "Relu", "Hardtanh", "Silu", "Gelu", "Hardswish", "LeakyRelu", "Elu", "Celu", "Mish", "Softplus", "PreluKernel",
    "Clamp", "ClampMin", "Threshold", "RreluWithNoise",
}  # fmt: skip
_GATES = {"Sigmoid", "Hardsigmoid", "Tanh", "Erf", "Softplus", "Hardtanh", "Clamp"}
_ELEMENTWISE = _GATES | {"Mul", "Add", "Sub", "Div", "Pow", "Exp", "Reciprocal", "Neg"}

# Nodes of the autograd graph have no common public type.
Node = Any


def rectified_gradients(classifier: nn.Module, images: Tensor, targets: Tensor, rule: Rule) -> Tensor:
    """The class scores' gradient with respect to the image, with a changed backward pass through rectifiers.

    ``guided`` (Springenberg et al. 2015) passes a gradient only where both it and the rectifier's forward input are
    positive; ``deconvnet`` (Zeiler and Fergus 2014) passes it where it is positive, whatever the forward input.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        images: ``(B,3,H,W)`` in [0,1].
        targets: ``(B,)`` classes.
        rule: ``guided`` or ``deconvnet``.

    Returns:
        ``(B,3,H,W)``, signed: the first layer is no rectifier.

    Raises:
        ConfigurationError: the network has no rectifier, or an activation whose backward pass cannot be changed, so
            that the result would be the plain gradient, wholly or in part.
    """
    images = images.detach().requires_grad_()
    score = class_scores(classifier, images, targets).sum()
    nodes = list(_graph(score.grad_fn))
    _refuse_opaque(nodes, classifier, rule)
    rectifiers = [node for node in nodes if _is_rectifier(node)]
    if not rectifiers:
        raise ConfigurationError(f"{_title(classifier)} has no rectifier: {rule} would be the plain gradient")
    handles = [_apply(rule, node) for node in rectifiers]
    try:
        (gradients,) = torch.autograd.grad(score, images)
    finally:
        for handle in handles:  # a rule refers to its node: without this the two would keep each other alive
            handle.remove()
    return gradients


def _apply(rule: Rule, node: Node) -> RemovableHandle:
    def guided(gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (gradients[0].clamp(min=0) * _input_is_positive(node), *gradients[1:])

    def deconvnet(inputs: tuple[Tensor | None, ...], outputs: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
        return (outputs[0].clamp(min=0), *inputs[1:])

    handle: RemovableHandle = node.register_prehook(guided) if rule == "guided" else node.register_hook(deconvnet)
    return handle


def _input_is_positive(node: Node) -> Tensor:
    # Those that keep their output (they may run in place) keep the sign of their input.
    saved: Tensor = node._saved_self if hasattr(node, "_saved_self") else node._saved_result
    return saved > 0


def _is_rectifier(node: Node) -> bool:
    kind = _kind(node)
    if kind == "Hardtanh":
        return bool(node._saved_min_val == 0)  # ReLU6; other bounds squash
    if kind in ("Clamp", "ClampMin"):
        return bool(node._saved_min == 0)
    return kind in _RECTIFIERS


def _refuse_opaque(nodes: list[Node], classifier: nn.Module, rule: Rule) -> None:
    opaque = {_name(node) for node in nodes if isinstance(node, BackwardCFunction)}
    if any(_is_written_out(node) for node in nodes):
        opaque.add("an activation of the form x * gate(x) written as a product")
    if opaque:
        raise ConfigurationError(
            f"{rule} cannot change the backward pass of {_title(classifier)} through {', '.join(sorted(opaque))};"
            " use grad_cam, saliency, smoothgrad, integrated_gradients or occlusion"
        )


def _is_written_out(node: Node) -> bool:
    """Whether the node is ``x * gate(x)``, a SiLU or GELU in disguise: both factors are elementwise in one tensor."""
    factors = [parent for parent, _ in node.next_functions]
    if _kind(node) != "Mul" or len(factors) != 2 or None in factors:
        return False
    reached = [_elementwise_origins(factor) for factor in factors]
    return any(gated & plain for (gated, _), (_, plain) in (reached, reversed(reached)))


def _elementwise_origins(start: Node) -> tuple[set[Node], set[Node]]:
    """Nodes from which ``start`` is reached by elementwise operations alone: through a gate, and by any way."""
    through_gate: set[Node] = set()
    all_ways: set[Node] = set()
    seen, waiting = set(), [(start, False)]
    while waiting:
        item = waiting.pop()
        if item in seen:
            continue
        seen.add(item)
        node, gated = item
        all_ways.add(node)
        if gated:
            through_gate.add(node)
        if _kind(node) in _ELEMENTWISE:
            gated = gated or _kind(node) in _GATES
            waiting += [(parent, gated) for parent, _ in node.next_functions if parent is not None]
    return through_gate, all_ways


def _graph(start: Node) -> Iterator[Node]:
    """Every node the gradient passes, each once."""
    seen, waiting = {start}, [start]
    while waiting:
        node = waiting.pop()
        yield node
        fresh = {parent for parent, _ in node.next_functions if parent is not None} - seen
        seen |= fresh
        waiting += fresh


def _kind(node: Node) -> str:
    return re.sub(r"Backward\d*$", "", _name(node))


def _name(node: Node) -> str:
    return str(node.name())


def _title(classifier: nn.Module) -> str:
    return str(getattr(classifier, "name", type(classifier).__name__))

"""The last spatial feature map of any classifier, with the gradient of a class score, and no layer to choose by hand.

A timm network's map is what its ``forward_features`` returns. Where no position of that is read by the head (a class
token does the classifying), the map is the last block output whose positions still reach the score: for a plain ViT
the input tokens of its last block.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from bench.errors import ConfigurationError
from bench.explain.layout import Layout, read_layout


@dataclass(frozen=True)
class FeatureLayer:
    """A place in a classifier whose output is a feature map."""

    module: str
    """Path of the module inside the classifier, as in ``named_modules()``."""
    method: str
    """``forward`` or ``forward_features``: whose output it is."""
    position: int
    """Which of several outputs; 0 for a single one."""
    layout: Layout
    """Of the output, for the image size it was found with."""


class SpatialFeatures(NamedTuple):
    """The feature map of a batch and the gradient of each image's class score with respect to it."""

    activations: Tensor
    """``(B,C,h,w)`` float32."""
    gradients: Tensor
    """``(B,C,h,w)`` float32."""


Tap = Callable[[int, Tensor], Tensor]
"""Sees each tensor of an output, by position, as it is made; what it returns takes the tensor's place."""

_Output = tuple[str, str, int, Tensor]
"""Module, method, position and the tensor."""

# What was found is kept for as long as the classifier lives; the entries go with it.
_FOUND: WeakKeyDictionary[nn.Module, dict[tuple[int, int], FeatureLayer]] = WeakKeyDictionary()


def class_scores(classifier: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """The logits ``(B,)`` of the target classes ``(B,)``, before any softmax."""
    logits: Tensor = classifier(images)
    return logits.gather(1, targets[:, None].to(logits.device)).squeeze(1)


def last_feature_layer(classifier: nn.Module, image: Tensor) -> FeatureLayer:
    """Where the classifier's last spatial feature map is; found by watching one image, then remembered.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits.
        image: ``(1,3,H,W)`` in [0,1].

    Raises:
        ConfigurationError: no output with more than one position has any bearing on the logits.
    """
    known = _FOUND.setdefault(classifier, {})
    size = (image.shape[2], image.shape[3])
    if size not in known:
        known[size] = _find(classifier, image)
    return known[size]


def spatial_features(classifier: nn.Module, images: Tensor, targets: Tensor) -> SpatialFeatures:
    """The last spatial feature map of ``images`` and the class scores' gradient there.

    The gradient runs through the head alone: the graph is cut at the map.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        images: ``(B,3,H,W)`` in [0,1].
        targets: ``(B,)`` class of each image.
    """
    layer = last_feature_layer(classifier, images[:1])
    logits, features = _cut_at(classifier, layer, images)
    scores = logits.gather(1, targets[:, None].to(logits.device))
    (gradient,) = torch.autograd.grad(scores.sum(), features)
    as_map = layer.layout.as_map
    return SpatialFeatures(as_map(features.detach()).float(), as_map(gradient).float())


def _cut_at(classifier: nn.Module, layer: FeatureLayer, images: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of ``images``, and the layer's output as the leaf their graph starts from."""
    leaves: list[Tensor] = []

    def cut(position: int, output: Tensor) -> Tensor:
        if position != layer.position:
            return output
        leaves.append(output.detach().requires_grad_())
        return leaves[-1].clone()  # what follows may write into it

    with _tapped(classifier.get_submodule(layer.module), layer.method, cut):
        logits: Tensor = classifier(images)
    return logits, leaves[-1]


def _find(classifier: nn.Module, image: Tensor) -> FeatureLayer:
    size = (image.shape[2], image.shape[3])
    root_name, root = _network(classifier)
    prefix = getattr(root, "num_prefix_tokens", None)
    prefixes = (0, 1, 2) if prefix is None else (prefix, 0)
    logits, outputs = _outputs(classifier, root_name, root, image)
    # Random weights of both signs, so that no class, and no sum over classes that cancels, decides.
    weights = torch.randn(logits.shape[1], generator=torch.Generator().manual_seed(0))
    score = (logits * weights.to(logits)).sum()
    layouts = [
        read_layout(output.shape, size, prefixes=prefixes, channels=getattr(root, "num_features", None))
        if len(output) == len(image)  # else parts of the image, or pixels of a patch, lie in the batch
        else None
        for *_, output in outputs
    ]
    partial = _parts_of_no_map(classifier, outputs, layouts)
    for (name, method, position, output), layout in reversed(list(zip(outputs, layouts, strict=True))):
        if layout is None or not output.requires_grad or name.startswith(partial):
            continue
        (gradient,) = torch.autograd.grad(score, output, retain_graph=True, allow_unused=True)
        if gradient is None or not bool(layout.as_map(gradient).any()):
            continue
        layer = FeatureLayer(name, method, position, layout)
        if _cut_at(classifier, layer, image)[0].requires_grad:  # else the block used the tensor before handing it out
            return layer
    raise ConfigurationError(
        f"no spatial feature map in {type(root).__name__} has a gradient from the logits at {size[0]} x {size[1]}"
        " pixels: its last layer is all zeros, or the image is too small; use saliency or occlusion"
    )


def _parts_of_no_map(classifier: nn.Module, outputs: list[_Output], layouts: list[Layout | None]) -> tuple[str, ...]:
    """Path prefixes inside blocks whose outputs are no maps: one branch of a block says little about the whole."""
    blocks = {name for name, method, _, _ in outputs if method == "forward"}
    blocks -= {name for (name, *_), layout in zip(outputs, layouts, strict=True) if layout}
    return tuple(
        f"{name}." for name in blocks if not isinstance(classifier.get_submodule(name), nn.Sequential | nn.ModuleList)
    )


def _network(classifier: nn.Module) -> tuple[str, nn.Module]:
    """The timm network inside the classifier; without one, what is left below modules of a single child."""
    for name, module in classifier.named_modules():
        if hasattr(module, "forward_features"):
            return name, module
    path, network = [], classifier
    while len(children := list(network.named_children())) == 1:
        path.append(children[0][0])
        network = children[0][1]
    return ".".join(path), network


def _outputs(classifier: nn.Module, root_name: str, root: nn.Module, image: Tensor) -> tuple[Tensor, list[_Output]]:
    """Logits of the image, and ``(module, method, position, tensor)`` of every block's outputs in order.

    What comes after ``forward_features`` is the head, and is left out; so is a tensor that a block only hands on.
    """
    outputs: list[_Output] = []
    seen: set[int] = set()

    def note(name: str, method: str) -> Tap:
        def tap(position: int, output: Tensor) -> Tensor:
            if method == "forward_features" or id(output) not in seen:
                outputs.append((name, method, position, output))
                seen.add(id(output))
            return output

        return tap

    with ExitStack() as stack:
        for name, module in _blocks(root_name, root):
            stack.enter_context(_tapped(module, "forward", note(name, "forward")))
        if hasattr(root, "forward_features"):
            stack.enter_context(_tapped(root, "forward_features", note(root_name, "forward_features")))
        logits: Tensor = classifier(image.detach().requires_grad_())
    ends = [count for count, (_, method, _, _) in enumerate(outputs, start=1) if method == "forward_features"]
    return logits, outputs[: ends[-1]] if ends else outputs


def _blocks(root_name: str, root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The network's children and every member of a sequence of modules."""
    for name, module in root.named_modules(prefix=root_name):
        sequence = isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict)
        if module is root or sequence:
            for child_name, child in module.named_children():
                yield f"{name}.{child_name}".lstrip("."), child


@contextmanager
def _tapped(module: nn.Module, method: str, tap: Tap) -> Iterator[None]:
    """Let ``tap`` see, and replace, the tensors of each output while the context lasts."""

    def through(output: Any) -> Any:
        if isinstance(output, Tensor):
            return tap(0, output)
        if type(output) in (tuple, list):
            return type(output)(
                tap(position, item) if isinstance(item, Tensor) else item for position, item in enumerate(output)
            )
        return output

    if method == "forward":
        handle = module.register_forward_hook(lambda _module, _inputs, output: through(output))
        try:
            yield
        finally:
            handle.remove()
        return
    original = getattr(module, method)
    setattr(module, method, lambda *args, **kwargs: through(original(*args, **kwargs)))
    try:
        yield
    finally:
        delattr(module, method)

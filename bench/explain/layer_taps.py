"""The feature maps of named layers of any network, in one pass that ends at the last of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from torch import Tensor, nn

from bench.errors import ConfigurationError, nearest_names
from bench.explain.layout import read_layout
from bench.models import Classifier

VGG19_STYLE = ("features.1", "features.6", "features.11", "features.20", "features.29")
"""relu1_1, relu2_1, relu3_1, relu4_1, relu5_1 (Gatys et al. 2016, figure 1) by timm's names."""
VGG19_CONTENT = ("features.22",)
"""relu4_2, ibid."""
LITE_STYLE = ("bn1", "blocks.1.0.bn1", "blocks.2.0.bn1", "blocks.3.0.bn1", "blocks.4.0.bn1")
"""EfficientNet-Lite: the rectified stem, and the widest rectified map of each of the next four resolutions."""
LITE_CONTENT = ("blocks.3.0.bn1",)
DEEPEST_STYLE, DEEPEST_CONTENT = 16, 8
"""Pixels a feature stands for, at most, where the layers come from timm's own list of stages."""


@dataclass(frozen=True)
class DefaultLayers:
    """Layers for an architecture."""

    content: tuple[str, ...]
    """Module names for the content loss."""
    style: tuple[str, ...]
    """Module names for the style loss."""


def default_layers(network: nn.Module) -> DefaultLayers:
    """The published layers for VGG-19, rectified maps for EfficientNet-Lite, else the stages that timm lists.

    Raises:
        ConfigurationError: an architecture whose stages timm does not list.
    """
    names = {name for name, _ in network.named_modules()}
    if names.issuperset((*VGG19_STYLE, *VGG19_CONTENT)):
        return DefaultLayers(VGG19_CONTENT, VGG19_STYLE)
    if names.issuperset((*LITE_STYLE, *LITE_CONTENT)):
        return DefaultLayers(LITE_CONTENT, LITE_STYLE)
    stages = [stage for stage in getattr(network, "feature_info", []) if stage["module"] in names]
    style = [stage["module"] for stage in stages if stage["reduction"] <= DEEPEST_STYLE]
    if not style:
        raise ConfigurationError(
            f"timm lists no feature stages for {type(network).__name__}: name transfer.content_layers and"
            " transfer.style_layers yourself"
        )
    content = [stage["module"] for stage in stages if stage["reduction"] <= DEEPEST_CONTENT]
    return DefaultLayers(((content or style)[-1],), tuple(style))


def check_layers(network: nn.Module, layers: Iterable[str]) -> None:
    """Refuse a layer that the network does not have; the message names the nearest ones.

    Raises:
        ConfigurationError: an unknown layer.
    """
    names = [name for name, _ in network.named_modules() if name]
    for layer in layers:
        if layer not in names:
            hint = nearest_names(layer, names)
            raise ConfigurationError(f"{type(network).__name__} has no layer {layer!r}: {hint}")


class _EnoughError(Exception):
    """Every layer asked for has been seen; the rest of the pass would be wasted."""


@dataclass
class LayerTaps:
    """Hooks on layers of a classifier; a context manager, which removes them.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits; normalisation inside.
        layers: module names within ``classifier.network``.
        average_pooling: replace maximum pooling by average pooling meanwhile (Gatys et al. 2016, section 2).
    """

    classifier: Classifier
    layers: tuple[str, ...]
    average_pooling: bool = False
    _seen: dict[str, Tensor] = field(default_factory=dict, init=False)
    _undo: list[Any] = field(default_factory=list, init=False)

    def __enter__(self) -> Self:
        network = self.classifier.network
        for name, module in list(network.named_modules()):
            if getattr(module, "inplace", False):  # would overwrite the map of the layer before it
                module.inplace = False
                self._undo.append(lambda module=module: setattr(module, "inplace", True))
            if self.average_pooling and isinstance(module, nn.MaxPool2d):
                mean = nn.AvgPool2d(module.kernel_size, module.stride, module.padding, module.ceil_mode)
                network.set_submodule(name, mean)
                self._undo.append(lambda name=name, module=module: network.set_submodule(name, module))
        for name in self.layers:
            handle = network.get_submodule(name).register_forward_hook(self._keep(name))
            self._undo.append(handle.remove)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        while self._undo:
            self._undo.pop()()

    def __call__(self, images: Tensor) -> Mapping[str, Tensor]:
        """As ``maps``, positions in one dimension: layer -> ``(B,C,M)``."""
        return {name: features.flatten(2) for name, features in self.maps(images).items()}

    def maps(self, images: Tensor) -> Mapping[str, Tensor]:
        """The features of ``images``, ``(B,3,H,W)`` in [0,1]: layer -> ``(B,C,h,w)``.

        Raises:
            ConfigurationError: the network refuses images of this size.
        """
        self._seen.clear()
        try:
            self.classifier(images)
        except _EnoughError:
            pass
        except AssertionError as error:  # timm's transformers refuse other sizes so
            raise ConfigurationError(
                f"{self.classifier.name} refuses images of {images.shape[3]} px ({error}): give its own size, and"
                " transfer.octaves=1 transfer.passes=1"
            ) from error
        return {name: self._map(name, images) for name in self.layers}

    def _map(self, name: str, images: Tensor) -> Tensor:
        output = self._seen[name]
        prefixes = (getattr(self.classifier.network, "num_prefix_tokens", 0), 0)
        layout = read_layout(output.shape, (images.shape[2], images.shape[3]), prefixes=prefixes)
        if layout is None:
            raise ConfigurationError(
                f"layer {name!r} gives {tuple(output.shape)} for {images.shape[3]} px, no map of an image: name another"
                " layer, or give larger images"
            )
        return layout.as_map(output)

    def _keep(self, name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self._seen[name] = output
            if len(self._seen) == len(self.layers):
                raise _EnoughError

        return hook

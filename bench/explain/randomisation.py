"""The parameter-randomisation check: a map that explains a network must change when its weights do.

Adebayo et al. 2018, "Sanity checks for saliency maps": layers are randomised one after the other from the logits down,
and each randomised network's maps are compared with the trained one's. A method whose maps stay alike shows the image,
not the network.
"""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import ConfigurationError
from bench.explain.agreement import rank_correlation
from bench.explain.attribute import attribute
from bench.seeding import derive_seed


@dataclass(frozen=True)
class RandomisedStage:
    """How the maps fare once the network is random from the logits down to a layer."""

    layer: str
    """The lowest randomised layer; everything after it is random too."""
    randomised: float
    """Share of the network's parameters that are random, above 0 and up to 1."""
    correlation: Tensor
    """``(B,)`` Spearman's rank correlation of absolute maps with those of the trained network; near 1 is suspect."""


def randomisation_check(
    classifier: nn.Module,
    images: Tensor,
    targets: Tensor,
    method: str,
    *,
    stages: int = 6,
    seed: int = 0,
    **settings: Any,
) -> list[RandomisedStage]:
    """Randomise the network from the logits down and see whether its maps move.

    A randomised tensor is a random permutation of its own values, so that activations keep their scale in any
    architecture (the paper draws new weights). The first stage is the last layer alone; the rest of the layers, in the
    order they run, is split evenly over the others. The classifier itself is left as it was.

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        images: ``(B,3,H,W)`` in [0,1].
        targets: ``(B,)`` classes, the same for every stage.
        method: a name in ``METHODS``.
        stages: how many networks are compared with the trained one.
        seed: of the permutations.
        **settings: the method's own.

    Raises:
        ConfigurationError: the network has fewer layers than stages, or the method is refused.
    """
    layers = _layers_from_the_top(classifier, images[:1])
    if not 1 <= stages <= len(layers):
        raise ConfigurationError(f"stages is {stages}, but the network has {len(layers)} layers with parameters")
    trained = attribute(classifier, images, targets, method, **settings).abs()
    network = copy.deepcopy(classifier)
    total = sum(parameter.numel() for name in layers for parameter in _own(network, name))
    results, done, randomised = [], 0, 0
    for stop in _stops(len(layers), stages):
        for name in layers[done:stop]:
            for position, parameter in enumerate(_own(network, name)):
                _permute(parameter, derive_seed("randomisation", seed, name, position))
                randomised += parameter.numel()
        done = stop
        maps = attribute(network, images, targets, method, **settings).abs()
        results.append(RandomisedStage(layers[stop - 1], randomised / total, rank_correlation(trained, maps)))
    return results


def _stops(layers: int, stages: int) -> list[int]:
    """How many layers are random after each stage: 1, then evenly up to all."""
    if stages == 1:
        return [layers]
    return [1 + round(stage * (layers - 1) / (stages - 1)) for stage in range(stages)]


def _layers_from_the_top(classifier: nn.Module, image: Tensor) -> list[str]:
    """Modules that own parameters, last run first; those of no forward call (bare containers) at the end."""
    owners = {name: module for name, module in classifier.named_modules() if _own(classifier, name)}
    order: dict[str, None] = {}

    def note(name: str) -> Any:
        def hook(*_: Any) -> None:
            order.pop(name, None)
            order[name] = None

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in owners.items()]
    try:
        with torch.no_grad():
            classifier(image)
    finally:
        for handle in handles:
            handle.remove()
    return [*reversed(order), *(name for name in owners if name not in order)]


def _own(classifier: nn.Module, name: str) -> list[nn.Parameter]:
    return list(classifier.get_submodule(name).parameters(recurse=False))


@torch.no_grad()
def _permute(parameter: nn.Parameter, seed: int) -> None:
    order = torch.randperm(parameter.numel(), generator=torch.Generator().manual_seed(seed))
    parameter.copy_(parameter.flatten()[order.to(parameter.device)].view_as(parameter))

"""The classifier every benchmark sees: pixels in [0,1] in, logits out."""

import copy
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bench.data.crop import CropRecipe
from bench.data.dataset import DecisionGroups
from bench.data.label_spaces import LabelSpace
from bench.errors import ConfigurationError
from bench.models.forward_only import ForwardOnly


class Classifier(nn.Module):
    """A network with its normalisation inside, and what identifies it.

    Args:
        name: display name.
        network: ``(B,3,H,W)`` normalised float -> logits ``(B,K)``, or an object or a dict whose ``logits`` they are.
        mean: per-channel mean the network was trained with, in [0,1] units.
        std: per-channel standard deviation, in [0,1] units.
        crop: recipe from an encoded image to the uint8 crop the network expects.
        label_space: what its logit columns mean.
        precision: ``float32``, ``tf32``, ``bfloat16`` or ``float16``; the latter two run under autocast.
        made_with: what else decides its outcomes and is in no tensor: options, the text of the code that made it.
        published: what tables of published figures call these weights (``resnet50.a1_in1k``); empty for none.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        network: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        crop: CropRecipe,
        label_space: LabelSpace,
        precision: str = "float32",
        made_with: str = "",
        published: str = "",
    ) -> None:
        super().__init__()
        self.name = name
        self.crop = crop
        self.label_space = label_space
        self.precision = precision
        self.made_with = made_with
        self.published = published
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)
        self.weights_digest = self.digest()
        self.eval().requires_grad_(requires_grad=False)

    def digest(self) -> str:
        """Digest over the network's tensors, its normalisation and what it was made with; 16 hex digits."""
        normalisation = [self.mean.flatten().tolist(), self.std.flatten().tolist()]
        text = f"{state_digest(self.network)}|{normalisation}|{self.made_with}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B,K)`` float32 of ``images``, ``(B,3,H,W)`` float in [0,1]."""
        normalised = (images - self.mean) / self.std
        if self.precision in ("float32", "tf32"):  # `bench.models.numerics` makes the difference
            return logits_of(self.network(normalised), self.name)
        with torch.autocast(images.device.type, dtype=getattr(torch, self.precision)):
            return logits_of(self.network(normalised), self.name).float()

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the crop."""
        return self.crop.height, self.crop.width

    def cost(self) -> dict[str, float]:
        """Parameters, and GMACs (10^9 multiply-accumulates) of one forward pass over one crop."""
        if isinstance(self.network, ForwardOnly):
            return {"parameters": float(self.network.n_parameters), "gmacs": self.network.macs(self.input_size) / 1e9}
        parameters = sum(parameter.numel() for parameter in self.network.parameters())
        try:
            macs = _count_macs(copy.deepcopy(self.network).to("meta"), self.input_size, torch.device("meta"))
        except Exception:  # networks whose code looks at values
            macs = _count_macs(self.network, self.input_size, self.mean.device)
        return {"parameters": float(parameters), "gmacs": macs / 1e9}


def _count_macs(network: nn.Module, size: tuple[int, int], device: torch.device) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, *size, device=device))
    return float(counter.get_total_flops()) / 2


def logits_of(output: Any, name: str) -> Tensor:
    """The logits ``(B,K)`` in what a network returns: itself, its attribute ``logits``, or its item of that name.

    Args:
        output: what the network returned.
        name: of the classifier, for messages.

    Raises:
        ConfigurationError: it holds no logits.
    """
    if isinstance(output, Tensor):
        return output
    logits = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if isinstance(logits, Tensor):
        return logits
    keys = f" of {', '.join(map(str, output))}" if isinstance(output, Mapping) else ""
    raise ConfigurationError(
        f"{name} returns a {type(output).__name__}{keys}, not logits of shape (B, classes): wrap the network in a"
        " module whose forward returns the logits alone"
    )


def has_gradient(classifier: nn.Module) -> bool:
    """Whether autograd has a gradient from the logits of ``classifier`` to its images."""
    return not any(isinstance(module, ForwardOnly) for module in classifier.modules())


class LabelSubset(nn.Module):
    """A classifier whose decision is restricted to some of its classes (ImageNet-A, ImageNet-R, ...).

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        class_ids: the logit columns to keep, in the order of the new columns.
    """

    columns: Tensor

    def __init__(self, classifier: nn.Module, class_ids: Sequence[int]) -> None:
        super().__init__()
        self.classifier = classifier
        self.register_buffer("columns", torch.tensor(class_ids), persistent=False)
        self.train(classifier.training)  # a module starts in training mode, and no attack takes one that is

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, len(class_ids))`` of ``images``, ``(B,3,H,W)`` float in [0,1]."""
        logits: Tensor = self.classifier(images)
        return logits.index_select(1, self.columns)


class ClassGroups(nn.Module):
    """A classifier whose decision is among coarse classes, each made of some of its classes (ObjectNet, ...).

    Args:
        classifier: ``(B,3,H,W)`` in [0,1] -> logits ``(B,K)``.
        groups: the columns of each of ``G`` coarse classes, and the rule of the decision.
    """

    def __init__(self, classifier: nn.Module, groups: DecisionGroups) -> None:
        super().__init__()
        self.classifier = classifier
        self.groups = groups
        self.train(classifier.training)

    def forward(self, images: Tensor) -> Tensor:
        """``group_scores`` of the logits of ``images``, ``(B,3,H,W)`` float in [0,1]."""
        return group_scores(self.classifier(images), self.groups.columns, self.groups.rule)


def group_scores(logits: Tensor, columns: Sequence[Sequence[int]], rule: str) -> Tensor:
    """One score per coarse class, the largest of which decides.

    Args:
        logits: ``(B,K)`` before softmax.
        columns: of each of ``G`` coarse classes.
        rule: ``mean``: the log of the mean softmax probability over a class's columns, which keeps what would underflow
            as a probability. ``max``: the largest logit of its columns. ``argmax``: likewise, and one more score, the
            largest logit of the columns that are in no class, unless there are none.

    Returns:
        ``(B,G)``, or ``(B,G+1)``.
    """
    if rule == "mean":
        log_probabilities = logits.float().log_softmax(dim=1)
        means = [log_probabilities[:, list(own)].logsumexp(dim=1) - math.log(len(own)) for own in columns]
        return torch.stack(means, dim=1)
    inside = {column for own in columns for column in own}
    outside = [column for column in range(logits.shape[1]) if column not in inside] if rule == "argmax" else []
    return torch.stack([logits[:, list(own)].amax(dim=1) for own in (*columns, *([outside] if outside else []))], dim=1)


def state_digest(network: nn.Module) -> str:
    """Digest over every tensor of the state dict: name, type, shape and bytes; 16 hex digits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        value = tensor.detach().cpu().contiguous()
        digest.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        digest.update(value.view(-1).view(torch.uint8).numpy() if value.numel() else b"")
    return digest.hexdigest()[:16]

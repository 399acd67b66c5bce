"""The classifier as attacks see it: counted, its logits checked to be finite, its generators seeded and restored."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from bench.attacks.result import AttackError


class GuardedClassifier(nn.Module):
    """Passes images to a classifier, counts them, and raises on logits that are NaN or infinite."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier
        self.queries = 0
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B,K)`` of images ``(B,3,H,W)``.

        Raises:
            AttackError: a logit is NaN or infinite.
        """
        self.queries += len(images)
        logits: Tensor = self.classifier(images)
        if not torch.isfinite(logits).all():
            raise AttackError("the classifier returned NaN or infinite logits; an attack on it would mean nothing")
        return logits


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's and NumPy's global generators, which foolbox draws from, and restore them afterwards."""
    numpy_state = np.random.get_state()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        _seed_generators(seed, device)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)


def _seed_generators(seed: int, device: torch.device) -> None:
    """Seed the CPU's global generator and that of ``device``; ``torch.manual_seed`` would seed every GPU's."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type != "cpu":
        torch.manual_seed(seed)


@contextmanager
def frozen(classifier: nn.Module) -> Iterator[None]:
    """Ask for no weight gradients meanwhile: libraries that call ``backward`` would compute and accumulate them."""
    trained = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)

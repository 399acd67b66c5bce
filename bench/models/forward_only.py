"""Networks without a gradient: run by another engine than autograd, such as ONNX Runtime."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from bench.errors import ConfigurationError


class ForwardOnly(nn.Module, ABC):
    """``(B,3,H,W)`` normalised float -> logits ``(B,K)``, without a gradient; its file's digest stands for its weights.

    Args:
        digest: SHA-256 of the files that it was read from, in hex.
        batch_size: images that it takes at once, and no other number; None for any.
    """

    file_digest: Tensor
    n_parameters: int
    """Values of its weights."""

    def __init__(self, digest: str, batch_size: int | None) -> None:
        super().__init__()
        self.batch_size = batch_size
        # A tensor, so that digests over state dicts tell two files apart.
        self.register_buffer("file_digest", torch.tensor(list(bytes.fromhex(digest)), dtype=torch.uint8))

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B,K)`` of ``images``, on their device; the last batch is padded where the batch size is fixed.

        Raises:
            ConfigurationError: a gradient is asked for.
        """
        if torch.is_grad_enabled() and images.requires_grad:
            raise ConfigurationError(f"{type(self).__name__} has no gradient: it runs forward passes alone")
        with torch.no_grad():
            if self.batch_size is None:
                return self.run(images)
            pieces = [self._padded(piece) for piece in torch.split(images, self.batch_size)]
            return torch.cat(pieces)

    def _padded(self, images: Tensor) -> Tensor:
        assert self.batch_size is not None
        lacking = self.batch_size - len(images)
        padding = images[-1:].expand(lacking, -1, -1, -1)
        return self.run(torch.cat([images, padding]) if lacking else images)[: len(images)]

    @abstractmethod
    def run(self, images: Tensor) -> Tensor:
        """Logits of one batch of a size that the network takes."""

    @abstractmethod
    def macs(self, input_size: tuple[int, int]) -> float:
        """Multiply-accumulates of one image of ``input_size`` (height, width) pixels."""

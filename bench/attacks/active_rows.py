"""Which images of a batch an attack still works on, kept on the host and on the device."""

from typing import NamedTuple

import torch
from torch import Tensor


class Leave(NamedTuple):
    """The images that leave an attack at one step, on the device."""

    rows: Tensor
    """``(m,)`` int64 rows of the inputs."""
    places: Tensor
    """``(m,)`` int64 places among the images that were active until now."""
    others: Tensor
    """Places of those that stay."""


class ActiveRows:
    """The rows of the inputs that no answer was found for yet.

    The host has to know how many there are. It asks the device once a step, in `split`, and does the rest by itself; an
    index of truths, a ``nonzero`` or an ``any`` on the device would each make it wait again.
    """

    def __init__(self, count: int, device: torch.device) -> None:
        self.rows = torch.arange(count)
        """``(n,)`` int64 on the CPU."""
        self.on_device = self.rows.to(device)
        """The same on the device."""

    def __len__(self) -> int:
        return len(self.rows)

    def split(self, leaving: Tensor) -> Leave | None:
        """Drop rows.

        Args:
            leaving: ``(n,)`` bool on the device.

        Returns:
            Those that leave, or None where all stay.
        """
        gone = leaving.cpu()
        if not gone.any():
            return None
        device = self.on_device.device
        places, others = gone.nonzero().flatten(), (~gone).nonzero().flatten()
        left, self.rows = self.rows[places], self.rows[others]
        self.on_device = self.rows.to(device)
        return Leave(*(index.to(device) for index in (left, places, others)))
